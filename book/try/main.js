// The page: what the reader chooses, the question to the worker, the figures and the downloads.

import { ask } from "./ask.js";
import { checkParts, cohortQuestions } from "./cohort.js";
import { familiarity } from "./familiar.js";
import { grid, line, plansTable, readPlan } from "./plan.js";
import { chart, short } from "./plot.js";
import { exposure, inWindow } from "./summary.js";
import { readTable } from "./table.js";
import { late, others, shown, usable } from "./task.js";

const page = document.getElementById("agmpk-try");
const $ = (name) => page.querySelector(`[name="${name}"]`);
const part = (name) => page.querySelector(`.try-${name}`);
const state = { study: null, file: "", own: null, edited: false, answer: null, cohort: null };
Object.assign(state, { example: "", touched: false });

function say(text, problem = false) {
  part("status").textContent = text;
  part("status").classList.toggle("try-problem", problem);
}
const fail = (sentence) => say(sentence, true);

// -------------------------------------------------------------------------------------- the study

/** Take a table, or say in one sentence why not; `example` names one that came with the page. */
function take(text, name, example = "") {
  let study, familiar;
  try {
    study = readTable(text, name);
    familiar = familiarity(study, law).sentence;
  } catch (error) {
    fail(error.message);
    return;
  }
  Object.assign(state, { study, file: name, example, answer: null, cohort: null });
  const samples = study.people.reduce((sum, one) => sum + one.times.length, 0);
  const { concentration, dose } = study.units;
  part("study").textContent = `${study.name}: ${study.people.length} individuals, ${samples} samples, `
    + `concentrations in ${concentration}, doses in ${dose}. ${study.note}${familiar}`;
  $("target").replaceChildren(...study.people.map(({ id }) => new Option(id, id)));
  part("cohort").replaceChildren();
  chooseTarget();
}

/** Begin with two samples shown, and a horizon a little after the last sample. */
function chooseTarget() {
  const { people } = state.study;
  state.own = usable(people.find((one) => one.id === $("target").value));
  state.edited = false;
  const known = state.own.below.filter((below) => !below).length;
  $("shown").max = known;
  $("shown").value = Math.min(2, Math.max(0, known - 1));
  const length = (one) => one.times.at(-1) - one.doses[0].time;
  const lengths = people.filter((one) => one.times.length).map(length).sort((a, b) => a - b);
  const usual = lengths[Math.floor(lengths.length / 2)] ?? 24;
  const own = state.own.times.length ? length(state.own) : 0;
  $("horizon").value = short(state.own.doses[0].time + 1.1 * Math.max(own, usual));
  part("people").replaceChildren(...others(state.study, state.own).map(({ id }) => tick(id)));
  refresh();
}

/** A box that takes somebody in. */
function tick(id) {
  const label = Object.assign(document.createElement("label"), { className: "try-tick" });
  const box = document.createElement("input");
  label.append(Object.assign(box, { type: "checkbox", checked: true, value: id }), ` ${id}`);
  return label;
}

/** Who was left out. */
const unticked = () => [...part("people").querySelectorAll("input:not(:checked)")].map((box) => box.value);

// ----------------------------------------------------------------------------------- the question

/** The question that the controls describe; throws an Error with one sentence. */
function questionNow() {
  const { own, study } = state, prefix = shown(own, Number($("shown").value));
  const last = prefix.times.at(-1) ?? -Infinity; // a dose at that very time comes after the sample
  const given = own.doses.filter((dose) => dose.time < last);
  let future = own.doses.slice(given.length);
  if (state.edited) future = readPlan($("doses").value, last);
  else $("doses").value = future.map(line).join("\n");
  part("shown").textContent = `${$("shown").value} of ${$("shown").max}`;
  const doses = [...given, ...future], horizon = Number($("horizon").value);
  if (!doses.length) throw new Error("There is no dose; write one a line, like 0 100 oral.");
  const from = Math.max(last, doses[0].time);
  if (!(horizon > from))
    throw new Error(`The forecast begins at ${short(from)} h; ask for a later time.`);
  const hidden = own.times.slice(prefix.times.length);
  const times = grid(from, horizon, doses, hidden);
  const out = unticked(), number = Number($("number").value);
  const context = others(study, own).filter((one) => !out.includes(one.id));
  return { from, future, context, prefix: { ...prefix, doses }, times, number, seed: 0 };
}

function refresh() {
  let question;
  try {
    question = questionNow();
  } catch (error) {
    fail(error.message);
    return;
  }
  say("Drawing ...");
  const use = ([answer], seconds) => {
    state.answer = { ...answer, question };
    const count = `${question.number} curves at ${answer.times.length} times`;
    const { context, prefix } = question;
    say(`${count} in ${seconds.toFixed(1)} s, in this browser. ${late(context, prefix, answer.times)}`);
    draw();
    if (state.touched) keep();
  };
  ask({ kind: "forecast", study: state.study, asks: [question], use, fail });
}

// -------------------------------------------------------------------------------------- the answer

function draw() {
  const { answer, study, own } = state;
  if (!answer) return;
  const { question: { context, prefix }, bands: [q05, q25, q50, q75, q95], times, naive } = answer;
  const count = prefix.times.length, start = prefix.doses[0].time, end = times.at(-1);
  const pick = (one, keep) => {
    const places = one.times.map((_, k) => k).filter(keep);
    const at = (values) => places.map((k) => values[k]);
    return { times: at(one.times), values: at(one.values), below: at(one.below) };
  };
  const hidden = pick(own, (k) => k >= count);
  // Others count their hours from their first dose; here they are drawn from that of this one.
  const moved = context.map(usable).map((one) => {
    const clock = one.times.map((t) => t - one.doses[0].time + start);
    return pick({ ...one, times: clock }, (k) => clock[k] <= end);
  });
  const after = count && !prefix.below.at(-1); // lines begin at the last shown value
  const joined = (values) => (after
    ? { times: [prefix.times.at(-1), ...times], values: [prefix.values.at(-1), ...values] }
    : { times, values });
  const doses = prefix.doses.map((dose) => dose.time).filter((t) => t <= end);
  const [floor, roof] = windowNow() ?? [], top = Math.min(roof, Math.max(floor, ...q95));
  const parts = [
    ...(floor === undefined ? [] : [{
      kind: "band", cls: "window", times: [times[0], end], low: [floor, floor], high: [top, top] }]),
    ...moved.filter((one) => one.times.length > 1).map((one) => ({ kind: "line", cls: "other", ...one })),
    { kind: "band", cls: "", times, low: q05, high: q95 },
    { kind: "band", cls: "inner", times, low: q25, high: q75 },
    { kind: "line", cls: "naive", ...joined(naive) },
    { kind: "line", cls: "flow", ...joined(q50) },
    ...($("reveal").checked ? [{ kind: "points", cls: "hidden", ...hidden }] : []),
    { kind: "points", cls: "shown", ...pick(prefix, () => true) },
    { kind: "doses", times: doses },
  ];
  const unit = study.units.concentration;
  const title = `${study.name}, individual ${own.id}: ${$("shown").value} samples shown`;
  const band = `${short(q05.at(-1))} to ${short(q95.at(-1))} ${unit}`;
  const alt = `${title}; forecast until ${short(end)} h: median ${short(q50.at(-1))}, 90 % ${band}.`;
  show("figure", { title, alt, parts, x: "time (h)", y: `concentration (${unit})` });
  tellExposure();
  tellScore($("reveal").checked ? hidden : { times: [] });
  tellCommand();
}

function show(place, what) {
  part(place).innerHTML = chart({ ...what, log: $("log").checked, width: page.clientWidth });
}

const row = ([first, ...rest], tag = "td") =>
  `<tr><th scope="row">${first}</th>${rest.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`;

/** The window asked about, [low, high]; undefined where none is. */
function windowNow() {
  const [low, high] = ["low", "high"].map((name) => $(name).value);
  return low || high ? [Number(low), Number(high || Infinity)] : undefined;
}

function tellExposure() {
  const { times, curves, question: { from } } = state.answer, unit = state.study.units.concentration;
  const found = exposure(times, curves, from), end = short(times.at(-1));
  const span = ([middle, low, high]) => `${short(middle)} (${short(low)} to ${short(high)})`;
  const window = windowNow(), inside = window && inWindow(times, curves, window);
  part("exposure").innerHTML = [
    [`C<sub>max</sub>, ${short(from)} to ${end} h`, `${span(found.Cmax)} ${unit}`],
    [`AUC, ${short(from)} to ${end} h`, `${span(found.AUC)} h·${unit}`],
    [`trough, at ${end} h`, `${span(found.last)} ${unit}`],
    ...(inside ? [[`in the window at ${end} h`, `${Math.round(100 * inside.last)} % of the curves`],
      ["in the window all the time", `${Math.round(100 * inside.always)} % of the curves`]] : []),
  ].map((cells) => row(cells)).join("");
}

function tellScore(hidden) {
  const { times, pred, bands } = state.answer;
  const rows = hidden.times.flatMap((t, k) => {
    const at = times.indexOf(t), y = hidden.values[k];
    if (at < 0) return [];
    if (hidden.below[k]) return [[short(t), `below ${short(y)}`, short(pred[at]), "", ""]];
    const place = y < bands[0][at] ? "below" : y > bands[4][at] ? "above" : "inside";
    return [[short(t), short(y), short(pred[at]), `${short(100 * (pred[at] / y - 1))} %`, place]];
  });
  const head = row(["time (h)", "observed", "forecast", "error", "90 % band"], "th");
  part("score").innerHTML = rows.length ? head + rows.map((cells) => row(cells)).join("") : "";
}

function tellCommand() {
  const { file, own, edited, answer: { question } } = state;
  const quote = (text) => (/^[\w.-]+$/.test(text) ? text : `'${text}'`);
  const common = `${quote(file)} --target ${quote(own.id)} --observed ${$("shown").value}`;
  const samples = `--samples ${question.number}`;
  part("command").textContent = edited
    ? `agmpk whatif ${common} ${samples} --plans plans.csv --until ${$("horizon").value} --out whatif.csv`
    : `agmpk forecast ${common} ${samples} --out forecast.csv`;
  const out = unticked();
  const left = out.length ? `Left out: ${out.join(", ")} (remove their rows from the table).\n` : "";
  part("plans").textContent = left + (edited ? `plans.csv:\n${plansTable(question.future)}` : "");
}

// ------------------------------------------------------------------------------------- the address

const KEPT = ["target", "shown", "horizon", "number", "low", "high", "doses"];

/** Write the settings into the page's address, so that it can be sent to somebody; never data: the
 *  address of a table of the reader's own holds nothing. */
function keep() {
  const settings = new URLSearchParams(state.example ? { example: state.example } : {});
  for (const name of state.example ? KEPT : [])
    if ($(name).value && (name !== "doses" || state.edited)) settings.set(name, $(name).value);
  for (const id of state.example ? unticked() : []) settings.append("without", id);
  history.replaceState(null, "", `#${settings}`);
}

/** Set the controls as an address says that `keep` wrote. */
function restore(settings) {
  if (!examples.includes(settings.get("example"))) return;
  const known = [...$("target").options].some(({ value }) => value === settings.get("target"));
  if (known) $("target").value = settings.get("target");
  chooseTarget();
  for (const name of KEPT) if (settings.has(name) && name !== "target") $(name).value = settings.get(name);
  state.edited = settings.has("doses");
  const out = settings.getAll("without");
  for (const box of part("people").querySelectorAll("input")) box.checked = !out.includes(box.value);
  refresh();
}

// --------------------------------------------------------------------------------- virtual people

function cohort() {
  const { study } = state, asks = cohortQuestions(study, Number($("virtual").value));
  say("Drawing virtual people ...");
  const use = (answers, seconds) => {
    const curves = answers.flatMap((answer) => answer.curves);
    state.cohort = { study, times: asks[0].times, curves };
    say(`${curves.length} virtual people in ${seconds.toFixed(1)} s.`);
    drawCohort();
  };
  ask({ kind: "cohort", study, asks, use, fail });
}

function drawCohort() {
  if (!state.cohort) return;
  const { study, times, curves } = state.cohort;
  const title = `${study.name}: ${curves.length} virtual people beside the study`;
  const alt = `${title}; band: 5 to 95 % of virtual people, thick line their median, thin lines 5, `
    + "50 and 95 % of the study.";
  const axes = { x: "time since the first dose (h)", y: `concentration (${study.units.concentration})` };
  show("cohort", { title, alt, parts: checkParts(study, times, curves), ...axes });
}

// -------------------------------------------------------------------------------------- downloads

async function load(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`The file ${name} of this page is missing; build the book again.`);
  return answer;
}

function save(name, text, type) {
  const href = URL.createObjectURL(new Blob([text], { type }));
  Object.assign(document.createElement("a"), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}

async function saveTable(name, header, rows) {
  const { model, digest } = await (await load("model.json")).json();
  const notice = `# ${model} ${digest}; research result, no basis for dosing`;
  const cell = (x) => (/[",\s]/.test(x) ? `"${x.replaceAll('"', '""')}"` : x);
  save(name, [notice, header, ...rows.map((one) => one.map(cell).join(",")), ""].join("\n"), "text/csv");
}

function saveForecast() {
  if (!state.answer) return;
  const { times, pred, bands, naive } = state.answer;
  const rows = times.map((t, k) => [state.own.id, t, pred[k], ...bands.map((band) => band[k]), naive[k]]);
  saveTable("forecast.csv", "ID,TIME,PRED,Q05,Q25,Q50,Q75,Q95,NAIVE", rows);
}

function saveCohort() {
  if (!state.cohort) return;
  const { times, curves } = state.cohort;
  const rows = curves.flatMap((values, n) => values.map((y, k) => [`V${n + 1}`, times[k], y]));
  saveTable("cohort.csv", "ID,TIME,DV", rows);
}

function saveFigure(place) {
  const svg = part(place).querySelector("svg");
  if (svg) save(`${place}.svg`, svg.outerHTML, "image/svg+xml");
}

// -------------------------------------------------------------------------------------- the start

async function takeFile(file) {
  if (file) take(await file.text(), file.name);
}

async function takeExample() {
  const name = $("example").value;
  take(await (await load(`${name}.csv`)).text(), `${name}.csv`, name);
}

function later(use) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(use, 250);
  };
}

function redraw() {
  draw();
  drawCohort();
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
$("doses").oninput = () => {
  state.edited = true;
};
for (const name of ["shown", "horizon", "number", "doses", "low", "high"])
  $(name).addEventListener("input", later(refresh));
part("people").addEventListener("input", later(refresh));
page.addEventListener("input", () => {
  state.touched = true;
});
$("undo").onclick = () => {
  state.edited = false;
  refresh();
};
$("reveal").onchange = draw;
$("log").onchange = redraw;
addEventListener("resize", later(redraw));
$("draw-cohort").onclick = cohort;
$("save-forecast").onclick = saveForecast;
$("save-cohort").onclick = saveCohort;
$("save-figure").onclick = () => saveFigure("figure");
$("save-vpc").onclick = () => saveFigure("cohort");

const law = await (await load("familiar.json")).json();
const examples = await (await load("examples.json")).json();
$("example").replaceChildren(...examples.map((name) => new Option(name, name)));
document.getElementById("agmpk-try-off").remove();
page.hidden = false;
const settings = new URLSearchParams(location.hash.slice(1));
if (examples.includes(settings.get("example"))) $("example").value = settings.get("example");
await takeExample();
restore(settings);
