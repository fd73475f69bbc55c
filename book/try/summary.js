// What is said of drawn curves: quantiles, exposure, a cohort's percentiles.

/** Quantile of sorted values at Weibull's plotting position, as numpy's method "weibull". */
export function quantile(sorted, level) {
  const place = Math.min(Math.max(level * (sorted.length + 1) - 1, 0), sorted.length - 1);
  const low = Math.floor(place),
    high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}

/** Quantiles of values, in the order of the levels. */
export function quantiles(values, levels) {
  const sorted = Float64Array.from(values).sort();
  return levels.map((level) => quantile(sorted, level));
}

/** Rows of the fan: for each level its value at each time. */
export function fan(curves, levels) {
  const columns = curves[0].map((_, k) => quantiles(curves.map((row) => row[k]), levels));
  return levels.map((_, j) => columns.map((column) => column[j]));
}

/** Curves without the assay's error: their departures from the mean log-curve are smoothed along
 *  time by lines fitted to neighbouring points, as in agmpk/forecasting/plans.py. */
function smoothed(times, curves, width = 2.5) {
  const sum = (values) => values.reduce((total, x) => total + x, 0);
  const logs = curves.map((row) => row.map(Math.log));
  const mean = times.map((_, k) => sum(logs.map((row) => row[k])) / logs.length);
  const smoother = times.map((t, j) => {
    const weight = times.map((_, k) => Math.exp(-0.5 * ((k - j) / width) ** 2));
    const [s0, s1, s2] = [0, 1, 2].map((n) => sum(weight.map((w, k) => w * (times[k] - t) ** n)));
    const linear = (w, k) => (w * (s2 - s1 * (times[k] - t))) / (s0 * s2 - s1 ** 2);
    return times.length > 1 ? weight.map(linear) : [1];
  });
  return logs.map((row) => smoother.map((weight, j) =>
    Math.exp(mean[j] + sum(weight.map((w, k) => w * (row[k] - mean[k]))))));
}

/** Cmax, AUC and the last value of the curves after `from`: median and 90 % of each. */
export function exposure(times, curves, from) {
  const steps = times.map((t, k) => t - (k ? times[k - 1] : from));
  const found = smoothed(times, curves).map((row) => ({
    Cmax: Math.max(...row),
    AUC: row.reduce((area, y, k) => area + (steps[k] * (y + row[Math.max(0, k - 1)])) / 2, 0),
    last: row.at(-1),
  }));
  const span = (name) => quantiles(found.map((one) => one[name]), [0.5, 0.05, 0.95]);
  return { Cmax: span("Cmax"), AUC: span("AUC"), last: span("last") };
}

/** Shares of the curves whose last value lies in a window, and that stay in it throughout. */
export function inWindow(times, curves, [low, high]) {
  const rows = smoothed(times, curves).map((row) => row.map((y) => y >= low && y <= high));
  const share = (is) => rows.filter(is).length / rows.length;
  return { last: share((row) => row.at(-1)), always: share((row) => row.every(Boolean)) };
}
