// Reads a NONMEM-style table as `agmpk` does (agmpk/studies/nonmem), or refuses it in one sentence.
// What needs a decision of its owner (several analytes, occasions, dates) is left to the command
// line, which has options for it.
//
// A study: {name, units, lloq, people, notes}; an individual: {id, person, times (h), values, below,
// doses}, values at the limit where `below`; a dose: {time (h), amount, oral, duration (h, 0 for a bolus)},
// one by one and in order of time.

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?$/;
const MISSING = new Set(["", ".", "NA"]);
const HOURS = { h: 1, hr: 1, hrs: 1, hour: 1, hours: 1, min: 1 / 60, minute: 1 / 60, minutes: 1 / 60,
  s: 1 / 3600, sec: 1 / 3600, d: 24, day: 24, days: 24, week: 168, weeks: 168 };
const ROUTES = { oral: "oral", po: "oral", "p.o.": "oral", per_os: "oral", peroral: "oral",
  iv: "iv", "i.v.": "iv", intravenous: "iv", iv_bolus: "iv_bolus", bolus: "iv_bolus",
  iv_push: "iv_bolus", iv_infusion: "iv_infusion", infusion: "iv_infusion", iv_inf: "iv_infusion" };
const ALIASES = {
  ID: ["CID"],
  DUR: ["TINF", "DURATION", "INFDUR", "INF_DUR", "DURINF", "INFUSION_DURATION"],
  RATE: ["INFRATE", "INF_RATE", "INFUSION_RATE"],
  CENS: ["BLQ", "BLOQ", "BQL", "BLQFL", "BLOQFL", "BQLFL", "BLQFN", "BLOQFN", "BLQFLAG",
    "BLOQFLAG", "BLQ_FLAG", "BLOQ_FLAG", "LLOQFL", "LLOQFLAG", "ISBLQ", "CENSORED"],
  LLOQ: ["LOQ", "LLQ"],
  ANALYTE: ["DRUG", "DVID", "YTYPE", "DVNAME", "YNAME", "OBSNAME", "OBSID", "PARAMCD", "PARAM",
    "PCTESTCD", "PCTEST", "SPECIES"],
  STUDY: ["STUDYID", "STUDYN", "STUDYNO", "STUDY_ID", "STUD"],
  DATE: ["DAT1", "DAT2", "DAT3"],
  ADDL: ["ADDITIONAL"],
  II: ["TAU"],
};
const NUMERIC = ["TIME", "DV", "AMT", "EVID", "MDV", "RATE", "DUR", "ADDL", "II", "SS", "CENS", "LLOQ"];
const LABELS = ["ID", "PERSON", "ROUTE", "CMT", "ANALYTE", "STUDY", "DATE"];
const FLAGS = { Y: 1, YES: 1, T: 1, TRUE: 1, N: 0, NO: 0, F: 0, FALSE: 0 };
const MOST_DOSES = 2000, STEADY_HOURS = 480;

export class TableError extends Error {}

function refuse(name, row, column, problem, remedy) {
  const where = [name, row && `row ${row}`, column && `column ${column}`].filter(Boolean).join(", ");
  throw new TableError(`${where}: ${problem}; ${remedy}.`);
}

const missing = (text) => MISSING.has(text.trim().toUpperCase());
const toNumber = (text) => (NUMBER.test(text) ? Number(text.replace(/[dD]/, "e")) : NaN);

function fields(line, separator) {
  if (!line.includes('"')) {
    const parts = separator ? line.split(separator) : line.trim().split(/\s+/);
    return parts.map((one) => one.trim());
  }
  const mark = separator === "\t" ? "\\t" : separator ?? "\\s";
  const pattern = new RegExp(`\\s*(?:"((?:[^"]|"")*)"|([^${mark}]*))\\s*(?:${mark}|$)`, "gy");
  const found = [];
  while (pattern.lastIndex < line.length) {
    const one = pattern.exec(line);
    if (!one || !one[0].length) break;
    found.push((one[1]?.replaceAll('""', '"') ?? one[2]).trim());
  }
  if (separator && line.trimEnd().endsWith(separator)) found.push("");
  return found;
}

function layout(text, name) {
  if (text.startsWith("PK\u0003") || text.includes("\0"))
    refuse(name, 0, "", "this is not a text file", "save the table as CSV in UTF-8");
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  const bare = (line) => line.trimStart().replace(/^[#@]+/, "").trimStart();
  const separatorOf = (line) => [";", ",", "\t"].find((mark) => line.includes(mark)) ?? null;
  const namesOf = (line) => fields(bare(line), separatorOf(line)).map((one) => one.toUpperCase());
  const filled = lines.map((_, k) => k).filter((k) => lines[k].trim() && !/^\s*TABLE NO/i.test(lines[k]));
  if (!filled.length) refuse(name, 0, "", "the file is empty", "begin with a header: ID, TIME, DV, AMT");
  const marked = (k) => /^\s*[#@]/.test(lines[k]);
  const order = [...filled.filter((k) => !marked(k)).slice(0, 30), ...filled.filter(marked).slice(0, 30)];
  const named = (k) => { const n = namesOf(lines[k]); return (n.includes("ID") || n.includes("CID")) && n.includes("TIME"); };
  const top = order.find(named) ?? order[0];
  const header = namesOf(lines[top]), separator = separatorOf(lines[top]);
  if (header.some((one) => NUMBER.test(one)))
    refuse(name, top + 1, "", "the file has no header line", "begin with a header: ID, TIME, DV, AMT");
  if (lines.filter((line) => /^\s*TABLE NO/i.test(line)).length > 1)
    refuse(name, 0, "", "the file holds several tables", "keep one of them");
  const settings = {};
  const unitsLine = lines.slice(0, top).find((line) => /^# agmpk units:/i.test(line));
  for (const [, key, quoted, plain] of (unitsLine ?? "").matchAll(/(\w+)=(?:["']([^"']*)["']|(\S+))/g))
    settings[key.toLowerCase()] = quoted ?? plain;
  const rows = [];
  for (let k = top + 1; k < lines.length; k++) {
    const line = lines[k];
    if (!line.trim() || /^\s*[#@]/.test(line) || /^\s*TABLE NO/i.test(line)) continue;
    const cells = fields(line, separator);
    if (cells.every((one) => !one) || cells.join("\t").toUpperCase() === header.join("\t")) continue;
    if (header[0] === "C" && cells[0].toUpperCase() === "C") continue;
    if (header[0] === "CID" && cells[0][0]?.toUpperCase() === "C") continue;
    while (cells.length > header.length && !cells.at(-1)) cells.pop();
    if (cells.length !== header.length)
      refuse(name, k + 1, "", `the row has ${cells.length} fields where the header has ${header.length}`,
        cells.length < header.length ? "write . for a missing value" : "remove the extra ones");
    rows.push({ row: k + 1, cells });
  }
  return { header, rows, settings, comma: separator === ";" || separator === "\t" };
}

function columns(table, name) {
  const places = {};
  for (const column of [...NUMERIC, ...LABELS]) {
    const found = [column, ...(ALIASES[column] ?? [])].find((one) => table.header.includes(one));
    if (found) places[column] = table.header.indexOf(found);
  }
  for (const column of ["ID", "TIME", "DV", "AMT"])
    if (!(column in places))
      refuse(name, 0, column, "the required column is missing", "rename the column that holds it");
  if (!table.rows.length) refuse(name, 0, "", "no row follows the header", "add the records");
  return places;
}

/** The records of the table: numbers (NaN where missing) and labels by column name. */
function records(table, places, name, lloq) {
  const texts = table.rows.flatMap(({ cells }) => NUMERIC.filter((c) => c in places).map((c) => cells[places[c]]));
  const comma = table.comma && texts.some((t) => /^[+-]?\d*,\d+$/.test(t)) && !texts.some((t) => t.includes(".") && NUMBER.test(t));
  return table.rows.map(({ row, cells }) => {
    const record = { row };
    for (const column of LABELS) record[column] = column in places && !missing(cells[places[column]]) ? cells[places[column]] : "";
    for (const column of NUMERIC) {
      let text = column in places ? cells[places[column]] : "";
      if (comma) text = text.replace(",", ".");
      record[column] = toNumber(text);
      if (!Number.isNaN(record[column]) || missing(text)) continue;
      const flag = FLAGS[text.toUpperCase()];
      const below = column === "DV" && /^(<.*|[ab]l[ol]?q|bql|lloq|below.*)$/i.test(text);
      if ((column === "CENS" || column === "MDV") && flag !== undefined) record[column] = flag;
      else if (below && (toNumber(text.replace(/^<\s*/, "")) > 0 || lloq > 0)) {
        record.limit = toNumber(text.replace(/^<\s*/, "")) || lloq;
      } else if (column === "TIME" && /[:\-/]\d/.test(text))
        refuse(name, row, "TIME", `${text} is a time of the day or a date`, "write hours since the first dose as a number");
      else
        refuse(name, row, table.header[places[column]], `${text} is text, not a number`, "write a number, or . where the value is missing");
    }
    if (record.limit) Object.assign(record, { LLOQ: record.limit, CENS: 1 });
    if (!record.ID) refuse(name, row, "ID", "the value is missing", "give every row one");
    if (Number.isNaN(record.TIME)) refuse(name, row, "TIME", "the value is missing", "give every row a TIME");
    return record;
  });
}

const later = "the page takes one; `agmpk forecast` has an option for it";

function check(all, places, name) {
  const fault = (test, column, problem, remedy) => {
    const bad = all.find(test);
    if (bad) refuse(name, bad.row, column, problem(bad), remedy);
  };
  const several = (column, from) => new Set(from.map((r) => r[column]).filter(Boolean)).size > 1;
  const seen = all.filter((r) => r.seen);
  if (several("STUDY", all)) refuse(name, 0, "STUDY", "the table holds several studies", later);
  if (several("ANALYTE", seen)) refuse(name, 0, "ANALYTE", "the table holds several analytes", later);
  if (several("CMT", seen)) refuse(name, 0, "CMT", "observations lie in several compartments", later);
  if ("DATE" in places) for (const id of new Set(all.map((r) => r.ID)))
    if (several("DATE", all.filter((r) => r.ID === id)))
      refuse(name, 0, "DATE", "times are relative to dates", "write hours since the first dose in TIME");
  fault((r) => ![0, 1, 2].includes(r.event), "EVID", (r) => `EVID ${r.event} starts another occasion or is unknown`, "give each occasion its own ID");
  fault((r) => r.event === 0 && r.MDV !== 1 && r.DV < 0, "DV", (r) => `the concentration ${r.DV} is negative`, "correct it, ignore it with MDV 1, or turn logarithms back");
  fault((r) => r.dose && r.MDV !== 1 && r.DV && !Number.isNaN(r.DV), "DV", (r) => `a dose row holds the concentration ${r.DV}`, "put the observation on a row of its own with EVID 0");
  fault((r) => r.event === 0 && r.MDV === 0 && !r.seen, "DV", () => "the observation has no value", "give it, or set MDV to 1");
  fault((r) => r.seen && r.TIME < 0 && r.DV > 0, "TIME", (r) => `the time ${r.TIME} is negative`, "count hours from the first dose");
  fault((r) => r.seen && r.CENS === 1 && !(r.LLOQ > 0) && !(r.DV > 0), "DV", () => "the censored observation has no limit", "write its LLOQ in DV or in a column LLOQ");
  fault((r) => r.seen && r.CENS === 1 && r.DV > r.LLOQ, "DV", (r) => `the censored value ${r.DV} is above its LLOQ`, "set CENS to 0 or correct the LLOQ");
  fault((r) => r.AMT < 0, "AMT", (r) => `the amount ${r.AMT} is negative`, "give a positive one");
  fault((r) => r.dose && !(r.AMT > 0), "AMT", () => "the dose (EVID 1) has no amount", "give a positive AMT");
  fault((r) => r.event === 0 && r.AMT > 0 && !r.again, "AMT", (r) => `an observation (EVID 0) has the amount ${r.AMT}`, "set EVID to 1, or AMT to .");
  fault((r) => r.RATE < 0 && !(r.DUR > 0), "RATE", (r) => `the rate ${r.RATE} is negative`, "give the rate, or the duration in a column DUR");
  fault((r) => r.RATE > 0 && r.DUR > 0 && Math.abs(r.AMT - r.RATE * r.DUR) > 1e-3 * r.AMT, "DUR", (r) => `the duration ${r.DUR} is not AMT / RATE`, "correct or remove one");
  fault((r) => r.ADDL < 0 || r.ADDL % 1 > 0, "ADDL", (r) => `ADDL is ${r.ADDL}`, "give the number of further doses, 0 or more");
  fault((r) => r.dose && (r.ADDL > 0 || r.SS > 0) && !(r.II > 0), "II", () => "repeated doses have no interval", "give the hours between two doses in II");
  fault((r) => r.dose && r.SS && ![1, 2].includes(r.SS), "SS", (r) => `SS ${r.SS} is not supported`, "use 1");
  fault((r) => r.dose && !r.way, "CMT" in places && !("ROUTE" in places) ? "CMT" : "ROUTE", (r) => `the route ${r.ROUTE || r.CMT} is unknown`, "use oral, iv_bolus or iv_infusion in a column ROUTE");
  fault((r) => r.dose && r.way !== "iv_infusion" && r.length > 0, "ROUTE", (r) => `a dose by ${r.way} has a RATE or a duration`, "use iv_infusion, or remove it");
  fault((r) => r.dose && r.way === "iv_infusion" && !(r.length > 0), "ROUTE", () => "the infusion has no duration", "give it in DUR, or its RATE");
}

/** The route of a dose: ROUTE wins over CMT; "" where it cannot be told. */
function way(record, places, observed) {
  let found;
  if (record.ROUTE) found = ROUTES[record.ROUTE.toLowerCase().replace(/[ -]/g, "_")] ?? "";
  else if (record.CMT) {
    const number = toNumber(record.CMT), text = record.CMT.toLowerCase();
    const numbers = [...observed].map(toNumber).filter((x) => !Number.isNaN(x));
    if (observed.has(record.CMT) || numbers.includes(number)) found = "iv";
    else if (["depot", "gut", "abs", "absorption", "gi"].includes(text) || number === 1) found = "oral";
    else if (["cent", "central", "plasma", "blood"].includes(text)) found = "iv";
    else found = number === 2 && !numbers.some((x) => x < number) ? "iv" : "";
  } else found = record.length > 0 ? "iv" : "oral";
  return found === "iv" ? (record.length > 0 ? "iv_infusion" : "iv_bolus") : found;
}

function meaning(all, places, lloq) {
  const flagged = "CENS" in places, observed = new Set();
  let last = {};
  for (const r of all) {
    if (lloq > 0 && !(r.LLOQ > 0) && (!flagged || (r.CENS === 1 && !(r.DV > 0)))) r.LLOQ = lloq;
    r.event = Number.isNaN(r.EVID) ? Number(r.AMT > 0) : r.EVID;
    r.dose = r.event === 1;
    const observable = r.event === 0 && r.MDV !== 1;
    if (!flagged && observable && r.DV < r.LLOQ) r.CENS = 1;
    r.seen = observable && (!Number.isNaN(r.DV) || r.CENS === 1);
    if (r.seen && r.TIME < 0 && (r.DV === 0 || r.CENS === 1)) [r.seen, r.event] = [false, 2];
    if (r.seen && r.CMT) observed.add(r.CMT);
    r.length = r.dose ? (r.RATE > 0 ? r.AMT / r.RATE : r.DUR > 0 ? r.DUR : 0) : 0;
    r.again = "EVID" in places && last.ID === r.ID && last.AMT === r.AMT;
    if (r.dose) last = r;
  }
  for (const r of all) if (r.dose) r.way = way(r, places, observed);
}

/** The single doses of a person's dose records, steady states written out. */
export function expand(rows, hours, firstSample, name) {
  const doses = [];
  let before = -Infinity;
  for (const r of rows) {
    let time = r.TIME * hours, more = r.ADDL > 0 ? r.ADDL : 0;
    const start = time, interval = r.II > 0 ? r.II * hours : 0;
    if (r.SS === 1 || r.SS === 2) {
      const earlier = Math.max(before, firstSample < time ? firstSample : -Infinity);
      let back = Math.min(50, Math.max(10, Math.ceil(STEADY_HOURS / interval)));
      if (earlier > -Infinity) back = Math.max(0, Math.min(back, Math.ceil((time - earlier) / interval - 1e-9) - 1));
      time -= back * interval;
      more += back;
    }
    if (doses.length + more > MOST_DOSES)
      refuse(name, r.row, "ADDL", `ID ${r.ID} has more than ${MOST_DOSES} doses`, "the page takes no more; the command line does");
    for (let k = 0; k <= more; k++)
      doses.push({ time: time + k * interval, amount: r.AMT, oral: r.way === "oral", duration: r.length * hours });
    before = Math.max(before, start);
  }
  return doses.sort((a, b) => a.time - b.time || a.amount - b.amount);
}

/** Reads the text of a table; `name` is what it is called in sentences. Throws a TableError. */
export function readTable(text, name) {
  const table = layout(text, name), places = columns(table, name), { settings } = table;
  const hours = HOURS[settings.time ?? "h"], lloq = settings.lloq ? toNumber(settings.lloq) : NaN;
  if (!hours) refuse(name, 0, "", `the unit of time ${settings.time} is not understood`, "use h, min or d");
  if (settings.lloq && !(lloq > 0)) refuse(name, 0, "", `the LLOQ ${settings.lloq} is no positive number`, "correct the units line");
  const all = records(table, places, name, lloq);
  meaning(all, places, lloq);
  check(all, places, name);
  const people = new Map();
  let previous;
  for (const r of all.filter((one) => one.dose || one.seen)) {
    if (previous?.ID !== r.ID && people.has(r.ID))
      refuse(name, r.row, "ID", `the rows of ID ${r.ID} do not stand together`, "move them together");
    if (previous?.ID === r.ID && r.TIME < previous.TIME)
      refuse(name, r.row, "TIME", `the time ${r.TIME} is earlier than that of the row before`, "sort the rows of each ID by TIME, or give each occasion its own ID");
    if (!people.has(r.ID)) people.set(r.ID, []);
    people.get(r.ID).push(r);
    previous = r;
  }
  if (!people.size) refuse(name, 0, "", "no row is a dose or an observation", "add the records");
  const study = {
    name: settings.compound ?? name.replace(/\.[^.]*$/, ""),
    units: { concentration: settings.concentration ?? "ng/mL", dose: settings.dose ?? "mg" },
    lloq: NaN, people: [],
  };
  for (const [id, rows] of people) {
    const seen = rows.filter((r) => r.seen), given = rows.filter((r) => r.dose);
    if (!given.length) refuse(name, rows[0].row, "AMT", `ID ${id} has no dose`, "add a row with EVID 1 and its AMT");
    const twice = seen.find((r, k) => k && r.TIME === seen[k - 1].TIME)
      ?? given.find((r, k) => given.slice(0, k).some((g) => g.TIME === r.TIME && g.AMT === r.AMT && g.way === r.way && g.length === r.length));
    if (twice) refuse(name, twice.row, "TIME", `ID ${id} has a second record at time ${twice.TIME}`, "keep one of them, or write their mean (doses: their sum)");
    study.people.push({
      id,
      person: rows[0].PERSON || id,
      times: seen.map((r) => r.TIME * hours),
      values: seen.map((r) => (r.CENS === 1 && r.LLOQ > 0 ? r.LLOQ : r.DV)),
      below: seen.map((r) => r.CENS === 1),
      doses: expand(given, hours, seen.length ? seen[0].TIME * hours : Infinity, name),
    });
  }
  const limits = new Set(all.filter((r) => r.seen && r.LLOQ > 0).map((r) => r.LLOQ));
  study.lloq = lloq > 0 ? lloq : limits.size === 1 ? [...limits][0] : NaN;
  return study;
}
