"""All stored variants side by side: values, paired differences to their base, verdicts.

The yardstick is the spread of the default over training seeds.  For a change that did nothing, the
difference between one run of the variant and the mean of n runs of the default stays below

    margin = t_{0.975, n-1} s sqrt(1 + 1/n)

in 95 of 100 cases, s being the SD over seeds (prediction interval for one further observation,
Hahn & Meeker 1991, section 4.8).  A change of the sampler trains nothing anew and has no margin.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from agmpk.ablations.run import DEVELOPMENT, is_current
from agmpk.ablations.score import MEASURES
from agmpk.ablations.store import Stored, load
from agmpk.ablations.variants import DEFAULT, VARIANTS, YARDSTICK, Variant, find
from agmpk.errors import AgmpkError
from agmpk.evaluation import paired_difference

LEVEL = 0.95
BETTER, WORSE, SAME, OPEN = "better", "worse", "no difference beyond seeds", "not judged"
KEYS = ["compound", "individual", "n_target"]


def state(variant: Variant, out: Path, **training: Any) -> str:
    """One of current, stale (made with other settings than today's) and missing."""
    if load(out, variant.name) is None:
        return "missing"
    return "current" if is_current(variant, out, **training) else "stale"


def load_all(out: Path) -> dict[str, Stored]:
    """The stored variants that can be compared: made with the recipe of the stored default.

    Raises:
        AgmpkError: the default is missing, or a file is damaged.
    """
    found = {v.name: one for v in VARIANTS if (one := load(out, v.name)) is not None}
    if DEFAULT not in found:
        raise AgmpkError(
            f"{out} holds no ablations: make them with 'python -m agmpk.ablations run'."
        )
    return {name: one for name, one in found.items() if _comparable(find(name), found)}


def results_table(stored: Mapping[str, Stored]) -> pd.DataFrame:
    """One row a variant, kind of studies and measure.

    Columns: variant, group, text, base, studies, measure, value (mean over individuals; on the
    development cohorts the mean over cohorts of theirs), naive (log-RMSE only), n (individuals),
    difference (of an error: variant - base, mean over individuals) with its bootstrap interval over
    people ``low``, ``high``, margin, verdict.
    """
    rows = []
    for name, one in stored.items():
        variant = find(name)
        for studies, mine in one.individuals.groupby("studies", sort=False):
            reference = _reference(variant, stored, studies)
            for measure in MEASURES:
                naive = "log_rmse_naive" if measure == "log_rmse" else None
                row = {
                    "variant": name,
                    "group": variant.group,
                    "text": variant.text,
                    "base": variant.base,
                    "studies": studies,
                    "measure": measure,
                    "value": _mean(mine, measure, studies),
                    "naive": _mean(mine, naive, studies) if naive else np.nan,
                    "n": len(mine),
                }
                rows.append(row | _difference(variant, mine, reference, measure, studies, stored))
    return pd.DataFrame(rows)


def seed_values(stored: Mapping[str, Stored], studies: str, measure: str) -> pd.Series:
    """Mean over individuals of the default, by training seed (variant name)."""
    values = {}
    for name, one in stored.items():
        if find(name).group == YARDSTICK:
            mine = one.individuals[one.individuals.studies == studies]
            values[name] = mine[measure].mean()
    return pd.Series(values, dtype=float)


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
    variant: Variant,
    mine: pd.DataFrame,
    reference: list[pd.DataFrame],
    measure: str,
    studies: str,
    stored: Mapping[str, Stored],
) -> dict[str, object]:
    # Coverage has no better or worse in one direction: it has a nominal value.
    if not reference or measure == "coverage_90":
        return {"verdict": ""}
    base = pd.concat(reference).groupby(KEYS, sort=False, as_index=False)[measure].mean()
    both = pd.concat([mine[[*KEYS, measure]].assign(model="this"), base.assign(model="base")])
    d = paired_difference(both.rename(columns={measure: "log_rmse"}), "this", "base", level=LEVEL)
    limit = 0.0
    if variant.path[0] != "sampler":
        limit = margin(seed_values(stored, studies, measure), len(reference))
    return {
        "difference": d.mean,
        "low": d.low,
        "high": d.high,
        "margin": limit,
        "verdict": verdict(d.mean, d.low, d.high, limit),
    }


def _reference(variant: Variant, stored: Mapping[str, Stored], studies: str) -> list[pd.DataFrame]:
    """The rows to compare with, one frame a training seed; none for the yardstick itself."""
    if variant.group == YARDSTICK or variant.base not in stored:
        return []
    names = [variant.base]
    if variant.base == DEFAULT and variant.path[0] != "sampler":
        names = [name for name in stored if find(name).group == YARDSTICK]
    frames = [stored[name].individuals for name in names]
    return [part for one in frames if len(part := one[one.studies == studies])]


def _mean(rows: pd.DataFrame, column: str, studies: str) -> float:
    if studies == DEVELOPMENT:
        return float(rows.groupby("compound")[column].mean().mean())
    return float(rows[column].mean())


def _comparable(variant: Variant, found: Mapping[str, Stored]) -> bool:
    """Whether the variant differs from its stored base in its own change only, and so on down to
    the default."""
    if variant.name == DEFAULT:
        return True
    base = find(variant.base)
    if base.name not in found or not _comparable(base, found):
        return False
    a, b = (_flat(found[name].record.settings) for name in (variant.name, base.name))
    own = [variant.path]
    if variant.path == ("training", "prior"):
        own.append(("prior",))  # the name stands for the contents
    return all(
        a.get(key) == b.get(key)
        for key in a.keys() | b.keys()
        if not any(key[: len(path)] == path for path in own)
    )


def _flat(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every value by its path."""
    found: dict[tuple[str, ...], Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, (*path, key))
        else:
            found[*path, key] = value
    return found
