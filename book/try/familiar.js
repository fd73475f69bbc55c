// Whether the prior draws studies like this: the statistics of
// agmpk/evaluation/study_statistics.py and the law of agmpk/evaluation/familiar.py, which the build
// writes to familiar.json.

const KG = 70, BINS = 12, UNIQUE = 24, PROMINENT = 0.25, CUT = 4;
const MASS = { k: 1e6, "": 1e3, m: 1, u: 1e-3, mc: 1e-3, "µ": 1e-3, "μ": 1e-3, n: 1e-6, p: 1e-9 };
const VOLUME = { "": 1, d: 0.1, c: 0.01, m: 1e-3, u: 1e-6, "µ": 1e-6, "μ": 1e-6, mc: 1e-6 };

const sum = (values) => values.reduce((total, x) => total + x, 0);
const mean = (values) => sum(values) / values.length;
const finite = (values) => values.filter(Number.isFinite);
const log = (x) => Math.log(Math.max(x, 1e-3));
const lowest = (values) => Math.min(...values);
const highest = (values) => Math.max(...values);
const diff = (values) => values.slice(1).map((x, k) => x - values[k]);

/** The linear quantile of numpy. */
function linear(values, level) {
  const sorted = [...values].sort((a, b) => a - b), place = level * (sorted.length - 1);
  const low = Math.floor(place), high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}

function median(values) {
  const known = finite(values);
  return known.length ? linear(known, 0.5) : NaN;
}

function sd(values) {
  const known = finite(values), middle = mean(known);
  if (known.length < 3) return NaN;
  return Math.sqrt(sum(known.map((x) => (x - middle) ** 2)) / (known.length - 1));
}

/** Number of sorted values below x, or up to it. */
function rank(sorted, x, including) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < x || (including && sorted[middle] === x)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Linear interpolation, constant beyond the ends. */
function interpolate(x, at, values) {
  const k = rank(at, x, true);
  if (k === 0) return values[0];
  if (k === at.length) return values.at(-1);
  return values[k - 1] + ((x - at[k - 1]) / (at[k] - at[k - 1])) * (values[k] - values[k - 1]);
}

// ------------------------------------------------------------------------------------- statistics

/** Quantified samples after the first dose: time, time since the last dose and its number, ln of
 *  the concentration per amount of that dose. */
function person(one) {
  const found = { time: [], since: [], number: [], y: [], counted: 0, censored: 0, doses: one.doses };
  one.times.forEach((time, k) => {
    const number = rank(one.doses.map((dose) => dose.time), time, false) - 1;
    if (number < 0) return;
    found.counted++;
    if (one.below[k]) found.censored++;
    if (one.below[k] || !(one.values[k] > 0)) return;
    found.time.push(time);
    found.since.push(time - one.doses[number].time);
    found.number.push(number);
    found.y.push(Math.log(one.values[k] / one.doses[number].amount));
  });
  return found;
}

/** Times since dose and values of the dosing interval with most samples (the last such). */
function longestStretch({ number, since, y }) {
  const counts = new Map();
  for (const n of number) counts.set(n, (counts.get(n) ?? 0) + 1);
  const most = highest([...counts.values()]);
  const best = highest([...counts.keys()].filter((n) => counts.get(n) === most));
  const keep = (_, k) => number[k] === best;
  return { t: since.filter(keep), y: y.filter(keep) };
}

/** ln of the factor that brings concentration per dose to 1/L; NaN if there is none. */
function perLitre({ concentration, dose }) {
  const [, mass, volume] = concentration.match(/^(\D{0,2})g\/(\D{0,2})[lL]$/) ?? [];
  const [, amount, weight] = dose.match(/^(\D{0,2})g(\/kg)?$/) ?? [];
  return Math.log(MASS[mass] / VOLUME[volume] / (MASS[amount] * (weight ? KG : 1)));
}

/** How far a value lies below the highest before and the highest after it, at most. */
const dip = (y) => highest(y.map((x, k) =>
  Math.min(highest(y.slice(0, k + 1)), highest(y.slice(k))) - x));

/** Number of maxima that stand PROMINENT above what lies between them. */
function peaks(y) {
  let count = 0, low = y[0], high = y[0], rising = true;
  for (const value of y.slice(1)) {
    if (rising) {
      high = Math.max(high, value);
      if (value < high - PROMINENT) [count, rising, low] = [count + 1, false, value];
    } else {
      low = Math.min(low, value);
      if (value > low + PROMINENT) [rising, high] = [true, value];
    }
  }
  return count + Number(rising);
}

/** Statistics of a log-curve of at least three samples after one dose. */
function curve({ t, y }, single) {
  const top = y.indexOf(highest(y)), steps = diff(t).map((step) => Math.max(step, 1e-3));
  const slopes = diff(y).map((rise, k) => rise / steps[k]), falling = slopes.slice(top);
  const x = t.slice(-3).map((one) => one - mean(t.slice(-3)));
  const fall = -sum(x.map((one, k) => one * y.slice(-3)[k])) / sum(x.map((one) => one * one));
  const slope = falling.length >= 2 ? fall : NaN;
  const trapezoids = diff(t).map((step, k) => (step * (Math.exp(y[k]) + Math.exp(y[k + 1]))) / 2);
  const area = single && y.length >= 5 ? sum(trapezoids) : NaN;
  const steepest = Math.max(1e-9, ...falling.map(Math.abs));
  return {
    clearance: area > 0 ? -Math.log(area) : NaN,
    peak_time: log(t[top]),
    slope: slope > 0 ? Math.log(slope) : NaN,
    fall: y[top] - y.at(-1),
    tail: Number(y.at(-1) > y.at(-2)),
    rise: y[top] - y[0],
    peak_place: top / (y.length - 1),
    dips: dip(y),
    asymmetry: Math.log(Math.max(highest(slopes), 1e-3) / Math.max(-lowest(slopes), 1e-3)),
    bend: falling.length > 1 ? (falling.at(-1) - falling[0]) / steepest : NaN,
    early: mean(t.map((one) => Number(one - t[0] <= (t.at(-1) - t[0]) / 3))),
    peaks: peaks(y),
  };
}

/** How far samples leave the line between their neighbours, less what the next ones do. */
function bends({ t, y }) {
  if (y.length < 4) return [];
  const found = y.slice(1, -1).map((middle, k) => {
    const a = (t[k + 1] - t[k]) / (t[k + 2] - t[k]);
    return (middle - (1 - a) * y[k] - a * y[k + 2]) / Math.sqrt(1 + a * a + (1 - a) ** 2);
  });
  return diff(found).map((x) => x / Math.SQRT2);
}

/** The mean curve by time since dose, and each person's distance from it, fitted in turn. */
function pool(curves) {
  const who = curves.flatMap(({ y }, n) => y.map(() => n));
  const since = curves.flatMap(({ t }) => t), y = curves.flatMap((one) => one.y);
  const unique = (values) => [...new Set(values)].sort((a, b) => a - b);
  const round = (x) => Math.round(x * 100) / 100;
  let places = unique(since.map(round)), bin = (x) => rank(places, round(x), false);
  if (places.length > UNIQUE) {
    places = unique(Array.from({ length: BINS + 1 }, (_, k) => linear(since, k / BINS)));
    bin = (x) => Math.min(rank(places, x, true) - 1, places.length - 2);
  }
  const used = unique(since.map(bin)), bins = since.map((x) => used.indexOf(bin(x)));
  const average = (values) => used.map((_, b) => mean(values.filter((_, k) => bins[k] === b)));
  const at = average(since);
  const number = curves.map((_, n) => who.filter((one) => one === n).length);
  let levels = curves.map(() => 0), means, residual;
  for (let turn = 0; turn < 4; turn++) {
    means = average(y.map((x, k) => x - levels[who[k]]));
    residual = y.map((x, k) => x - interpolate(since[k], at, means));
    const own = number.map((count, n) => sum(residual.filter((_, k) => who[k] === n)) / (count + 0.2));
    levels = own.map((x) => x - linear(own, 0.5));
  }
  const count = used.map((_, b) => bins.filter((one) => one === b).length);
  return { who, levels, means, count, residual: residual.map((x, k) => x - levels[who[k]]) };
}

function spreads(out, seen, { who, levels, residual }) {
  if (seen.length < 3) return;
  const middle = linear(levels, 0.5), away = levels.map((x) => Math.abs(x - middle));
  out.spread = sd(levels);
  out.outlier = highest(away);
  out.lone = highest(away) / (1.4826 * linear(away, 0.5) + 0.05);
  const square = mean(residual.map((x) => x * x));
  if (residual.length >= 3 * seen.length) out.shape = Math.sqrt(square);
  const doses = seen.map((one) => Math.log(one.doses[0].amount)), usual = mean(doses);
  const width = Math.sqrt(mean(doses.map((x) => (x - usual) ** 2)));
  if (width > 0.1) out.dose_effect = mean(doses.map((x, n) => (x - usual) * levels[n])) / width;
  const number = seen.flatMap((one) => one.number);
  if (new Set(number).size > 1) {
    const x = number.map((n) => Math.log1p(n));
    const own = seen.map((_, n) => mean(x.filter((_, k) => who[k] === n)));
    const inner = x.map((one, k) => one - own[who[k]]), all = sum(inner.map((one) => one * one));
    const rest = residual.map((one, k) => one + levels[who[k]]);
    if (all > 0.5) out.drift = sum(inner.map((one, k) => one * rest[k])) / all;
  }
}

/** The statistics of a study by name, NaN or absent where it says too little. */
export function statistics(study) {
  const out = {}, people = study.people.map(person), seen = people.filter((one) => one.y.length);
  out.oral = study.people.some((one) => one.doses.some((dose) => dose.oral));
  out.repeated = study.people.some((one) => one.doses.length > 1);
  out.rich = seen.length > 0 && linear(seen.map((one) => one.y.length), 0.5) >= 5;
  if (!seen.length) return out;
  const per = perLitre(study.units), stretches = seen.map(longestStretch);
  out.below = sum(people.map((one) => one.censored)) / sum(people.map((one) => one.counted));
  out.level = per + median(seen.map((one) => highest(one.y)));
  const long = stretches.map((one, n) => ({ ...one, n })).filter((one) => one.y.length >= 3);
  const found = long.map((one) => curve(one, seen[one.n].doses.length === 1));
  const all = (name) => found.map((one) => one[name]);
  for (const name of Object.keys(found[0] ?? {}))
    out[name] = (["tail", "peaks", "peak_place"].includes(name) ? mean : median)(all(name));
  out.clearance -= per;
  out.peak_spread = sd(all("peak_time"));
  out.first_time = median(seen.map((one) => log(lowest(one.since))));
  out.last_time = median(seen.map((one) => log(highest(one.since))));
  out.last_spread = sd(seen.map((one) => log(one.time.at(-1))));
  const rough = stretches.flatMap(bends).map(Math.abs);
  if (rough.length >= 10) out.roughness = linear(rough, 0.5) / 0.6745;
  spreads(out, seen, pool(seen.map((one) => ({ t: one.since, y: one.y }))));
  if (long.length >= 2) {
    const { means, count, residual } = pool(long);
    const y = means.filter((_, k) => count[k] >= Math.max(2, 0.3 * long.length));
    if (y.length >= 4) {
      out.dip = dip(y);
      out.dip_lone = out.dip / (0.02 + Math.sqrt(mean(residual.map((x) => x * x)) / long.length));
    }
  }
  return out;
}

// -------------------------------------------------------------------------------------- the law

/** A number to two digits as Python writes it (.2g). */
function general(x) {
  const [digits, power] = x.toExponential(1).split("e").map(Number);
  if (power >= -4 && power < 2) return String(Number(x.toPrecision(2)));
  return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

function written(value, { unit, scale }) {
  if (!Number.isFinite(value)) return "unknown";
  if (scale === "share") return `${Math.round(100 * value)} %`;
  return `${general(scale === "log" ? Math.exp(value) : value)} ${unit}`.trim();
}

/** {p, sentence}: how a study lies among those that the prior draws; `law` is familiar.json. */
export function familiarity(study, law) {
  const found = statistics(study);
  const kind = law.kinds[Number(found.oral) + 2 * Number(found.repeated) + 4 * Number(found.rich)];
  const z = law.statistics.map(({ name, at, z: scores, slopes }, j) => {
    const away = (found[name] ?? NaN) - (kind.middle[j] ?? NaN);
    const x = away / (away < 0 ? kind.below[j] : kind.above[j]);
    if (!Number.isFinite(x)) return 0;
    const outside = Math.max(x - at.at(-1), 0) * slopes[1] - Math.max(at[0] - x, 0) * slopes[0];
    return interpolate(x, at, scores) + outside;
  });
  const cut = z.map((x) => Math.min(Math.max(x, -CUT), CUT));
  const dot = (a, b) => sum(a.map((x, k) => x * b[k]));
  const along = law.directions.map((row) => dot(row, cut));
  const joint = dot(cut, law.inverse.map((row) => dot(row, cut)));
  const distances = [highest(z.map(Math.abs)), joint, Math.max(0, ...along)];
  const places = distances.map((x, k) => rank(law.far[k], x, false));
  const smaller = 1 - highest(places) / law.far[0].length;
  const p = (rank(law.unusual, smaller + 1e-12, true) + 1) / (law.unusual.length + 1);
  const shown = general(p), begin = `The study of ${study.name} lies`;
  if (p >= law.alarm) return { p, sentence: `${begin} within what the prior draws (p = ${shown}).` };
  const j = z.map(Math.abs).indexOf(highest(z.map(Math.abs))), one = law.statistics[j];
  const [value, low, high] = [found[one.name], kind.low[j], kind.high[j]].map((x) => written(x, one));
  const mistake = law.mistakes[along.indexOf(highest(along))];
  // No mistake of units or doses makes curves smoother or rougher.
  const like = one.name === "roughness" ? "" : `, most like ${mistake}`;
  return { p, sentence: `${begin} outside of what the prior draws (p = ${shown}): ${one.meaning} is `
    + `${value} where simulated studies of its kind have ${low} to ${high}${like}; `
    + "check units, doses and times before using the forecast." };
}
