// The worker that runs the flow, and the line of questions before it.

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const waiting = new Map(); // of each kind only the latest question
let running = null;

/**
 * Ask the worker: `job` is {kind, study, asks, use(answers, seconds), fail(sentence)}. Of questions
 * of one kind that pile up only the latest is asked, and an answer that is no longer wanted is not
 * used.
 */
export function ask(job) {
  waiting.set(job.kind, job);
  if (!running) next();
}

function next() {
  const [kind] = waiting.keys();
  running = kind ? waiting.get(kind) : null;
  waiting.delete(kind);
  const { study, asks } = running ?? {};
  if (running) worker.postMessage({ study: { name: study.name, lloq: study.lloq }, asks });
}

worker.onmessage = ({ data: { answers, seconds, problem } }) => {
  const { kind, use, fail } = running;
  if (problem) fail(problem);
  else if (!waiting.has(kind)) use(answers, seconds);
  next();
};

worker.onerror = () => running?.fail("The flow cannot run here: the build could not fetch ONNX "
  + "Runtime from npm (say make book again with a network), or this browser knows no WebAssembly.");
