// From the text of a table to its header and rows, as agmpk/studies/nonmem/layout.py reads them.

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?$/;
const MISSING = new Set(["", ".", "NA"]);
const HEADER = "begin with a header that names ID, TIME, DV and AMT";

export class TableError extends Error {}

/** Refuses a table in one sentence: file, row and column (0 and "" for none), problem; remedy. */
export function refuse(name, row, column, sentence) {
  const where = [name, row && `row ${row}`, column && `column ${column}`].filter(Boolean);
  throw new TableError(`${where.join(", ")}: ${sentence}.`);
}

export const missing = (text) => MISSING.has(text.toUpperCase());

/** The number that a cell holds; NaN unless it is written as one. */
export const toNumber = (text) => (NUMBER.test(text) ? Number(text.replace(/d/i, "e")) : NaN);

function fields(line, separator) {
  if (!line.includes('"')) {
    const parts = separator ? line.split(separator) : line.trim().split(/\s+/);
    return parts.map((one) => one.trim());
  }
  const mark = separator === "\t" ? "\\t" : (separator ?? "\\s");
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

const separatorOf = (line) => [";", ",", "\t"].find((mark) => line.includes(mark)) ?? null;
const isTableLine = (line) => /^\s*TABLE NO/i.test(line);
const isComment = (line) => /^\s*[#@]/.test(line);

/** The names of a header line, which may itself begin with #. */
function namesOf(line) {
  const bare = line.replace(/^\s*[#@]+\s*/, "");
  return fields(bare, separatorOf(bare)).map((one) => one.toUpperCase());
}

/** The place of the header: the first line that names ID and TIME, no comment if possible. */
function findHeader(lines, name) {
  const filled = lines.map((_, k) => k).filter((k) => lines[k].trim() && !isTableLine(lines[k]));
  if (!filled.length) refuse(name, 0, "", `the file is empty; ${HEADER}`);
  const plain = filled.filter((k) => !isComment(lines[k]));
  const order = [...plain, ...filled.filter((k) => isComment(lines[k]))].slice(0, 100);
  const found = order.find((k) => {
    const names = namesOf(lines[k]);
    return (names.includes("ID") || names.includes("CID")) && names.includes("TIME");
  });
  const top = found ?? order[0];
  if (namesOf(lines[top]).some((one) => NUMBER.test(one)))
    refuse(name, top + 1, "", `the file has no header line; ${HEADER}`);
  return top;
}

/** {header, rows: [{row, cells}], settings of the units line, comma: 1,5 may mean 1.5}. */
export function layout(text, name) {
  if (text.startsWith("PK\u0003") || text.includes("\0"))
    refuse(name, 0, "", "this is not a text file; save the table as CSV in UTF-8");
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  const top = findHeader(lines, name);
  const header = namesOf(lines[top]);
  const separator = separatorOf(lines[top]);
  if (lines.filter(isTableLine).length > 1)
    refuse(name, 0, "", "the file holds several tables; keep one of them");
  const settings = {};
  const units = lines.slice(0, top).find((line) => /^# agmpk units:/i.test(line)) ?? "";
  for (const [, key, quoted, plain] of units.matchAll(/(\w+)=(?:["']([^"']*)["']|(\S+))/g))
    settings[key.toLowerCase()] = quoted ?? plain;
  const rows = [];
  for (let k = top + 1; k < lines.length; k++) {
    if (!lines[k].trim() || isComment(lines[k]) || isTableLine(lines[k])) continue;
    const cells = fields(lines[k], separator);
    const again = cells.join("\t").toUpperCase() === header.join("\t");
    if (again || cells.every((one) => !one)) continue;
    const first = cells[0].toUpperCase();
    if (header[0] === "C" ? first === "C" : header[0] === "CID" && first.startsWith("C")) continue;
    while (cells.length > header.length && !cells.at(-1)) cells.pop();
    if (cells.length !== header.length) {
      const few = cells.length < header.length;
      const remedy = few ? "write . for a missing value" : "remove the extra ones";
      const counts = `the row has ${cells.length} fields where the header has ${header.length}`;
      refuse(name, k + 1, "", `${counts}; ${remedy}`);
    }
    rows.push({ row: k + 1, cells });
  }
  return { header, rows, settings, comma: separator === ";" || separator === "\t" };
}
