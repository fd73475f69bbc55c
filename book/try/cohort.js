// Virtual people of a study, and their visual predictive check.

import { fan, quantiles } from "./summary.js";
import { usable } from "./task.js";

const MOST_DONORS = 12, MOST_BINS = 12, FEWEST = 5;
const LEVELS = [0.05, 0.5, 0.95];
const NOBODY = { id: "virtual", person: "virtual", times: [], values: [], below: [] };

const clock = (one) => one.times.map((t) => t - one.doses[0].time);
const sampled = (study) => study.people.map(usable).filter((one) => one.times.length);

/** The times since the first dose at which the study was sampled, or as many of them as fit. */
function binsOf(people) {
  const all = people.flatMap(clock).sort((a, b) => a - b);
  const distinct = [...new Set(all)];
  if (distinct.length <= MOST_BINS) return distinct;
  const places = Array.from({ length: MOST_BINS }, (_, k) => (k + 0.5) / MOST_BINS);
  return [...new Set(places.map((place) => all[Math.floor(place * all.length)]))];
}

/** Questions about somebody new with the doses of some of the study's, `total` people in all. */
export function cohortQuestions(study, total) {
  const people = sampled(study), times = binsOf(people);
  const every = Math.ceil(people.length / MOST_DONORS);
  const donors = people.filter((_, k) => k % every === 0), counts = new Map();
  for (const { doses } of donors) {
    const own = JSON.stringify(doses.map((dose) => ({ ...dose, time: dose.time - doses[0].time })));
    counts.set(own, (counts.get(own) ?? 0) + 1);
  }
  return [...counts].map(([doses, count], seed) => ({
    context: study.people,
    prefix: { ...NOBODY, doses: JSON.parse(doses) },
    times,
    number: Math.max(2, Math.round((total * count) / donors.length)),
    seed,
  }));
}

/** Parts of the chart: percentiles of the virtual people's `curves` at `times`, and the study's. */
export function checkParts(study, times, curves) {
  const samples = sampled(study).flatMap((one) =>
    clock(one).map((t, k) => ({ t, value: one.values[k], below: one.below[k] })));
  const edges = times.map((t, k) => (k + 1 < times.length ? (t + times[k + 1]) / 2 : Infinity));
  const groups = times.map((_, k) => samples
    .filter(({ t }) => t <= edges[k] && t > (edges[k - 1] ?? -Infinity)).map(({ value }) => value));
  const kept = times.map((_, k) => k).filter((k) => groups[k].length >= FEWEST);
  const observed = kept.map((k) => quantiles(groups[k], LEVELS));
  const [low, middle, high] = fan(curves, LEVELS);
  const pick = (key) => samples.map((one) => one[key]);
  return [
    { kind: "points", cls: "other", times: pick("t"), values: pick("value"), below: pick("below") },
    { kind: "band", cls: "", times, low, high },
    { kind: "line", cls: "flow", times, values: middle },
    ...LEVELS.map((_, j) => ({
      kind: "line", cls: "observed", times: kept.map((k) => times[k]), values: observed.map((q) => q[j]),
    })),
  ];
}
