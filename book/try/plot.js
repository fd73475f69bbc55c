// Small line charts as SVG. Colours are variables of the page with fallbacks, so that a downloaded
// figure looks as on a light page.

const HEIGHT = 380, LEFT = 62, RIGHT = 14, TOP = 26, BOTTOM = 46;
const DECADES = 4; // of a logarithmic axis at most: the lowest part of a fan may be cut
const STYLE = `
text{font:13px sans-serif;fill:var(--try-text,#222)}
.grid{stroke:var(--try-grid,#ddd)}
.line{fill:none;stroke-width:2}
.flow{stroke:var(--try-flow,#0072b2)}
.naive{stroke:var(--try-naive,#b4530a);stroke-dasharray:6 4}
.band{fill:var(--try-flow,#0072b2);opacity:.18}
.inner{opacity:.3}
.window{fill:var(--try-text,#222);opacity:.08}
.other{fill:none;stroke:var(--try-other,#999);stroke-width:1;opacity:.5}
.shown{fill:var(--try-text,#222)}
.hidden{fill:var(--try-paper,#fff);stroke:var(--try-text,#222);stroke-width:1.5}
.dose{stroke:var(--try-text,#222);stroke-width:2}
.observed{fill:none;stroke:var(--try-text,#222);stroke-width:1.5}`;
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ENTITIES[c]);

/** A number to three digits. */
export function short(x) {
  const odd = Math.abs(x) >= 1e5 || (x !== 0 && Math.abs(x) < 1e-3);
  return odd ? x.toExponential(1) : String(Number(x.toPrecision(3)));
}

function linearTicks(low, high, most) {
  const step = 10 ** Math.floor(Math.log10((high - low) / most));
  const wide = [1, 2, 5, 10, 20].map((k) => k * step).find((one) => (high - low) / one <= most);
  const out = [];
  for (let x = Math.ceil(low / wide) * wide; x <= high + 1e-9 * wide; x += wide) out.push(x);
  return out;
}

function logTicks(low, high) {
  const decades = Math.log10(high / low);
  const each = decades > 3 ? [1] : decades > 1.2 ? [1, 3] : [1, 2, 3, 5, 7];
  const out = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.log10(high); p++)
    out.push(...each.map((k) => k * 10 ** p));
  return out.filter((v) => v >= low && v <= high);
}

/**
 * A chart as the text of an SVG, `width` wide (its letters have the size of the page's).
 *
 * parts: in order of drawing, {kind: "band", cls, times, low, high} | {kind: "line", cls, times,
 * values} | {kind: "points", cls, times, values, below} | {kind: "doses", times}.
 */
export function chart({ title, alt, parts, x, y, log, width }) {
  const WIDTH = Math.min(680, Math.max(320, width)), bottom = HEIGHT - BOTTOM;
  const all = (...keys) => parts.flatMap((part) => keys.flatMap((key) => part[key] ?? []));
  const positive = all("values", "low", "high").filter((v) => v > 0);
  const left = Math.min(0, ...all("times")), right = Math.max(1e-9, ...all("times")) * 1.02;
  const high = Math.max(1e-12, ...positive) * (log ? 1.3 : 1.05);
  const low = log ? Math.max(Math.min(...positive), high / 10 ** DECADES) / 1.3 : 0;

  const height = (v) => (log ? Math.log(Math.max(v, low) / low) / Math.log(high / low) : v / high);
  const px = (t) => (LEFT + ((t - left) / (right - left)) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const py = (v) => (bottom - height(v) * (bottom - TOP)).toFixed(1);
  const path = (times, values) => times.map((t, k) => `${px(t)},${py(values[k])}`).join(" ");
  const point = (cls, t, v, below) => {
    const shape = below ? `path d="M${px(t)},${py(v)}m-5-4h10l-5 8z"` : `circle cx="${px(t)}" cy="${py(v)}" r="4"`;
    const said = `${below ? "below " : ""}${short(v)} at ${short(t)} h`;
    return `<${shape} class="${cls}"><title>${said}</title></${below ? "path" : "circle"}>`;
  };
  const draw = {
    band: ({ cls, times, low: lower, high: upper }) => {
      const back = path([...times].reverse(), [...upper].reverse());
      return `<polygon class="band ${cls}" points="${path(times, lower)} ${back}"/>`;
    },
    line: ({ cls, times, values }) =>
      `<polyline class="line ${cls}" points="${path(times, values)}"/>`,
    points: ({ cls, times, values, below }) =>
      times.map((t, k) => point(cls, t, values[k], below?.[k])).join(""),
    doses: ({ times }) =>
      times.map((t) => `<path class="dose" d="M${px(t)},${bottom}v-9"/>`).join(""),
  };
  const text = (where, words, more = "") => `<text ${where} ${more}>${escape(words)}</text>`;
  const middle = 'text-anchor="middle"';
  const across = linearTicks(left, right, WIDTH / 90).map((t) =>
    `<path class="grid" d="M${px(t)},${TOP}V${bottom}"/>`
    + text(`x="${px(t)}" y="${bottom + 18}"`, short(t), middle));
  const up = (log ? logTicks(low, high) : linearTicks(low, high, 6)).map((v) =>
    `<path class="grid" d="M${LEFT},${py(v)}H${WIDTH - RIGHT}"/>`
    + text(`x="${LEFT - 6}" y="${Number(py(v)) + 4}"`, short(v), 'text-anchor="end"'));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img"`,
    `aria-label="${escape(alt)}"><style>${STYLE}</style>`,
    ...across,
    ...up,
    ...parts.map((part) => draw[part.kind](part)),
    text(`x="${LEFT}" y="16"`, title),
    text(`x="${(LEFT + WIDTH) / 2}" y="${HEIGHT - 8}"`, x, middle),
    text(`transform="translate(14 ${(TOP + bottom) / 2}) rotate(-90)"`, y, middle),
    "</svg>",
  ].join("\n");
}
