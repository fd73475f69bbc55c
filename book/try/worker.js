// Runs the flow away from the page, so that the page stays quick. Everything lies beside this file.

import * as ort from "./ort.mjs";
import { Flow } from "./flow.js";
import { question } from "./task.js";

ort.env.wasm.numThreads = 1; // more need headers that static hosts do not send
ort.env.wasm.wasmPaths = { wasm: new URL("ort.wasm", import.meta.url).href };

async function bytes(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok)
    throw new Error(
      `The file ${name} of this page is missing (${answer.status}); build the book again.`,
    );
  return new Uint8Array(await answer.arrayBuffer());
}

const ready = (async () => {
  const { nodes } = JSON.parse(new TextDecoder().decode(await bytes("model.json")));
  return Flow.load(ort, await bytes("law.onnx"), await bytes("draw.onnx"), nodes);
})();

// A message {study, asks: [{context, prefix, times, number, seed}]} is answered by
// {answers, seconds} or {problem}.
self.onmessage = async ({ data: { study, asks } }) => {
  try {
    const flow = await ready,
      start = performance.now(),
      answers = [];
    for (const { context, prefix, times, number, seed } of asks)
      answers.push(await flow.forecast(question(study, context, prefix, times), number, seed));
    self.postMessage({ answers, seconds: (performance.now() - start) / 1000 });
  } catch (error) {
    self.postMessage({ problem: error.message });
  }
};
