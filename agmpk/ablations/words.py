"""Results as sentences: every number and every verdict is read from the table."""

from __future__ import annotations

from importlib import resources

import pandas as pd
import yaml

from agmpk.ablations.results import BETTER, OPEN, SAME, WORSE
from agmpk.ablations.run import DEFAULT_PRIOR, DEVELOPMENT
from agmpk.ablations.variants import DEFAULT, YARDSTICK

PLACES = {DEVELOPMENT: "development cohorts", DEFAULT_PRIOR: "simulated studies"}
KEYS = {BETTER: "better", WORSE: "worse", SAME: "same"}


def meanings() -> dict[str, dict[str, str]]:
    """By group: what it asks, and what each verdict means."""
    text = (resources.files("agmpk.ablations") / "meanings.yaml").read_text("utf-8")
    return yaml.safe_load(text)


def groups(table: pd.DataFrame) -> list[str]:
    """The groups with results, without the yardstick, in order."""
    return [g for g in dict.fromkeys(table.group) if g != YARDSTICK]


def paragraph(table: pd.DataFrame, group: str) -> str:
    """Markdown: the question, a line a variant, and what the answers mean.

    ``table`` as :func:`agmpk.ablations.results.results_table` makes it.  The meaning goes by the
    log-RMSE on the development cohorts, which are real.
    """
    mine = table[table.group == group]
    known = meanings()[group]
    lines = "\n".join(f"- {_sentence(rows)}" for _, rows in mine.groupby("variant", sort=False))
    on = mine[(mine.studies == DEVELOPMENT) & (mine.measure == "log_rmse")]
    meant = []
    for said in (BETTER, WORSE, SAME):
        which = list(on.text[on.verdict == said])
        if which:
            # Where all variants agree their names need not be repeated.
            whose = f"*{_capital(_list(which))}:* " if on.verdict.nunique() > 1 else ""
            meant.append(whose + known[KEYS[said]])
    return "\n\n".join([known["asks"], lines, " ".join(meant)])


def _sentence(rows: pd.DataFrame) -> str:
    """What one variant did, on both kinds of studies, in log-RMSE and CRPS."""
    said = []
    for studies, place in PLACES.items():
        row = _row(rows, studies, "log_rmse")
        if row is None or row.verdict == "":
            continue
        text = f"on the {place} {_change(row)}"
        extra = _row(rows, studies, "crps")
        if extra is not None and extra.verdict not in (row.verdict, ""):
            text += f", though CRPS says {extra.verdict} ({_change(extra, False)})"
        said.append(text)
    first = rows.iloc[0]
    base = "" if first.base == DEFAULT else f" (against {first.base})"
    return f"**{_capital(first.text)}**{base}: {'; '.join(said)}."


def _change(row: pd.Series, verdict: bool = True) -> str:
    way = "lower" if row.difference < 0 else "higher"
    interval = f"{row.low:+.3f} to {row.high:+.3f}"
    text = f"{abs(row.difference):.3f} {way}, 95 % interval {interval}"
    if not verdict:
        return text
    limit = f", seeds explain up to {row.margin:.3f}" if row.margin > 0 else ""
    note = " because there are too few training seeds" if row.verdict == OPEN else ""
    # Without a margin the seeds have no part in the verdict.
    said = "no difference" if row.verdict == SAME and not row.margin else row.verdict
    return f"log-RMSE is {text}{limit}: **{said}**{note}"


def _row(rows: pd.DataFrame, studies: str, measure: str) -> pd.Series | None:
    found = rows[(rows.studies == studies) & (rows.measure == measure)]
    return found.iloc[0] if len(found) else None


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
