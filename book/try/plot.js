// Small line charts as SVG. Colours are variables of the page with fallbacks, so that a downloaded
// figure looks as on a light page.

const HEIGHT = 380, LEFT = 62, RIGHT = 14, TOP = 26, BOTTOM = 46;
const STYLE = `text{font:13px sans-serif;fill:var(--try-text,#222)}.grid{stroke:var(--try-grid,#ddd)}
.line{fill:none;stroke-width:2}.flow{stroke:var(--try-flow,#0072b2)}.naive{stroke:var(--try-naive,#b4530a);stroke-dasharray:6 4}
.band{fill:var(--try-flow,#0072b2);opacity:.18;stroke:none}.inner{opacity:.3}
.other{fill:none;stroke:var(--try-other,#999);stroke-width:1;opacity:.5}
.shown{fill:var(--try-text,#222)}.hidden{fill:var(--try-paper,#fff);stroke:var(--try-text,#222);stroke-width:1.5}
.dose{stroke:var(--try-text,#222);stroke-width:2}.observed{fill:none;stroke:var(--try-text,#222);stroke-width:1.5}`;

const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
export const short = (x) => (Math.abs(x) >= 1e5 || (x && Math.abs(x) < 1e-3) ? x.toExponential(1) : String(Number(x.toPrecision(3))));

function ticks(low, high, log, most = 6) {
  if (log) {
    const decades = Math.log10(high / low), each = decades > 3 ? [1] : decades > 1.2 ? [1, 3] : [1, 2, 3, 5, 7];
    const out = [];
    for (let p = Math.floor(Math.log10(low)); p <= Math.log10(high); p++) out.push(...each.map((k) => k * 10 ** p));
    return out.filter((v) => v >= low && v <= high);
  }
  const step = 10 ** Math.floor(Math.log10((high - low) / most));
  const wide = [1, 2, 5, 10, 20].map((k) => k * step).find((one) => (high - low) / one <= most);
  const out = [];
  for (let x = Math.ceil(low / wide) * wide; x <= high + 1e-9 * wide; x += wide) out.push(x);
  return out;
}

/**
 * A chart as the text of an SVG, `width` wide (its letters have the size of the page's).
 *
 * parts: in order of drawing, {kind: "band", cls, times, low, high} | {kind: "line", cls, times,
 * values} | {kind: "points", cls, times, values, below} | {kind: "doses", times}.
 */
export function chart({ title, alt, parts, x, y, log, width }) {
  const WIDTH = Math.min(680, Math.max(320, width));
  const xs = parts.flatMap((part) => part.times).concat(0);
  const ys = parts.flatMap((part) => [...(part.values ?? []), ...(part.low ?? []), ...(part.high ?? [])]).filter((v) => v > 0);
  const right = Math.max(...xs, 1e-9) * 1.02, left = Math.min(...xs);
  // On the logarithmic scale the lowest part of a fan may be cut: four decades are enough.
  const high = Math.max(...ys, 1e-12) * (log ? 1.3 : 1.05);
  const low = log ? Math.max(Math.min(...ys), high / 1e4) / 1.3 : 0;
  const px = (t) => LEFT + ((t - left) / (right - left)) * (WIDTH - LEFT - RIGHT);
  const scale = (v) => (log ? Math.log(Math.max(v, low) / low) / Math.log(high / low) : v / high);
  const py = (v) => HEIGHT - BOTTOM - scale(v) * (HEIGHT - TOP - BOTTOM);
  const at = (t, v) => `${px(t).toFixed(1)},${py(v).toFixed(1)}`;
  const path = (times, values) => times.map((t, k) => at(t, values[k])).join(" ");
  const draw = {
    band: (p) => `<polygon class="band ${p.cls}" points="${path(p.times, p.low)} ${path([...p.times].reverse(), [...p.high].reverse())}"/>`,
    line: (p) => `<polyline class="line ${p.cls}" points="${path(p.times, p.values)}"/>`,
    points: (p) => p.times.map((t, k) => (p.below?.[k]
      ? `<path class="${p.cls}" d="M${at(t, p.values[k])}m-5-4h10l-5 8z"><title>below ${short(p.values[k])} at ${short(t)} h</title></path>`
      : `<circle class="${p.cls}" cx="${px(t).toFixed(1)}" cy="${py(p.values[k]).toFixed(1)}" r="4"><title>${short(p.values[k])} at ${short(t)} h</title></circle>`)).join(""),
    doses: (p) => p.times.map((t) => `<path class="dose" d="M${px(t).toFixed(1)},${HEIGHT - BOTTOM}v-9"/>`).join(""),
  };
  const bottom = HEIGHT - BOTTOM;
  const across = ticks(left, right, false, WIDTH / 90).map((t) => `<path class="grid" d="M${px(t)},${TOP}V${bottom}"/><text x="${px(t)}" y="${bottom + 18}" text-anchor="middle">${short(t)}</text>`);
  const up = ticks(low, high, log).map((v) => `<path class="grid" d="M${LEFT},${py(v)}H${WIDTH - RIGHT}"/><text x="${LEFT - 6}" y="${py(v) + 4}" text-anchor="end">${short(v)}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(alt)}">
<style>${STYLE}</style>${across.join("")}${up.join("")}
${parts.map((part) => draw[part.kind](part)).join("\n")}
<text x="${LEFT}" y="16">${escape(title)}</text>
<text x="${(LEFT + WIDTH) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escape(x)}</text>
<text transform="translate(14 ${(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">${escape(y)}</text>
</svg>`;
}
