"""Results as sentences: every number and every verdict is read from the table."""

from __future__ import annotations

import functools
from importlib import resources

import pandas as pd
import yaml

from agmpk.ablations.results import BETTER, OPEN, SAME, WORSE
from agmpk.ablations.run import DEFAULT_PRIOR, DEVELOPMENT
from agmpk.ablations.variants import DEFAULT, YARDSTICK

PLACES = {DEVELOPMENT: "development cohorts", DEFAULT_PRIOR: "simulated studies"}
KEYS = {BETTER: "better", WORSE: "worse", SAME: "same"}


@functools.cache
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
    development cohorts, which are real: by log-RMSE, or by CRPS where only that tells a difference.
    """
    mine = table[table.group == group]
    lines, meant = [], {}
    for name, rows in mine.groupby("variant", sort=False):
        lines.append(f"- {_sentence(rows)}")
        meaning = (meanings().get(name) or meanings()[group]).get(_overall(rows))
        if meaning:
            meant.setdefault(meaning, []).append(rows.text.iloc[0])
    # Where all variants mean the same their names need not be repeated.
    said = [
        meaning if len(meant) == 1 else f"*{_capital(_list(names))}:* {meaning}"
        for meaning, names in meant.items()
    ]
    return "\n\n".join([meanings()[group]["asks"], "\n".join(lines), " ".join(said)])


def _overall(rows: pd.DataFrame) -> str:
    """Which meaning holds; empty where the seeds are too few to tell."""
    verdicts = [_row(rows, DEVELOPMENT, measure).verdict for measure in ("log_rmse", "crps")]
    return KEYS.get(next((v for v in verdicts if v in (BETTER, WORSE)), verdicts[0]), "")


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
