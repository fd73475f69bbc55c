// From a study and a question to the arrays of the network (agmpk/models/task.py, and
// agmpk/evaluation/protocol.py for what is shown of a person).

const FARTHEST = 3; // times the longest time after a dose that was ever sampled
const LATE = 1.25; // of that time: what lies later was hardly asked in training
const IDLE = 1; // how far in ln a limit must lie above the highest mean value to say nothing

/** The samples after the first dose that have a value or a limit. */
export function usable(one) {
  const start = one.doses[0].time;
  return select(one, (k) => one.times[k] > start && one.values[k] > 0);
}

function select(one, keep) {
  const part = (values) => values.filter((_, k) => keep(k));
  return { ...one, times: part(one.times), values: part(one.values), below: part(one.below) };
}

/** The first `number` quantified samples, and what is below the limit before the last of them. */
export function shown(one, number) {
  let last = -1;
  for (let k = 0, left = number; k < one.times.length && left > 0; k++)
    if (!one.below[k]) [last, left] = [k, left - 1];
  return select(one, (k) => k <= last);
}

/** Everybody but the person of an individual. */
export const others = (study, target) => study.people.filter((p) => p.person !== target.person);

/** The hours since the last dose before `time` (0 before any). */
export function since(doses, time) {
  let found = 0;
  for (const dose of doses) if (dose.time < time) found = time - dose.time;
  return found;
}

/**
 * The question: how does `prefix` (doses past and planned, samples shown) go on at `times` (h)?
 * Throws an Error with one sentence where the network was never made for it.
 */
export function question(study, context, prefix, times) {
  const people = context.map(usable).filter((one) => one.times.length);
  const quantified = (one) => one.below.some((below) => !below);
  if (!quantified(prefix) && !people.some(quantified))
    throw new Error(`Nothing of ${study.name} was quantified in ${prefix.id} or in anybody else, so `
      + "nothing tells the level of a forecast; show a sample.");
  checkHorizon(study, people, prefix, times);
  return arranged(people, prefix, times, statedLimit(study, [...people, prefix]));
}

/** The question as arrays; `limit`: ln of the study's limit of quantification. */
function arranged(people, prefix, times, limit) {
  const target = {
    ...prefix,
    times: [...prefix.times, ...times],
    values: [...prefix.values, ...times.map(() => 1)],
    below: [...prefix.below, ...times.map(() => false)],
  };
  const D = Math.max(1, ...[...people, target].map((one) => one.doses.length));
  const J = Math.max(1, people.length);
  const K = Math.max(1, ...people.map((one) => one.times.length));
  const T = target.times.length;
  return {
    shown: prefix.times.length,
    times,
    /** The question without samples below a limit far above `highest`, ln of the study's highest
     * mean value: they say nothing. Null where there is none of these. */
    withoutIdleLimits(highest) {
      const idle = (one, k) => one.below[k] && Math.log(one.values[k]) > highest + IDLE;
      const all = [prefix, ...people];
      if (!all.some((one) => one.below.some((_, k) => idle(one, k)))) return null;
      const kept = all.map((one) => select(one, (k) => !idle(one, k)));
      const left = kept.some((one) => one.below.includes(true));
      return arranged(kept.slice(1), kept[0], times, left ? limit : NaN);
    },
    arrays: {
      ...record("context", people, [J, K], [J, D]),
      ...record("target", [target], [T], [D]),
      prefix: marks([T], (k) => k < prefix.times.length),
      limit: { dims: [], data: Float64Array.of(limit) },
    },
  };
}

/** ln of the study's limit of quantification, NaN where there is none. */
function statedLimit(study, people) {
  const limits = study.lloq > 0 ? [study.lloq] : [];
  for (const one of people) limits.push(...one.values.filter((_, k) => one.below[k]));
  // What one sample fell below may be above what another one showed; the study's limit is not.
  const values = people.flatMap((one) => one.values.filter((_, k) => !one.below[k]));
  return limits.length ? Math.log(Math.min(median(limits), ...values)) : NaN;
}

/** How long the others were sampled, and the longest time after a dose that is asked, h. */
function reachOf(people, prefix, times) {
  const longest = (hours) => Math.max(0, ...people.flatMap((one) =>
    one.times.filter((_, k) => !one.below[k]).map((t) => hours(one, t))));
  const seen = Math.max(longest((one, t) => since(one.doses, t)),
    longest((one, t) => t - one.doses[0].time));
  return { seen, asked: Math.max(...times.map((t) => since(prefix.doses, t))) };
}

/** A sentence where times well after the others' last sample are asked, as of agmpk.forecasting. */
export function late(people, prefix, times) {
  const { seen, asked } = reachOf(people.map(usable), prefix, times);
  return !seen || asked <= LATE * seen ? "" : `The others were sampled for ${format(seen)} h and `
    + `${format(asked)} h after a dose are asked, which was rare in training: forecasts of the flow `
    + "were a fifth too high there on average.";
}

function checkHorizon(study, people, prefix, times) {
  const { seen, asked } = reachOf(people, prefix, times);
  if (seen > 0 && asked > FARTHEST * seen)
    throw new Error(`The study of ${study.name} was sampled for ${format(seen)} h, `
      + `and ${format(asked)} h after a dose would extrapolate beyond ${FARTHEST} times that; ask for less.`);
}

const marks = (dims, is) => ({
  dims,
  data: Uint8Array.from({ length: dims[0] }, (_, k) => Number(is(k))),
  bool: true,
});
const format = (x) => String(Number(x.toPrecision(3)));

function median(values) {
  const sorted = [...values].sort((a, b) => a - b),
    half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}

/** One record of people as padded arrays: times from each one's first dose, ln values. */
function record(who, people, samples, doses) {
  const out = {};
  const fill = (name, dims, pick, bool) => {
    const width = dims.at(-1),
      size = dims.reduce((a, b) => a * b, 1);
    const data = bool ? new Uint8Array(size) : new Float64Array(size);
    people.forEach((one, n) => {
      const count = dims === samples ? one.times.length : one.doses.length;
      for (let k = 0; k < count; k++) data[n * width + k] = pick(one, k);
    });
    out[`${who}_${name}`] = { dims, data, bool };
  };
  const start = (one) => one.doses[0].time;
  fill("times", samples, (one, k) => one.times[k] - start(one));
  fill("logs", samples, (one, k) => Math.log(one.values[k]));
  fill("mask", samples, () => 1, true);
  fill("below", samples, (one, k) => Number(one.below[k]), true);
  fill("dose_time", doses, (one, k) => one.doses[k].time - start(one));
  fill("dose_amount", doses, (one, k) => one.doses[k].amount);
  fill("dose_duration", doses, (one, k) => one.doses[k].duration);
  fill("dose_oral", doses, (one, k) => Number(one.doses[k].oral), true);
  fill("dosed", doses, () => 1, true);
  return out;
}
