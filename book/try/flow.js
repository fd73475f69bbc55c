// The flow as two ONNX graphs (agmpk/models/export.py), and between them the correlation of the
// numbers that curves start from (agmpk/models/transport.py).

const JITTER = 1e-4;
// The standard normal quantiles at 5, 25, 50, 75 and 95 %.
const NORMAL_LEVELS = [
  -1.6448536269514722, -0.6744897501960817, 0, 0.6744897501960817, 1.6448536269514722,
];

/** The lower Cholesky factor of a symmetric matrix (rows of numbers); pivots are kept positive. */
export function cholesky(matrix) {
  const n = matrix.length;
  const root = matrix.map(() => new Float64Array(n));
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i][j];
      for (let k = 0; k < j; k++) sum -= root[i][k] * root[j][k];
      root[i][j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / root[j][j];
    }
  return root;
}

/** The factor of the correlation of asked points given `shown` ones, which stand first. */
export function askedFactor([length, level, nugget], place, shown) {
  const u = Array.from(place);
  const covariance = u.map((a, i) => Float64Array.from(u, (b, j) => {
    const d = (Math.abs(a - b) * Math.sqrt(3)) / length;
    const smooth = (1 + d) * Math.exp(-d);
    return level + (1 - level - nugget) * smooth + (i === j ? nugget + JITTER : 0);
  }));
  const root = cholesky(covariance.slice(0, shown).map((row) => row.slice(0, shown)));
  // What the shown points say of each asked one: root half = cross.
  const half = covariance.slice(shown).map((row) => {
    const x = new Float64Array(shown);
    for (let i = 0; i < shown; i++) {
      let sum = row[i];
      for (let k = 0; k < i; k++) sum -= root[i][k] * x[k];
      x[i] = sum / root[i][i];
    }
    return x;
  });
  const dot = (a, b) => a.reduce((sum, x, k) => sum + x * b[k], 0);
  const rest = half.map((a, i) => half.map((b, j) => covariance[shown + i][shown + j] - dot(a, b)));
  const scale = rest.map((row, i) => 1 / Math.sqrt(Math.max(row[i], JITTER)));
  const same = (i, j) => (i === j ? JITTER : 0);
  return cholesky(
    rest.map((row, i) => row.map((x, j) => (x * scale[i] * scale[j] + same(i, j)) / (1 + JITTER))),
  );
}

/** Standard normal numbers; the same seed gives the same ones (mulberry32, Box and Muller). */
export function normals(seed, count) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const out = new Float64Array(count + 1);
  for (let k = 0; k < count; k += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    out[k] = radius * Math.cos(angle);
    out[k + 1] = radius * Math.sin(angle);
  }
  return out.subarray(0, count);
}

export class Flow {
  /** `ort`: ONNX Runtime; `law`, `draw`: bytes of the graphs; `nodes`: of the mean forecast, each with
   * its weight. */
  static async load(ort, law, draw, nodes) {
    const flow = new Flow();
    const options = { executionProviders: ["wasm"] };
    flow.ort = ort;
    flow.nodes = nodes;
    flow.law = await ort.InferenceSession.create(law, options);
    flow.draw = await ort.InferenceSession.create(draw, options);
    return flow;
  }

  /** A question (see task.js) as it is answered, and what is known of each of its points. */
  async know(asked) {
    const known = await this.seen(asked);
    const less = asked.withoutIdleLimits(known.highest.data[0]);
    return less ? [less, await this.seen(less)] : [asked, known];
  }

  async seen(asked) {
    const { Tensor } = this.ort;
    const feeds = {};
    for (const [name, { dims, data, bool }] of Object.entries(asked.arrays))
      feeds[name] = new Tensor(bool ? "bool" : "float64", data, dims);
    return this.law.run(feeds);
  }

  /** Draws of ln y, rows of the asked points, from rows of standard normal numbers. */
  async draws(known, asked, rows) {
    const T = known.place.dims[0];
    const numbers = new Float64Array(rows.length * T);
    rows.forEach((row, s) => numbers.set(row, s * T + asked.shown));
    const w = new this.ort.Tensor("float64", numbers, [rows.length, T]);
    const { prepared, mean, sd, centre, spread } = known;
    const feeds = { prepared, mean, sd, centre, spread, w };
    const { data } = (await this.draw.run(feeds)).logs;
    return rows.map((_, s) => data.slice(s * T + asked.shown, (s + 1) * T));
  }

  /** The law of ln y at each asked time: {mean, bands}, without sampling noise and whatever else is
   *  asked. The flow is an increasing map of one number: quantiles go to quantiles, and the mean is
   *  taken over the nodes of a quadrature. */
  async lawAt(known, asked) {
    const n = asked.times.length;
    const at = [...this.nodes.map(([z]) => z), ...NORMAL_LEVELS];
    const found = await this.draws(known, asked, at.map((z) => new Float64Array(n).fill(z)));
    const mean = found[0].map((_, k) =>
      this.nodes.reduce((sum, [, weight], i) => sum + weight * found[i][k], 0));
    return { mean, bands: found.slice(this.nodes.length) };
  }

  /** Curves that belong together: correlated along time by `white`, rows of normal numbers. */
  async curves(known, asked, white) {
    const root = askedFactor(known.kernel.data, known.place.data, asked.shown);
    const along = (z) =>
      Float64Array.from(root, (row, i) => {
        let sum = 0;
        for (let k = 0; k <= i; k++) sum += row[k] * z[k];
        return sum;
      });
    return this.draws(known, asked, white.map(along));
  }

  /** In concentrations: `number` curves, the mean forecast, its 5, 25, 50, 75 and 95 % levels, the naive one. */
  async forecast(question, number, seed) {
    const [asked, known] = await this.know(question);
    const n = asked.times.length;
    const noise = normals(seed, number * n);
    const white = Array.from({ length: number }, (_, s) => noise.subarray(s * n, (s + 1) * n));
    const { mean, bands } = await this.lawAt(known, asked);
    const exp = (row) => Array.from(row, Math.exp);
    return {
      times: asked.times,
      curves: (await this.curves(known, asked, white)).map(exp),
      pred: exp(mean),
      bands: bands.map(exp),
      naive: exp(known.naive.data.slice(asked.shown)),
    };
  }
}
