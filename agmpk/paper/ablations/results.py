"""All stored variants side by side: values, paired differences to the default, verdicts, and what
they say in sentences; what is not stored, and the command that makes it.

The yardstick is the spread of the default over training seeds.  For a change that did nothing, the
difference between one run of the variant and the mean of n runs of the default stays below

    margin = t_{0.975, n-1} s sqrt(1 + 1/n)

in 95 of 100 cases, s being the SD over seeds (prediction interval for one further observation,
Hahn & Meeker 1991, section 4.8).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from agmpk.errors import AgmpkError
from agmpk.evaluation import paired_difference
from agmpk.files import data_path, write_csv
from agmpk.paper.ablations.run import (
    COLUMNS,
    DEFAULT,
    DEFAULT_PRIOR,
    DEVELOPMENT,
    MEASURES,
    VARIANTS,
    YARDSTICK,
    Stored,
    Variant,
    find,
    is_current,
    load,
    shipped,
)

LEVEL = 0.95
BETTER, WORSE, SAME, OPEN = "better", "worse", "no difference beyond seeds", "not judged"
KEYS = ["compound", "individual", "n_target"]
RUN = "agmpk paper ablations run"
RESULTS = [
    *("variant", "group", "text", "studies", "measure", "value", "naive", "n"),
    *("difference", "low", "high", "margin", "verdict"),
]


def plan(out: Path) -> pd.DataFrame:
    """Every variant in order: what it changes, its state in ``out`` (current; stale, made with
    other settings than today's; not run), and the command that makes it where it is not current."""
    rows = []
    for variant in VARIANTS:
        stored, current = load(out, variant.name) is not None, is_current(variant, out)
        state = "current" if current else "stale" if stored else "not run"
        command = "" if current else f"{RUN} --only {variant.name}"
        rows.append((variant.name, variant.group, variant.text, state, command))
    return pd.DataFrame(rows, columns=["variant", "group", "change", "state", "command"])


def load_all(out: Path) -> dict[str, Stored]:
    """The stored variants that can be compared: made with the recipe of the stored default.

    Raises:
        AgmpkError: the default is missing, or a file is damaged.
    """
    found = {v.name: one for v in VARIANTS if (one := load(out, v.name)) is not None}
    if DEFAULT not in found:
        raise AgmpkError(f"{out} holds no ablations: make them with '{RUN}'.")
    return {name: one for name, one in found.items() if _comparable(find(name), found)}


def results_table(stored: Mapping[str, Stored]) -> pd.DataFrame:
    """One row a variant, kind of studies and measure; none where nothing is stored.

    Columns: variant, group, text, studies, measure, value (mean over individuals; on the
    development cohorts the mean over cohorts of theirs), naive (log-RMSE only), n (individuals with
    a score), difference (of an error: variant - default, mean over individuals) with its bootstrap
    interval over people ``low``, ``high``, margin, verdict.
    """
    rows = []
    seeds_on = functools.cache(lambda studies: _seeds(stored, studies))
    for name, one in stored.items():
        variant = find(name)
        for studies, mine in one.individuals.groupby("studies", sort=False):
            for measure in MEASURES:
                about = name, variant.group, variant.text, studies, measure
                naive = _mean(mine, "log_rmse_naive", studies) if measure == "log_rmse" else np.nan
                values = _mean(mine, measure, studies), naive, int(mine[measure].notna().sum())
                row = dict(zip(RESULTS, (*about, *values), strict=False))
                rows.append(row | _difference(variant, mine, measure, seeds_on(studies)))
    return pd.DataFrame(rows, columns=RESULTS)


def seed_values(stored: Mapping[str, Stored], studies: str, measure: str) -> pd.Series:
    """Mean over individuals of the default, by training seed (variant name)."""
    return _by_seed(_seeds(stored, studies), measure)


def _by_seed(seeds: pd.DataFrame, measure: str) -> pd.Series:
    return seeds.groupby("variant", sort=False)[measure].mean().astype(float)


def _seeds(stored: Mapping[str, Stored], studies: str) -> pd.DataFrame:
    """The individuals of the default, of all its training seeds."""
    found = [
        one.individuals.assign(variant=name)
        for name, one in stored.items()
        if find(name).group == YARDSTICK
    ]
    rows = pd.concat(found) if found else pd.DataFrame(columns=[*COLUMNS, "variant"])
    return rows[rows.studies == studies]


def margin(seeds: pd.Series, runs: int) -> float:
    """Largest difference to the mean of ``runs`` runs that seeds explain; NaN below 3 seeds."""
    if len(seeds) < 3:
        return np.nan
    quantile = t.ppf((1 + LEVEL) / 2, len(seeds) - 1)
    return float(quantile * seeds.std(ddof=1) * np.sqrt(1 + 1 / runs))


def verdict(difference: float, low: float, high: float, margin: float) -> str:
    """In words; a difference counts when its interval excludes 0 and it exceeds the margin."""
    if np.isnan(margin) or np.isnan(difference):
        return OPEN
    if abs(difference) <= margin or low <= 0 <= high:
        return SAME
    return BETTER if difference < 0 else WORSE


def _difference(
    variant: Variant, mine: pd.DataFrame, measure: str, seeds: pd.DataFrame
) -> dict[str, object]:
    # Coverage has no better or worse in one direction: it has a nominal value.
    if variant.group == YARDSTICK or not len(seeds) or measure == "coverage_90":
        return {"verdict": ""}
    base = seeds.groupby(KEYS, sort=False, as_index=False)[measure].mean()
    both = pd.concat([mine[[*KEYS, measure]].assign(model="this"), base.assign(model="base")])
    d = paired_difference(both, "this", "base", level=LEVEL, column=measure)
    found = {"difference": d.mean, "low": d.low, "high": d.high}
    found["margin"] = margin(_by_seed(seeds, measure), seeds.variant.nunique())
    return found | {"verdict": verdict(**found)}


def _mean(rows: pd.DataFrame, column: str, studies: str) -> float:
    if studies == DEVELOPMENT:
        return float(rows.groupby("compound")[column].mean().mean())
    return float(rows[column].mean())


def _comparable(variant: Variant, found: Mapping[str, Stored]) -> bool:
    """Whether the variant differs from the stored default in its own change only."""
    if variant.name == DEFAULT:
        return True
    mine, base = found[variant.name], found[DEFAULT]
    # Every value by its path; lists stay whole.
    a, b = (pd.json_normalize(one.settings).to_dict("records")[0] for one in (mine, base))
    own = (variant.path,)
    if variant.path == "training.prior":
        own += ("prior.",)  # the name stands for the contents
    keys = a.keys() | b.keys()
    if variant.path == "training.kind":
        keys = a.keys() & b.keys()  # another network has not all of the default's options
    return mine.version == base.version and all(
        a.get(key) == b.get(key) for key in keys if not key.startswith(own)
    )


def write_results(out: Path) -> None:
    """Write ``results.csv`` in ``out``, unless the default is missing."""
    if load(out, DEFAULT):
        write_csv(results_table(load_all(out)), out / "results.csv")


PLACES = {DEVELOPMENT: "development cohorts", DEFAULT_PRIOR: "simulated studies"}
ERRORS = {"log_rmse": "log-RMSE", "crps": "CRPS", "crps_curve": "CRPS of the curve's mean"}
WORDS = {BETTER: "better", WORSE: "worse", SAME: "same"}

MEANINGS: Mapping[str, dict[str, str]] = shipped("meanings")
"""By group: what it asks, and what each verdict means."""


def groups(table: pd.DataFrame) -> list[str]:
    """The groups with results, without the yardstick, in order."""
    return [g for g in dict.fromkeys(table.group) if g != YARDSTICK]


def paragraph(table: pd.DataFrame, group: str) -> str:
    """Markdown: the question, a line a variant, and what the answers mean.

    ``table`` as :func:`results_table` makes it.  The meaning goes by the development cohorts, which
    are real: by log-RMSE, else by the first CRPS that tells a difference; there is none where the
    seeds are too few to tell.
    """
    lines, meant = [], {}
    for text, rows in table[table.group == group].groupby("text", sort=False):
        by = {(row.studies, row.measure): row for row in rows.itertuples()}
        lines.append(f"- **{text[:1].upper()}{text[1:]}**: {_sentence(by)}.")
        verdicts = [by[DEVELOPMENT, measure].verdict for measure in ERRORS]
        overall = next((v for v in verdicts if v in (BETTER, WORSE)), verdicts[0])
        if overall in WORDS:
            meant.setdefault(MEANINGS[group][WORDS[overall]], []).append(text)
    said = []
    for meaning, (*names, last) in meant.items():
        who = f"{', '.join(names)} and {last}" if names else last
        # Where all variants mean the same their names need not be repeated.
        said.append(meaning if len(meant) == 1 else f"*{who[:1].upper()}{who[1:]}:* {meaning}")
    return "\n\n".join([MEANINGS[group]["asks"], "\n".join(lines), " ".join(said)])


def _sentence(by: Mapping[tuple[str, str], Any]) -> str:
    """What one variant did, on both kinds of studies, in every error that tells; ``by`` studies and
    measure."""
    said = []
    for studies, place in PLACES.items():
        row = by.get((studies, "log_rmse"))
        if row is None or row.verdict == "":
            continue
        limit = f", seeds explain up to {row.margin:.3f}" if row.margin > 0 else ""
        note = " because there are too few training seeds" if row.verdict == OPEN else ""
        text = f"on the {place} log-RMSE is {_change(row)}{limit}: **{row.verdict}**{note}"
        for measure, label in list(ERRORS.items())[1:]:
            extra = by.get((studies, measure))
            if extra is not None and extra.verdict not in (row.verdict, ""):
                text += f", though {label} says {extra.verdict} ({_change(extra)})"
        said.append(text)
    return "; ".join(said)


def _change(row: Any) -> str:
    way = "lower" if row.difference < 0 else "higher"
    interval = f"{row.low:+.3f} to {row.high:+.3f}"
    return f"{abs(row.difference):.3f} {way}, 95 % interval {interval}"


def first_version() -> pd.DataFrame:
    """What the first version's ablations found, as it was stored; a record that the present code
    cannot make again.  Columns as of :func:`results_table`, and ``base``, the variant that a row is
    compared with."""
    table = pd.read_csv(data_path("ablations", "first_version", "results.csv"))
    return table.fillna({"verdict": ""})
