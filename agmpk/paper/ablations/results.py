"""All stored variants side by side: values, paired differences to their base, verdicts, and what
they say in sentences.

The yardstick is the spread of the default over training seeds.  For a change that did nothing, the
difference between one run of the variant and the mean of n runs of the default stays below

    margin = t_{0.975, n-1} s sqrt(1 + 1/n)

in 95 of 100 cases, s being the SD over seeds (prediction interval for one further observation,
Hahn & Meeker 1991, section 4.8).  A change of the sampler trains nothing anew and has no margin.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy.stats import t

from agmpk.errors import AgmpkError
from agmpk.evaluation import paired_difference
from agmpk.files import atomic_path, write_csv
from agmpk.paper.ablations.run import DEFAULT_PRIOR, DEVELOPMENT, MEASURES, Stored, is_current, load
from agmpk.paper.ablations.variants import DEFAULT, VARIANTS, YARDSTICK, Variant, find

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
        raise AgmpkError(f"{out} holds no ablations: make them with 'agmpk paper ablations run'.")
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


TEXT = """# Ablations of the small recipe

Made by `agmpk paper ablations run` (resumable; `--only NAME` for one, `--optional` for all);
`agmpk paper ablations list` says what is current. Nothing here is edited by hand.

| file | what it is |
|---|---|
| `variants/<name>.csv` | one row an individual: kind of studies, compound, individual, number of \
unseen points, log-RMSE, CRPS of ln y, share of points inside the 90 % interval, log-RMSE of the \
naive forecast, processor seconds of the forecast |
| `variants/<name>.json` | how it was made: all settings with the contents of the prior, size, \
training loss, seconds, machine, version of the method, digests of all that |
| `results.csv` | the variants side by side: values, paired differences to the base with 95 % \
intervals over people, margin of the training seeds, verdict |
| `benchmark_seeds.csv`, `.json` | by `agmpk paper ablations seeds`: errors of the default's \
training seeds on the 20 compounds, to report their spread; no choice rests on it |

Every variant differs from its base in one value; the recipe is `agmpk/paper/ablations/recipe.yaml`:
{steps} steps of the prior `{prior}`. A variant is made again when its settings or the contents of
its prior have changed, or the version of the method (`VERSION` in `agmpk/paper/ablations/run.py`),
not when code was moved or reformatted.

{finished} of {listed} variants are stored. Together they trained for {hours:.1f} h and were scored
for {scoring:.1f} h (wall-clock, upper bounds where other work shared the cores), on {machine}.
{missing}"""


def write_reports(out: Path) -> None:
    """Write ``results.csv`` and ``README.md`` in ``out``; nothing while the default is missing."""
    if load(out, DEFAULT) is None:
        return
    stored = load_all(out)
    write_csv(results_table(stored), out / "results.csv")
    with atomic_path(out / "README.md") as temporary:
        temporary.write_text(readme(stored), "utf-8")


def readme(stored: Mapping[str, Stored]) -> str:
    """The text of the README, in Markdown."""
    records = [one.record for one in stored.values()]
    training = stored[DEFAULT].record.settings["training"]
    missing = [f"`{v.name}`" for v in VARIANTS if v.name not in stored]
    # A change of the sampler shares the training of its base.
    own = [r for r in records if not r.name.startswith("steps-")]
    return TEXT.format(
        steps=training["steps"],
        prior=training["prior"],
        finished=len(records),
        listed=len(VARIANTS),
        hours=sum(r.training_seconds for r in own) / 3600,
        scoring=sum(r.scoring_seconds for r in records) / 3600,
        machine="; ".join(sorted({machine(r.environment) for r in records})),
        missing=f"\nNot stored: {', '.join(missing)}.\n" if missing else "",
    )


def machine(environment: Mapping[str, object]) -> str:
    """A class of machines in plain words."""
    threads = environment["threads"]
    return (
        f"{threads} thread{'s' if threads != 1 else ''} of an ordinary "
        f"{environment['machine']} processor without a GPU (torch {environment['torch']})"
    )


PLACES = {DEVELOPMENT: "development cohorts", DEFAULT_PRIOR: "simulated studies"}
WORDS = {BETTER: "better", WORSE: "worse", SAME: "same"}


@functools.cache
def meanings() -> dict[str, dict[str, str]]:
    """By group: what it asks, and what each verdict means."""
    text = (resources.files("agmpk.paper.ablations") / "meanings.yaml").read_text("utf-8")
    return yaml.safe_load(text)


def groups(table: pd.DataFrame) -> list[str]:
    """The groups with results, without the yardstick, in order."""
    return [g for g in dict.fromkeys(table.group) if g != YARDSTICK]


def paragraph(table: pd.DataFrame, group: str) -> str:
    """Markdown: the question, a line a variant, and what the answers mean.

    ``table`` as :func:`results_table` makes it.  The meaning goes by the
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
    return WORDS.get(next((v for v in verdicts if v in (BETTER, WORSE)), verdicts[0]), "")


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
