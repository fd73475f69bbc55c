// Reads a NONMEM-style table as `agmpk` does (agmpk/studies/nonmem), or refuses it in one sentence.
// What needs a decision of its owner (several analytes, occasions, dates) is left to the command
// line, which has options for it.
//
// A study: {name, units, note, lloq, people}; an individual: {id, person, times (h), values, below,
// doses}, values at the limit where `below`; a dose: {time (h), amount, oral, duration (h, 0 for a
// bolus)}, one by one and in order of time.

import { layout, missing, refuse, toNumber } from "./layout.js";

const words = (text) => text.trim().split(/\s+/);
const HOURS = { h: 1, hr: 1, hrs: 1, hour: 1, hours: 1, min: 1 / 60, minute: 1 / 60, minutes: 1 / 60,
  s: 1 / 3600, sec: 1 / 3600, d: 24, day: 24, days: 24, week: 168, weeks: 168 };
const ROUTES = Object.fromEntries([
  ...words("oral po p.o. per_os peroral").map((name) => [name, "oral"]),
  ...words(`sc s.c. subcutaneous subcut im i.m. intramuscular transdermal
    topical rectal sublingual sl buccal nasal intranasal inhaled inhalation`).map((name) => [name, "absorbed"]),
  ...words("iv i.v. intravenous").map((name) => [name, "iv"]),
  ...words("iv_bolus bolus iv_push").map((name) => [name, "iv_bolus"]),
  ...words("iv_infusion infusion iv_inf").map((name) => [name, "iv_infusion"]),
]);
const DEPOTS = words("depot gut abs absorption gi"), CENTRALS = words("cent central plasma blood");
const ALIASES = {
  ID: "CID",
  DUR: "TINF DURATION INFDUR INF_DUR DURINF INFUSION_DURATION",
  RATE: "INFRATE INF_RATE INFUSION_RATE",
  CENS: `BLQ BLOQ BQL BLQFL BLOQFL BQLFL BLQFN BLOQFN BLQFLAG BLOQFLAG BLQ_FLAG BLOQ_FLAG LLOQFL
    LLOQFLAG ISBLQ CENSORED`,
  LLOQ: "LOQ LLQ",
  ANALYTE: "DRUG DVID YTYPE DVNAME YNAME OBSNAME OBSID PARAMCD PARAM PCTESTCD PCTEST SPECIES",
  STUDY: "STUDYID STUDYN STUDYNO STUDY_ID STUD",
  DATE: "DAT1 DAT2 DAT3",
  ADDL: "ADDITIONAL",
  II: "TAU",
};
const DAYS = /^(.*DAYS?|.*DATE|.*DATUM|.*DTC|DAT[123]|ADT|ADY|PCDY|VISITDY)$/i;
const UNIT = "(?:(?:mc|[pnumkcdµμ])?(?:g|mol|l)|hours?|hrs?|h|min(?:ute)?s?|seconds?|secs?|s|days?|d"
  + "|weeks?)";
const HEADING = new RegExp("^(.+?)(?:[\\s_.]*[(\\[](.*?)[)\\]].*"
  + `|[\\s_.]+${UNIT}(?:(?:[\\s_./]|per)*${UNIT}){0,2}[\\s_.]*)$`, "i");
const UNITS = new RegExp("^(?!AGE|WT|WEIGHT|HT|HEIGHT|BMI)(.*(UNITS?|_U)"
  + "|(DV|DOSE|AMT|AVAL|TIME|CONC|LLOQ|RATE|PCORRES|PCSTRES|EXDOS)U)$");
const NUMERIC = words("TIME DV AMT EVID MDV RATE DUR ADDL II SS CENS LLOQ");
const LABELS = words("ID PERSON ROUTE CMT ANALYTE STUDY DATE");
const WITH_UNIT = words("RATE DUR II LLOQ");
const BELOW = new RegExp("^(<.*|bl[ol]?q|bql|lloq|[bl]dl|bld|lod|n\\.?d\\.?|nq|below.*"
  + "|not[ _](detected|quantifiable).*)$", "i");
const FLAGS = { Y: 1, YES: 1, T: 1, TRUE: 1, N: 0, NO: 0, F: 0, FALSE: 0 };
const MOST_DOSES = 2000, STEADY_HOURS = 480;
const LATER = "the page takes one, and `agmpk forecast` has an option for it";

const namesOf = (column) => [column, ...words(ALIASES[column] ?? "")];

/** Where the known columns stand. */
function columns(table, name) {
  const places = {};
  for (const column of [...NUMERIC, ...LABELS]) {
    const found = namesOf(column).find((one) => table.header.includes(one));
    if (found) places[column] = table.header.indexOf(found);
  }
  for (const column of ["ID", "TIME", "DV", "AMT"])
    if (!(column in places))
      refuse(name, 0, column, "the required column is missing; rename the column that holds it");
  if (!table.rows.length) refuse(name, 0, "", "no row follows the header; add the records");
  const used = Object.values(places);
  for (const heading of table.header.filter((_, k) => !used.includes(k))) {
    const [, bare, unit] = HEADING.exec(heading) ?? [];
    const column = [...NUMERIC, ...LABELS].find((one) => !(one in places)
      && namesOf(one).includes(bare) && (unit !== undefined || WITH_UNIT.includes(one)));
    if (column)
      refuse(name, 0, heading, `the column seems to be ${column} but is not called that, so it would `
        + `be ignored; call it ${column}, or remove it`);
  }
  const day = table.header.findIndex((one, k) => DAYS.test(one) && !used.includes(k));
  if (day >= 0) places.DAY = day;
  return places;
}

const limitOf = (text) => toNumber(text.replace(/^<\s*/, ""));

/** The records of the table: numbers (NaN where missing) and labels by column name. */
function records(table, places, name, lloq) {
  const numeric = NUMERIC.filter((column) => column in places);
  const texts = table.rows.flatMap(({ cells }) => numeric.map((column) => cells[places[column]]));
  const points = texts.some((text) => text.includes(".") && !Number.isNaN(toNumber(text)));
  const comma = table.comma && !points && texts.some((text) => /^[+-]?\d*,\d+$/.test(text));
  return table.rows.map(({ row, cells }) => {
    const record = { row };
    const cell = (column) => (column in places ? cells[places[column]] : "");
    for (const column of LABELS) record[column] = missing(cell(column)) ? "" : cell(column);
    if (toNumber(record.CMT) === 0) record.CMT = ""; // NONMEM's default: not told
    record.DAY = cell("DAY");
    let limit = NaN;
    for (const column of NUMERIC) {
      const text = comma ? cell(column).replace(",", ".") : cell(column);
      record[column] = toNumber(text);
      if (!Number.isNaN(record[column]) || missing(text)) continue;
      const flag = ["CENS", "MDV"].includes(column) ? FLAGS[text.toUpperCase()] : undefined;
      const below = column === "DV" && BELOW.test(text);
      if (flag !== undefined) record[column] = flag;
      else if (below && (limitOf(text) > 0 || lloq > 0)) limit = limitOf(text) || lloq;
      else if (column === "TIME" && /[:\-/]\d/.test(text))
        refuse(name, row, "TIME", `${text} is a clock time or a date; write hours since the first dose`);
      else
        refuse(name, row, table.header[places[column]],
          `${text} is text, not a number; write a number, or . where the value is missing`);
    }
    record.told = !missing(cell("DV"));
    if (limit > 0) Object.assign(record, { LLOQ: limit, CENS: 1 });
    if (!record.ID) refuse(name, row, "ID", "the value is missing; give every row one");
    if (Number.isNaN(record.TIME))
      refuse(name, row, "TIME", "the value is missing; give every row one");
    return record;
  });
}

/** The route of a dose: ROUTE wins over CMT; "" where it cannot be told. */
function way(record, observed) {
  const { CMT: text } = record, number = toNumber(text);
  const numbers = [...observed].map(toNumber).filter((one) => !Number.isNaN(one));
  let found = "";
  if (record.ROUTE) found = ROUTES[record.ROUTE.toLowerCase().replace(/[ -]/g, "_")] ?? "";
  else if (!text) found = record.length > 0 ? "iv" : "oral";
  else if (observed.has(text) || numbers.includes(number)) found = "iv";
  else if (DEPOTS.includes(text.toLowerCase()) || number === 1) found = "oral";
  else if (CENTRALS.includes(text.toLowerCase())) found = "iv";
  else if (number === 2 && !numbers.some((one) => one < number)) found = "iv";
  record.absorbed = found === "absorbed"; // neither oral nor intravenous
  if (record.absorbed) found = "oral";
  return found === "iv" ? (record.length > 0 ? "iv_infusion" : "iv_bolus") : found;
}

const POWERS = { kg: 3, g: 0, mg: -3, ug: -6, mcg: -6, ng: -9, pg: -12, l: 0, dl: -1, ml: -3, ul: -6 };

/** Of a unit such as ng/mL its power of ten, or itself where it is another one. */
function sizeOf(unit) {
  const [above, below = 0] = unit.replace(/[µμ]/g, "u").split("/").map((one) => POWERS[one]);
  return Number.isNaN(above - below) ? unit : above - below;
}

/** Refuses units that differ between observations, or between doses. */
function sameUnits(all, table, places, name) {
  const used = Object.values(places);
  const plain = (text) => (missing(text) ? "" : text.toLowerCase().replace(/[\s"'()[\]]/g, ""));
  const given = (r) => r.AMT > 0, seen = (r) => !given(r) && r.told && r.MDV !== 1 && !(r.EVID >= 1);
  table.header.forEach((heading, k) => {
    if (used.includes(k) || !UNITS.test(heading)) return;
    for (const [what, chosen] of [["observations", seen], ["doses", given]]) {
      const told = all.map((r, n) => [r, plain(table.rows[n].cells[k])])
        .filter(([r, unit]) => chosen(r) && unit);
      const other = told.find(([, unit]) => sizeOf(unit) !== sizeOf(told[0][1]));
      if (other)
        refuse(name, other[0].row, heading, `${what} are in ${other[1]} here and in ${told[0][1]} `
          + "before; convert them to one unit, or use the command line");
    }
  });
}

/** What each record is: a dose (with length and way), a sample that is seen, or neither. */
function meaning(all, places, lloq) {
  const flagged = "CENS" in places, observed = new Set();
  let last = {};
  for (const r of all) {
    const mine = !flagged || (r.CENS === 1 && !(r.DV > 0));
    if (lloq > 0 && !(r.LLOQ > 0) && mine) r.LLOQ = lloq;
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
  for (const r of all) if (r.dose) r.way = way(r, observed);
}

// Column, what is wrong with a record, and the sentence; {} is the value of the column.
const RULES = [
  ["EVID", (r) => ![0, 1, 2].includes(r.event),
    "EVID {} starts another occasion or is unknown; give each occasion its own ID"],
  ["DV", (r) => r.event === 0 && r.MDV !== 1 && r.DV < 0,
    "the concentration {} is negative; correct it, ignore it with MDV 1, or turn logarithms back"],
  ["DV", (r) => r.dose && r.MDV !== 1 && Math.abs(r.DV) > 0,
    "a dose row holds the concentration {}; put the observation on a row of its own with EVID 0"],
  ["DV", (r) => r.event === 0 && r.MDV === 0 && !r.seen,
    "the observation has no value; give it, or set MDV to 1"],
  ["TIME", (r) => r.seen && r.TIME < 0 && r.DV > 0,
    "the time {} is negative; count hours from the first dose"],
  ["DV", (r) => r.seen && r.CENS === 1 && !(r.LLOQ > 0) && !(r.DV > 0),
    "the censored observation has no limit; write its LLOQ in DV or in a column LLOQ"],
  ["DV", (r) => r.seen && r.CENS === 1 && r.DV > r.LLOQ,
    "the censored value {} is above its LLOQ; set CENS to 0 or correct the LLOQ"],
  ["AMT", (r) => r.AMT < 0, "the amount {} is negative; give a positive one"],
  ["AMT", (r) => r.dose && !(r.AMT > 0), "the dose (EVID 1) has no amount; give a positive AMT"],
  ["AMT", (r) => r.event === 0 && r.AMT > 0 && !r.again,
    "an observation (EVID 0) has the amount {}; set EVID to 1, or AMT to ."],
  ["RATE", (r) => r.RATE < 0 && !(r.DUR > 0),
    "the rate {} is negative; give the rate, or the duration in a column DUR"],
  ["DUR", (r) => r.RATE > 0 && r.DUR > 0 && Math.abs(r.AMT - r.RATE * r.DUR) > 1e-3 * r.AMT,
    "the duration {} is not AMT / RATE; correct or remove one"],
  ["ADDL", (r) => r.ADDL < 0 || r.ADDL % 1 > 0, "ADDL is {}; give the number of further doses"],
  ["II", (r) => r.dose && (r.ADDL > 0 || r.SS > 0) && !(r.II > 0),
    "repeated doses have no interval; give the time between two doses in II, in the unit of TIME"],
  ["SS", (r) => r.dose && r.SS > 0 && ![1, 2].includes(r.SS), "SS {} is not supported; use 1"],
  ["ROUTE", (r) => r.dose && r.ROUTE && !r.way,
    "the route {} is unknown; use oral, iv_bolus or iv_infusion"],
  ["CMT", (r) => r.dose && !r.way,
    "a dose into compartment {} cannot be placed; add a column ROUTE"],
  ["ROUTE", (r) => r.dose && r.way !== "iv_infusion" && r.length > 0,
    "a dose that is no infusion has a RATE or a duration; use iv_infusion, or remove it"],
  ["ROUTE", (r) => r.dose && r.way === "iv_infusion" && !(r.length > 0),
    "the infusion has no duration; give it in DUR, or its RATE"],
];

function check(all, places, name) {
  const several = (column, from) => new Set(from.map((r) => r[column]).filter(Boolean)).size > 1;
  const seen = all.filter((r) => r.seen);
  if (several("STUDY", all)) refuse(name, 0, "STUDY", `the table holds several studies; ${LATER}`);
  if (several("ANALYTE", seen)) refuse(name, 0, "ANALYTE", `the table holds several analytes; ${LATER}`);
  if (several("CMT", seen)) refuse(name, 0, "CMT", `samples lie in several compartments; ${LATER}`);
  const another = (r, k) => k && r.ID === all[k - 1].ID && r.DATE !== all[k - 1].DATE;
  if ("DATE" in places && all.some(another))
    refuse(name, 0, "DATE", "times are relative to dates; write hours since the first dose in TIME");
  const hours = new Map(), days = new Map();
  for (const r of all) {
    hours.set(r.ID, Math.max(hours.get(r.ID) ?? 0, r.TIME));
    days.set(r.ID, (days.get(r.ID) ?? new Set()).add(r.DAY));
  }
  const daily = [...days].find(([id, found]) => found.size > 1 && hours.get(id) <= 24);
  if (daily)
    refuse(name, 0, "TIME", `times of ID ${daily[0]} seem to begin anew each day; write hours since `
      + "the first dose, or use the command line");
  for (const [column, wrong, sentence] of RULES) {
    const bad = all.find(wrong);
    if (bad) refuse(name, bad.row, column, sentence.replace("{}", bad[column]));
  }
}

/** The single doses of an individual's dose records, steady states written out: SS 1 back to the
 * dose before, SS 2, which adds to what was given before, in full. */
function expand(rows, hours, name) {
  const doses = [];
  let before = -Infinity;
  for (const r of rows) {
    const start = r.TIME * hours, interval = r.II > 0 ? r.II * hours : 0;
    let time = start, more = r.ADDL > 0 ? r.ADDL : 0;
    if (r.SS === 1 || r.SS === 2) {
      let back = Math.min(50, Math.max(10, Math.ceil(STEADY_HOURS / interval)));
      if (r.SS === 1 && before > -Infinity)
        back = Math.max(0, Math.min(back, Math.ceil((time - before) / interval - 1e-9) - 1));
      time -= back * interval;
      more += back;
    }
    if (doses.length + more > MOST_DOSES)
      refuse(name, r.row, "ADDL", `ID ${r.ID} has more than ${MOST_DOSES} doses; use the command line`);
    const one = { amount: r.AMT, oral: r.way === "oral", duration: r.length * hours };
    for (let k = 0; k <= more; k++) doses.push({ ...one, time: time + k * interval });
    before = Math.max(before, time + more * interval);
  }
  return doses.sort((a, b) => a.time - b.time || a.amount - b.amount);
}

/** The doses and samples of each ID, in order of time. */
function grouped(all, name) {
  const people = new Map();
  let previous = {};
  for (const r of all.filter((one) => one.dose || one.seen)) {
    if (previous.ID !== r.ID && people.has(r.ID))
      refuse(name, r.row, "ID", `the rows of ID ${r.ID} do not stand together; move them together`);
    if (previous.ID === r.ID && r.TIME < previous.TIME)
      refuse(name, r.row, "TIME", `the time ${r.TIME} is earlier than that of the row before; sort `
        + "the rows of each ID by TIME, or give each occasion its own ID");
    if (!people.has(r.ID)) people.set(r.ID, []);
    people.get(r.ID).push(r);
    previous = r;
  }
  if (!people.size) refuse(name, 0, "", "no row is a dose or an observation; add the records");
  return people;
}

function individual(id, rows, hours, name) {
  const seen = rows.filter((r) => r.seen), given = rows.filter((r) => r.dose);
  if (!given.length)
    refuse(name, rows[0].row, "AMT", `ID ${id} has no dose; add a row with EVID 1 and its AMT`);
  const same = (a, b) => ["TIME", "AMT", "way", "length"].every((key) => a[key] === b[key]);
  const twice = seen.find((r, k) => k && r.TIME === seen[k - 1].TIME)
    ?? given.find((r, k) => given.slice(0, k).some((one) => same(one, r)));
  if (twice)
    refuse(name, twice.row, "TIME", `ID ${id} has a second record at time ${twice.TIME}; keep one of `
      + "them, or write their mean (of doses their sum)");
  return {
    id,
    person: rows[0].PERSON || id,
    times: seen.map((r) => r.TIME * hours),
    values: seen.map((r) => (r.CENS === 1 && r.LLOQ > 0 ? r.LLOQ : r.DV)),
    below: seen.map((r) => r.CENS === 1),
    doses: expand(given, hours, name),
  };
}

/** Reads the text of a table; `name` is what it is called in sentences. Throws a TableError. */
export function readTable(text, name) {
  const table = layout(text, name), places = columns(table, name), { settings } = table;
  const hours = HOURS[settings.time ?? "h"], lloq = toNumber(settings.lloq ?? "");
  if (!hours)
    refuse(name, 0, "", `the unit of time ${settings.time} is not understood; use h, min or d`);
  if (settings.lloq && !(lloq > 0))
    refuse(name, 0, "", `the LLOQ ${settings.lloq} is no positive number; correct the units line`);
  const all = records(table, places, name, lloq);
  meaning(all, places, lloq);
  check(all, places, name);
  sameUnits(all, table, places, name);
  const people = [...grouped(all, name)].map(([id, rows]) => individual(id, rows, hours, name));
  const limits = new Set(all.filter((r) => r.seen && r.LLOQ > 0).map((r) => r.LLOQ));
  return {
    name: settings.compound ?? name.replace(/\.[^.]*$/, ""),
    units: { concentration: settings.concentration ?? "ng/mL", dose: settings.dose ?? "mg" },
    note: all.some((r) => r.absorbed) ? "Doses neither oral nor intravenous are taken as oral. " : "",
    lloq: lloq > 0 ? lloq : limits.size === 1 ? [...limits][0] : NaN,
    people,
  };
}
