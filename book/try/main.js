// The page: what the reader chooses, the question to the worker, the figures and the downloads.

import { chart, short } from "./plot.js";
import { exposure, fan, quantiles } from "./summary.js";
import { readTable } from "./table.js";
import { others, shown, usable } from "./task.js";

const POINTS = 60, MOST_DONORS = 12, MOST_BINS = 12;
const page = document.getElementById("agmpk-try");
const $ = (name) => page.querySelector(`[name="${name}"]`);
const state = { study: null, file: "", own: null, edited: false, answer: null, cohort: null };

// ------------------------------------------------------------------------------------- the worker

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
let running = null, waiting = null, keys = 0;

/** Ask the worker; of questions of one kind that pile up only the latest is asked. */
function ask(kind, asks, use) {
  const job = { kind, asks, use, study: { name: state.study.name, lloq: state.study.lloq } };
  if (running) {
    waiting = { ...waiting, [kind]: job };
    return;
  }
  running = job;
  busy(true);
  worker.postMessage({ key: ++keys, study: job.study, asks });
}

worker.onmessage = ({ data }) => {
  const { use, kind } = running, next = Object.values(waiting ?? {}).find((job) => job.kind === kind)
    ?? Object.values(waiting ?? {})[0];
  running = null;
  if (data.problem) say(data.problem, true);
  else if (next?.kind !== kind) use(data.answers, data.seconds);
  busy(false);
  if (next) {
    delete waiting[next.kind];
    running = next;
    busy(true);
    worker.postMessage({ key: ++keys, study: next.study, asks: next.asks });
  }
};
worker.onerror = (event) => say(`The network could not be started: ${event.message ?? "a file is missing"}.`, true);

function busy(is) {
  page.setAttribute("aria-busy", is);
}

function say(text, problem = false) {
  const line = page.querySelector(".try-status");
  line.textContent = text;
  line.classList.toggle("try-problem", problem);
}

// -------------------------------------------------------------------------------------- the study

/** Take a table, or say in one sentence why not. */
function take(text, name, familiar = "Whether it lies within what the prior draws, the command below says.") {
  let study;
  try {
    study = readTable(text, name);
  } catch (error) {
    say(error.message, true);
    return;
  }
  Object.assign(state, { study, file: name, answer: null, cohort: null });
  page.querySelector(".try-study").textContent =
    `${study.name}: ${study.people.length} individuals, ${study.people.reduce((n, one) => n + one.times.length, 0)} samples, concentrations in ${study.units.concentration}, doses in ${study.units.dose}. ${familiar}`;
  $("target").replaceChildren(...study.people.map(({ id }) => new Option(id, id)));
  page.querySelector(".try-cohort").replaceChildren();
  chooseTarget();
}

function chooseTarget() {
  const { study } = state;
  state.own = usable(study.people.find((one) => one.id === $("target").value));
  const known = state.own.below.filter((below) => !below).length;
  $("shown").max = known;
  $("shown").value = Math.min(2, Math.max(0, known - 1));
  const lasts = study.people.filter((one) => one.times.length).map((one) => one.times.at(-1) - one.doses[0].time).sort((a, b) => a - b);
  const start = state.own.doses[0].time, own = (state.own.times.at(-1) ?? start) - start;
  $("horizon").value = short(start + 1.1 * Math.max(own, lasts[Math.floor(lasts.length / 2)] ?? 24));
  state.edited = false;
  refresh();
}

/** What is shown of the individual, and the doses before the end of that. */
function past() {
  const prefix = shown(state.own, Number($("shown").value));
  const last = prefix.times.at(-1) ?? -Infinity;
  return { prefix, last, given: prefix.doses.filter((dose) => dose.time < last) };
}

const route = (dose) => (dose.oral ? "oral" : dose.duration > 0 ? `infusion ${short(dose.duration)}` : "bolus");

/** The lines of the field of future doses: "24 50 oral", "24 50 bolus", "24 50 infusion 0.5". */
function plan(last) {
  return $("doses").value.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
    const [time, amount, way, length] = line.split(/[\s,;]+/);
    const dose = { time: Number(time), amount: Number(amount), oral: way === "oral", duration: way === "infusion" ? Number(length) : 0 };
    if (!Number.isFinite(dose.time) || !(dose.amount > 0) || !["oral", "bolus", "infusion"].includes(way) || (way === "infusion" && !(dose.duration > 0)))
      throw new Error(`The dose "${line}" is not understood; write it like 24 50 oral, 24 50 bolus or 24 50 infusion 0.5.`);
    if (dose.time < last) throw new Error(`The dose at ${short(dose.time)} h lies before the last shown sample at ${short(last)} h; future doses come after it.`);
    return dose;
  }).sort((a, b) => a.time - b.time);
}

/** Times to ask for: dense after each dose, and those of the hidden samples. */
function grid(from, to, doses, exact) {
  const bounds = [from, ...doses.map((dose) => dose.time).filter((t) => t > from && t < to), to];
  const number = Math.min(40, Math.max(2, Math.floor(POINTS / (bounds.length - 1))));
  const times = new Set(exact.filter((t) => t > from && t <= to));
  for (let k = 1; k < bounds.length; k++) {
    const points = k + 1 < bounds.length ? number : Math.max(number, 20);
    for (let n = 1; n <= points; n++) times.add(bounds[k - 1] + (bounds[k] - bounds[k - 1]) * (n / points) ** 2);
  }
  const sorted = [...times].sort((a, b) => a - b);
  return sorted.filter((t, k) => exact.includes(t) || k === sorted.length - 1 || sorted[k + 1] - t > 1e-6 * to);
}

/** Ask for the forecast that the controls describe. */
function refresh() {
  const { own, study } = state, { prefix, last, given } = past();
  if (!state.edited) $("doses").value = own.doses.slice(given.length).map((dose) => `${short(dose.time)} ${short(dose.amount)} ${route(dose)}`).join("\n");
  page.querySelector(".try-shown").textContent = `${$("shown").value} of ${$("shown").max}`;
  try {
    // As in the table unless edited: the field shows three digits.
    const future = state.edited ? plan(last) : own.doses.slice(given.length);
    const doses = [...given, ...future], horizon = Number($("horizon").value);
    if (!doses.length) throw new Error("There is no dose; write one a line, like 0 100 oral.");
    const from = Math.max(last, doses[0].time);
    if (!(horizon > from)) throw new Error(`The horizon must lie after ${short(from)} h, where the forecast begins.`);
    const hidden = own.times.slice(prefix.times.length);
    const question = { context: others(study, own), prefix: { ...prefix, doses }, times: grid(from, horizon, doses, hidden), number: Number($("number").value), seed: 0 };
    say("Drawing ...");
    ask("forecast", [question], ([answer], seconds) => {
      state.answer = { ...answer, question, from };
      say(`${question.number} curves at ${answer.times.length} times in ${seconds.toFixed(1)} s, in this browser.`);
      draw();
    });
  } catch (error) {
    say(error.message, true);
  }
}

// ------------------------------------------------------------------------------------ the pictures

function draw() {
  const { answer, study, own } = state;
  if (!answer) return;
  const { question, bands, times } = answer, { prefix } = question, shift = prefix.doses[0].time;
  const reveal = $("reveal").checked, count = prefix.times.length;
  const rest = { times: own.times.slice(count), values: own.values.slice(count), below: own.below.slice(count) };
  const start = prefix.times.length && !prefix.below.at(-1) ? [[prefix.times.at(-1), prefix.values.at(-1)]] : [];
  const joined = (values) => ({ times: [...start.map(([t]) => t), ...times], values: [...start.map(([, v]) => v), ...values] });
  const inside = (one) => one.times.map((_, k) => k).filter((k) => one.times[k] - one.doses[0].time + shift <= times.at(-1));
  const parts = [
    ...question.context.map(usable).filter((one) => inside(one).length > 1).map((one) => ({
      kind: "line", cls: "other", times: inside(one).map((k) => one.times[k] - one.doses[0].time + shift), values: inside(one).map((k) => one.values[k]) })),
    { kind: "band", cls: "", times, low: bands[0], high: bands[4] },
    { kind: "band", cls: "inner", times, low: bands[1], high: bands[3] },
    { kind: "line", cls: "naive", ...joined(answer.naive) },
    { kind: "line", cls: "flow", ...joined(bands[2]) },
    ...(reveal ? [{ kind: "points", cls: "hidden", ...rest }] : []),
    { kind: "points", cls: "shown", times: prefix.times, values: prefix.values, below: prefix.below },
    { kind: "doses", times: prefix.doses.map((dose) => dose.time).filter((t) => t <= times.at(-1)) },
  ];
  const title = `${study.name}, individual ${own.id}: ${$("shown").value} samples shown`;
  const alt = `${title}; forecast until ${short(times.at(-1))} h: median ${short(bands[2].at(-1))}, 90 % band ${short(bands[0].at(-1))} to ${short(bands[4].at(-1))} ${study.units.concentration} at the end.`;
  page.querySelector(".try-figure").innerHTML = chart({ title, alt, parts, width: page.clientWidth, x: "time (h)", y: `concentration (${study.units.concentration})`, log: $("log").checked });
  tell(rest, reveal);
}

const row = (cells, tag = "td") => `<tr>${cells.map((cell, k) => `<${k ? tag : "th"}${k ? "" : ' scope="row"'}>${cell}</${k ? tag : "th"}>`).join("")}</tr>`;
const span = ([middle, low, high]) => `${short(middle)} (${short(low)} to ${short(high)})`;

/** Exposure of the fan, the hidden samples once revealed, and the command. */
function tell(rest, reveal) {
  const { answer, study, own } = state, { times, curves, from, question } = answer, unit = study.units.concentration;
  const found = exposure(times, curves, from);
  const until = `${short(from)} to ${short(times.at(-1))} h`;
  page.querySelector(".try-exposure").innerHTML =
    row([`C<sub>max</sub>, ${until}`, `${span(found.Cmax)} ${unit}`]) + row([`AUC, ${until}`, `${span(found.AUC)} h·${unit}`]) + row([`trough, at ${short(times.at(-1))} h`, `${span(found.last)} ${unit}`]);
  const scored = rest.times.map((t, k) => [times.indexOf(t), k]).filter(([at]) => at >= 0);
  page.querySelector(".try-score").innerHTML = reveal && scored.length
    ? row(["time (h)", "observed", "forecast", "error", "90 % band"], "th") + scored.map(([at, k]) => {
      const y = rest.values[k], [low, high] = [answer.bands[0][at], answer.bands[4][at]];
      return row([short(rest.times[k]), (rest.below[k] ? "below " : "") + short(y), short(answer.pred[at]),
        rest.below[k] ? "" : `${short(100 * (answer.pred[at] / y - 1))} %`, rest.below[k] ? "" : y < low ? "below" : y > high ? "above" : "inside"]);
    }).join("")
    : "";
  const target = /^[\w.-]+$/.test(own.id) ? own.id : `'${own.id}'`, common = `--target ${target} --observed ${$("shown").value} --samples ${question.number}`;
  page.querySelector(".try-command").textContent = state.edited
    ? `agmpk whatif ${state.file} ${common} --plans plans.csv --until ${$("horizon").value} --out whatif.csv`
    : `agmpk forecast ${state.file} ${common} --out forecast.csv`;
  page.querySelector(".try-plans").textContent = state.edited
    ? ["plans.csv:", "PLAN,TIME,AMT,ROUTE,DUR", ...question.prefix.doses.filter((dose) => dose.time >= from || !question.prefix.times.length).map((d) => `mine,${d.time},${d.amount},${d.oral ? "oral" : d.duration ? "iv_infusion" : "iv_bolus"},${d.duration || "."}`)].join("\n")
    : "";
}

// --------------------------------------------------------------------------------- virtual people

const clock = (one) => one.times.map((t) => t - one.doses[0].time);

/** Virtual people with the doses of some of the study's, sampled when the study was. */
function cohort() {
  const people = state.study.people.map(usable).filter((one) => one.times.length);
  const all = people.flatMap(clock).sort((a, b) => a - b), distinct = [...new Set(all)];
  const bins = distinct.length <= MOST_BINS ? distinct
    : [...new Set(Array.from({ length: MOST_BINS }, (_, k) => all[Math.floor(((k + 0.5) / MOST_BINS) * all.length)]))];
  const every = Math.max(1, Math.ceil(people.length / MOST_DONORS));
  const regimen = (one) => JSON.stringify(one.doses.map((dose) => ({ ...dose, time: dose.time - one.doses[0].time })));
  const donors = people.filter((_, k) => k % every === 0), groups = new Map();
  for (const one of donors) groups.set(regimen(one), (groups.get(regimen(one)) ?? 0) + 1);
  const total = Number($("virtual").value), nobody = { id: "virtual", person: "virtual", times: [], values: [], below: [] };
  const asks = [...groups].map(([doses, n], k) => ({
    context: state.study.people, prefix: { ...nobody, doses: JSON.parse(doses) }, times: bins, seed: k,
    number: Math.max(2, Math.round((total * n) / donors.length)) }));
  say("Drawing virtual people ...");
  ask("cohort", asks, (answers, seconds) => {
    const curves = answers.flatMap((answer) => answer.curves);
    state.cohort = { bins, curves, people };
    say(`${curves.length} virtual people in ${seconds.toFixed(1)} s, with the doses of ${donors.length} of the study's.`);
    drawCohort();
  });
}

function drawCohort() {
  if (!state.cohort) return;
  const { bins, curves, people } = state.cohort, { study } = state, edges = bins.map((t, k) => (k + 1 < bins.length ? (t + bins[k + 1]) / 2 : Infinity));
  const samples = people.flatMap((one) => clock(one).map((t, k) => ({ t, v: one.values[k], below: one.below[k] })));
  const groups = bins.map((_, k) => samples.filter(({ t }) => t <= edges[k] && t > (edges[k - 1] ?? -Infinity)).map(({ v }) => v));
  const kept = bins.map((_, k) => k).filter((k) => groups[k].length >= 5), levels = [0.05, 0.5, 0.95];
  const [low, middle, high] = fan(curves, levels), observed = kept.map((k) => quantiles(groups[k], levels));
  const parts = [
    { kind: "points", cls: "other", times: samples.map(({ t }) => t), values: samples.map(({ v }) => v), below: samples.map(({ below }) => below) },
    { kind: "band", cls: "", times: bins, low, high },
    { kind: "line", cls: "flow", times: bins, values: middle },
    ...[0, 1, 2].map((j) => ({ kind: "line", cls: "observed", times: kept.map((k) => bins[k]), values: observed.map((q) => q[j]) })),
  ];
  const title = `${study.name}: ${curves.length} virtual people beside the study`;
  page.querySelector(".try-cohort").innerHTML = chart({ title, parts, width: page.clientWidth, log: $("log").checked, x: "time since the first dose (h)", y: `concentration (${study.units.concentration})`,
    alt: `${title}; band: 5 to 95 % of virtual people, thick line their median, thin lines 5, 50 and 95 % of the study.` });
}

// ------------------------------------------------------------------------------------- downloads

function save(name, text, type) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

const quoted = (text) => (/[",\s]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const model = fetch(new URL("model.json", import.meta.url)).then((answer) => answer.json());

async function saveForecast() {
  const { answer, own } = state, { model: name, digest } = await model;
  if (!answer) return;
  const lines = answer.times.map((t, k) => [quoted(own.id), t, answer.pred[k], ...answer.bands.map((band) => band[k]), answer.naive[k]].join(","));
  save("forecast.csv", [`# ${name} ${digest}; research result, no basis for dosing`, "ID,TIME,PRED,Q05,Q25,Q50,Q75,Q95,NAIVE", ...lines, ""].join("\n"), "text/csv");
}

async function saveCohort() {
  const { cohort: found } = state, { model: name, digest } = await model;
  if (!found) return;
  const lines = found.curves.flatMap((row, n) => row.map((v, k) => `V${n + 1},${found.bins[k]},${v}`));
  save("cohort.csv", [`# ${name} ${digest}; virtual people, research result`, "ID,TIME,DV", ...lines, ""].join("\n"), "text/csv");
}

function saveFigure(place) {
  const svg = page.querySelector(`${place} svg`);
  if (svg) save("figure.svg", svg.outerHTML, "image/svg+xml");
}

// -------------------------------------------------------------------------------------- the start

async function takeFile(file) {
  if (file) take(await file.text(), file.name);
}

async function takeExample() {
  const { name: chosen, familiar } = examples[$("example").selectedIndex], name = `${chosen}.csv`;
  const answer = await fetch(new URL(name, import.meta.url));
  if (answer.ok) take(await answer.text(), name, familiar);
  else say(`The example ${name} is missing; build the book again.`, true);
}

function later(use, wait = 250) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(use, wait);
  };
}

$("example").onchange = takeExample;
$("file").onchange = () => takeFile($("file").files[0]);
$("paste").onchange = () => $("paste").value.trim() && take($("paste").value, "study.csv");
page.ondragover = (event) => event.preventDefault();
page.ondrop = (event) => {
  event.preventDefault();
  takeFile(event.dataTransfer.files[0]);
};
$("target").onchange = chooseTarget;
$("doses").oninput = () => { state.edited = true; };
for (const name of ["shown", "horizon", "number", "doses"]) $(name).addEventListener("input", later(refresh));
$("undo").onclick = () => { state.edited = false; refresh(); };
$("reveal").onchange = draw;
const redraw = () => { draw(); drawCohort(); };
$("log").onchange = redraw;
addEventListener("resize", later(redraw));
$("draw-cohort").onclick = cohort;
$("save-forecast").onclick = saveForecast;
$("save-cohort").onclick = saveCohort;
$("save-figure").onclick = () => saveFigure(".try-figure");
$("save-vpc").onclick = () => saveFigure(".try-cohort");

const examples = await (await fetch(new URL("examples.json", import.meta.url))).json();
$("example").replaceChildren(...examples.map(({ name }) => new Option(name, name)));
document.getElementById("agmpk-try-off").remove();
page.hidden = false;
await takeExample();
