// The page's own modules in Node: node try_node.mjs FOLDER < cases.json > answers.json

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const folder = pathToFileURL(process.argv[2] + "/");
const module = (name) => import(new URL(name, folder));
const bytes = (name) => readFileSync(new URL(name, folder));
const [ort, { Flow }, { readTable }, { question, others, usable, shown }, { familiarity, statistics }] = await Promise.all(
  ["ort.mjs", "flow.js", "table.js", "task.js", "familiar.js"].map(module),
);
const { tables, broken, cases } = JSON.parse(readFileSync(0, "utf8"));

const studies = Object.fromEntries(
  Object.entries(tables).map(([name, text]) => [name, readTable(text, name)]),
);
const said = broken.map(([name, text]) => {
  try {
    readTable(text, name);
    return "";
  } catch (error) {
    return error.message;
  }
});
const law = JSON.parse(bytes("familiar.json"));
const entries = Object.entries(studies);
const familiar = Object.fromEntries(
  entries.map(([name, study]) => [name, { ...familiarity(study, law), ...statistics(study) }]),
);
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmBinary = bytes("ort.wasm");
const { nodes } = JSON.parse(bytes("model.json"));
const flow = await Flow.load(ort, bytes("law.onnx"), bytes("draw.onnx"), nodes);
const answers = [];
for (const { table, target, number, times, white } of cases) {
  const study = studies[table],
    own = study.people.find((one) => one.id === target);
  const [asked, known] = await flow.know(
    question(study, others(study, own), shown(usable(own), number), times),
  );
  const { mean, bands } = await flow.lawAt(known, asked);
  answers.push({
    mean: Array.from(mean),
    median: Array.from(bands[2]),
    naive: Array.from(known.naive.data.slice(asked.shown)),
    curves: (await flow.curves(known, asked, white)).map((row) => Array.from(row)),
  });
}
const own = studies[cases[0].table].people[0];
const start = performance.now();
await flow.forecast(
  question(
    studies[cases[0].table],
    others(studies[cases[0].table], own),
    shown(usable(own), 1),
    cases[0].times,
  ),
  100,
  0,
);
const seconds = (performance.now() - start) / 1000;
process.stdout.write(JSON.stringify({ studies, familiar, said, answers, seconds }));
