// What is said of drawn curves: quantiles, exposure, a cohort's percentiles.

/** Quantile of sorted values at Weibull's plotting position, as numpy's method "weibull". */
export function quantile(sorted, level) {
  const place = Math.min(Math.max(level * (sorted.length + 1) - 1, 0), sorted.length - 1);
  const low = Math.floor(place), high = Math.min(low + 1, sorted.length - 1);
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
export function smoothed(times, curves, width = 2.5) {
  const logs = curves.map((row) => row.map(Math.log)), T = times.length;
  const mean = times.map((_, k) => logs.reduce((sum, row) => sum + row[k], 0) / logs.length);
  const smoother = times.map((t, j) => {
    const weight = times.map((_, k) => Math.exp(-0.5 * ((k - j) / width) ** 2));
    const [s0, s1, s2] = [0, 1, 2].map((n) => weight.reduce((sum, w, k) => sum + w * (times[k] - t) ** n, 0));
    return weight.map((w, k) => (T > 1 ? (w * (s2 - s1 * (times[k] - t))) / (s0 * s2 - s1 ** 2) : 1));
  });
  return logs.map((row) => smoother.map((weights, j) =>
    Math.exp(mean[j] + weights.reduce((sum, w, k) => sum + w * (row[k] - mean[k]), 0))));
}

/** Cmax, AUC (trapezoids), and the last value of each curve over its times: median and 90 %. */
export function exposure(times, curves, from) {
  const keep = times.map((_, k) => k).filter((k) => times[k] > from);
  const found = smoothed(times, curves).map((row) => {
    let area = keep.length ? row[keep[0]] * (times[keep[0]] - from) : 0;
    for (let k = 1; k < keep.length; k++)
      area += ((row[keep[k]] + row[keep[k - 1]]) / 2) * (times[keep[k]] - times[keep[k - 1]]);
    return { Cmax: Math.max(...keep.map((k) => row[k])), AUC: area, last: row[keep.at(-1)] };
  });
  const levels = [0.5, 0.05, 0.95];
  return Object.fromEntries(["Cmax", "AUC", "last"].map((name) => [name, quantiles(found.map((one) => one[name]), levels)]));
}
