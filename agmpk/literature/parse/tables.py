"""JATS/XHTML tables as full grids: a spanning cell is repeated in every place it covers."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from agmpk.literature.document import Table
from agmpk.literature.parse.text import cell_text, local, text_of

MAX_SPAN = 100  # columns or rows one cell may span; HTML allows 1000, real tables stay below 20
MAX_COLUMNS = 200
MAX_CELLS = 50_000


def tables_of(article: Element) -> tuple[Table, ...]:
    """Every table of an article that has rows (images of tables have none), in document order."""
    tables = []
    for wrap in article.iter():
        if local(wrap.tag) == "table-wrap":
            table = _table(wrap)
            if table.rows:
                tables.append(table)
    return tuple(tables)


def _child(element: Element, name: str) -> Element | None:
    return next((e for e in element.iter() if local(e.tag) == name), None)


def _table(wrap: Element) -> Table:
    head: list[Element] = []
    body: list[Element] = []
    for table in (e for e in wrap.iter() if local(e.tag) == "table"):
        for row in (e for e in table.iter() if local(e.tag) == "tr"):
            (head if _in_head(table, row) else body).append(row)
    if not head and body and all(local(c.tag) == "th" for c in body[0]):
        head, body = body[:1], body[1:]
    header, rows = grid(head), grid(body)
    width = max((len(r) for r in (*header, *rows)), default=0)

    def pad(lines: list[list[str]]) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(line + [""] * (width - len(line))) for line in lines)

    foot = _child(wrap, "table-wrap-foot")
    notes = (
        tuple(line for line in text_of(foot, keep_tables=True).split("\n") if line)
        if foot is not None
        else ()
    )
    caption = " ".join(text_of(_child(wrap, "caption"), keep_tables=True).split())
    return Table(
        " ".join(text_of(_child(wrap, "label")).split()), caption, pad(header), pad(rows), notes
    )


def _in_head(table: Element, row: Element) -> bool:
    return any(local(e.tag) == "thead" and any(r is row for r in e.iter()) for e in table.iter())


def _span(cell: Element, name: str) -> int:
    try:
        return min(max(int(cell.get(name, "1")), 1), MAX_SPAN)
    except ValueError:
        return 1


def grid(rows: list[Element]) -> list[list[str]]:
    """Rows of `tr` elements with row and column spans filled in; spans are bounded, so is the
    grid."""
    result: list[list[str]] = []
    pending: dict[int, tuple[int, str]] = {}  # column -> (rows left, text)
    cells = 0
    for row in rows:
        line: list[str] = []

        def fill(line: list[str] = line) -> None:
            while len(line) in pending:
                left, text = pending[len(line)]
                if left == 1:
                    del pending[len(line)]
                else:
                    pending[len(line)] = (left - 1, text)
                line.append(text)

        for cell in row:
            if local(cell.tag) not in ("td", "th"):
                continue
            fill()
            text = cell_text(cell)
            down = _span(cell, "rowspan")
            for _ in range(_span(cell, "colspan")):
                if len(line) >= MAX_COLUMNS:
                    break
                if down > 1:
                    pending[len(line)] = (down - 1, text)
                line.append(text)
        fill()
        cells += len(line)
        if cells > MAX_CELLS:
            break
        result.append(line)
    return result
