// What is asked: the doses to come, and the times of a forecast.

import { short } from "./plot.js";

const POINTS = 60, LAST_POINTS = 20;

/** A dose as a line of the field of future doses. */
export function line(dose) {
  const way = dose.oral ? "oral" : dose.duration > 0 ? `infusion ${short(dose.duration)}` : "bolus";
  return `${short(dose.time)} ${short(dose.amount)} ${way}`;
}

/** The doses of the field: lines like "24 50 oral", "24 50 bolus", "24 50 infusion 0.5". */
export function readPlan(text, last) {
  const lines = text.split("\n").map((one) => one.trim()).filter(Boolean);
  return lines.map((one) => {
    const [time, amount, way, length] = one.split(/[\s,;]+/);
    const duration = way === "infusion" ? Number(length) : 0;
    const dose = { time: Number(time), amount: Number(amount), oral: way === "oral", duration };
    const known = ["oral", "bolus"].includes(way) || (way === "infusion" && duration > 0);
    if (!Number.isFinite(dose.time) || !(dose.amount > 0) || !known)
      throw new Error(`The dose "${one}" is not understood; write it like 24 50 oral, 24 50 bolus `
        + "or 24 50 infusion 0.5.");
    if (dose.time < last)
      throw new Error(`The dose at ${short(dose.time)} h lies before the last shown sample at `
        + `${short(last)} h; write doses after it, or show fewer samples.`);
    return dose;
  }).sort((a, b) => a.time - b.time);
}

/** The table of plans for `agmpk whatif`. */
export function plansTable(doses) {
  const way = (dose) => (dose.oral ? "oral" : dose.duration ? "iv_infusion" : "iv_bolus");
  const rows = doses.map((d) => `mine,${d.time},${d.amount},${way(d)},${d.duration || "."}`);
  return ["PLAN,TIME,AMT,ROUTE,DUR", ...rows].join("\n");
}

/** Times to ask for between two, dense after each dose, and the `exact` ones. */
export function grid(from, to, doses, exact) {
  const inside = doses.map((dose) => dose.time).filter((t) => t > from && t < to);
  const bounds = [from, ...inside, to];
  const number = Math.min(40, Math.max(2, Math.floor(POINTS / (bounds.length - 1))));
  const times = new Set(exact.filter((t) => t > from && t <= to));
  for (let k = 1; k < bounds.length; k++) {
    const points = k + 1 < bounds.length ? number : Math.max(number, LAST_POINTS);
    const gap = bounds[k] - bounds[k - 1];
    for (let n = 1; n <= points; n++) times.add(bounds[k - 1] + gap * (n / points) ** 2);
  }
  const sorted = [...times].sort((a, b) => a - b);
  const apart = (t, k) => k + 1 === sorted.length || sorted[k + 1] - t > 1e-6 * to;
  return sorted.filter((t, k) => exact.includes(t) || apart(t, k));
}
