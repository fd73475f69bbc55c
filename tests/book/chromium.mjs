// Pages in headless Chromium, driven by its own protocol:
// node chromium.mjs CHROMIUM URL < steps.json > answers.json
// A step is {evaluate} (JavaScript of the page), {until} (the same, polled until it is true),
// {keys} (pressed one after the other), {size: [width, height]}, {goto: URL} or {shot: file}.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [browser, url] = process.argv.slice(2);
const home = mkdtempSync(join(tmpdir(), "try-"));
const chromium = spawn(browser, [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  `--user-data-dir=${home}`,
  "--remote-debugging-port=0",
  "about:blank",
]);
const address = await new Promise((found) => {
  let said = "";
  chromium.stderr.on("data", (part) => {
    said += part;
    const match = said.match(/ws:\/\/\S+/);
    if (match) found(match[0]);
  });
});
const socket = new WebSocket(address);
await new Promise((open) => {
  socket.onopen = open;
});
const pending = new Map(),
  requests = [],
  problems = [];
let number = 0;
const send = (method, params = {}, sessionId) =>
  new Promise((done) => {
    pending.set(++number, done);
    socket.send(JSON.stringify({ id: number, method, params, sessionId }));
  });
async function attach(session) {
  await Promise.all([
    send("Network.enable", {}, session),
    send("Runtime.enable", {}, session),
    send("Log.enable", {}, session),
  ]);
  await send(
    "Target.setAutoAttach",
    { autoAttach: true, waitForDebuggerOnStart: true, flatten: true },
    session,
  );
  await send("Runtime.runIfWaitingForDebugger", {}, session);
}
socket.onmessage = ({ data }) => {
  const { id, method, params, result, error } = JSON.parse(data);
  if (id) pending.get(id)(result ?? { error });
  if (method === "Target.attachedToTarget" && params.targetInfo.type !== "page")
    attach(params.sessionId);
  if (method === "Network.requestWillBeSent") requests.push(params.request.url);
  if (method === "Runtime.exceptionThrown")
    problems.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
  if (method === "Log.entryAdded" && params.entry.level === "error")
    problems.push(`${params.entry.text} ${params.entry.url ?? ""}`);
};
const { targetId } = await send("Target.createTarget", { url: "about:blank" });
const { sessionId: page } = await send("Target.attachToTarget", { targetId, flatten: true });
await attach(page);
await send("Page.enable", {}, page);
await send("Page.navigate", { url }, page);

async function evaluate(expression) {
  const { result, exceptionDetails } = await send(
    "Runtime.evaluate",
    { expression, awaitPromise: true, returnByValue: true },
    page,
  );
  return exceptionDetails ? `failed: ${exceptionDetails.exception?.description}` : result.value;
}
const answers = [];
for (const step of JSON.parse(readFileSync(0, "utf8"))) {
  if (step.size)
    await send(
      "Emulation.setDeviceMetricsOverride",
      {
        width: step.size[0],
        height: step.size[1],
        deviceScaleFactor: 1,
        mobile: step.size[0] < 600,
      },
      page,
    );
  for (const key of step.keys ?? []) {
    const code = { ArrowRight: 39, ArrowLeft: 37, Tab: 9, " ": 32 }[key];
    for (const type of ["keyDown", "keyUp"])
      await send(
        "Input.dispatchKeyEvent",
        {
          type,
          key,
          code: key,
          windowsVirtualKeyCode: code,
          text: key === " " && type === "keyDown" ? " " : undefined,
        },
        page,
      );
  }
  if (step.goto) await send("Page.navigate", { url: step.goto }, page);
  if (step.shot) {
    const { data } = await send("Page.captureScreenshot", { captureBeyondViewport: true }, page);
    writeFileSync(step.shot, Buffer.from(data, "base64"));
  }
  if (step.evaluate) answers.push(await evaluate(step.evaluate));
  for (let left = 3000; step.until && (await evaluate(step.until)) !== true; left--) {
    if (!left) {
      answers.push(`never true: ${step.until}`);
      break;
    }
    await new Promise((done) => setTimeout(done, 20));
  }
}
process.stdout.write(JSON.stringify({ answers, requests, problems }));
socket.close();
chromium.kill();
await new Promise((done) => chromium.once("exit", done));
rmSync(home, { recursive: true, force: true, maxRetries: 5 });
