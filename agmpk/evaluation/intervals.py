"""Intervals and comparisons that resample people or compounds.

The samples of a person go together, and so do the same person's results under several compounds:
people are resampled whole.  Whether a model is better on *new compounds* is another question, and
its unit is the compound.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, wilcoxon
from scipy.stats import t as student

from agmpk.errors import AgmpkError
from agmpk.files import data_path

# The source whose subjects bear the same number under several compounds, a cocktail of drugs.  A
# catalogue's column ``people`` says the same of any of its studies.
SHARED = "lenuzza2016"


class Estimate(NamedTuple):
    """A mean and the ends of its interval, each float or [B] where B values were averaged."""

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def cluster_mean(
    values: ArrayLike,
    clusters: ArrayLike,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Mean of ``values`` [N] or [N, B] over N with a percentile interval over clusters.

    Whole clusters are drawn with replacement (Davison & Hinkley 1997, section 3.8); the mean of
    a draw is the sum of its values over their number.  The percentiles are those of the expanded
    interval (Hesterberg 2015, section 5.3), since plain ones of ten people cover 90 instead of
    95 %.  NaN ends for fewer than two clusters.

    Args:
        values: NaN marks a missing value: it counts neither in sum nor in number.
        clusters: [N] label of each value's cluster.
    """
    values = np.asarray(values, dtype=float)
    shape = values.shape[1:]
    if not len(values):
        return Estimate(*[np.full(shape, np.nan)[()]] * 3)
    wide = pd.DataFrame(values.reshape(len(values), -1))
    groups = wide[np.isfinite(wide)].groupby(np.asarray(clusters).astype(str))
    sums, counts = groups.sum().to_numpy(), groups.count().to_numpy()
    times = bootstrap_counts(len(sums), draws, seed)
    n, tail = len(sums), (1 - level) / 2
    if n > 1:
        tail = float(norm.cdf(np.sqrt(n / (n - 1)) * student.ppf(tail, n - 1)))
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column without any value
        value = sums.sum(0) / counts.sum(0)
        drawn = (times @ sums) / (times @ counts)
        low, high = np.nanquantile(drawn, [tail, 1 - tail], axis=0)
    if n < 2:
        low = high = np.full(len(value), np.nan)
    # [()] makes a number of an array without axes.
    return Estimate(*(part.reshape(shape)[()] for part in (value, low, high)))


@functools.lru_cache(maxsize=4)  # a table asks for the same draws in each of its rows
def bootstrap_counts(n: int, draws: int, seed: int) -> NDArray[np.int64]:
    """How often each of n clusters is drawn, [draws, n]: a product with it sums each draw."""
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    counts.flags.writeable = False
    return counts


def mean_table(
    frame: pd.DataFrame,
    by: Sequence[str],
    columns: Sequence[str],
    name: str,
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Means of ``columns`` in each group of ``by``, with intervals by bootstrap of :func:`people`.

    Returns: by..., ``name`` (which column), value, low, high, n (rows), n_people.
    """
    rows = []
    for key, group in frame.groupby(list(by), sort=False):
        person = people(group)
        found = cluster_mean(group[list(columns)].to_numpy(float), person, draws=draws, seed=seed)
        for column, *ends in zip(columns, *found, strict=True):
            rows.append((*key, column, *ends, len(group), person.nunique()))
    names = [*by, name, "value", "low", "high", "n", "n_people"]
    return pd.DataFrame(rows, columns=names)


def people(frame: pd.DataFrame) -> pd.Series:
    """One label per person from the columns ``compound`` and ``individual``, on the same index.

    Individuals of one ID are the same person in all studies of a group: the cocktail of the
    benchmark, and whatever studies share a name in the column ``people`` of a catalogue.  Everybody
    else, simulated individuals too, is a person of one study.
    """
    groups = _groups()
    study = frame["compound"].map(lambda name: groups.get(str(name), f"study {name}"))
    return study + "/" + frame["individual"].astype(str)


@functools.cache
def _groups() -> dict[str, str]:
    """Group of people by study, for the studies that share them."""
    found: dict[str, str] = {}
    for path in (("benchmark", "compounds.csv"), ("development", "cohorts.csv")):
        file = data_path(*path, must_exist=False)
        if not file.is_file():
            continue
        table = pd.read_csv(file)
        names = table["cohort"] if "cohort" in table else table["compound"]
        group = table["source"].where(table["source"] == SHARED)
        if "people" in table:
            group = table["people"].fillna(group)
        found |= {name: f"people {g}" for name, g in zip(names, group, strict=True) if pd.notna(g)}
    return found


class Difference(NamedTuple):
    """Mean of (first - second), its bootstrap interval over ``unit``, and Wilcoxon's p over the
    means of people or of compounds.

    Negative means that the first model's score is smaller.  ``better`` of ``n`` individuals (or
    compounds) have a smaller score under the first model.
    """

    mean: float
    low: float
    high: float
    p: float
    better: int
    n: int
    unit: str = "people"


def paired_difference(
    results: pd.DataFrame,
    first: str,
    second: str,
    level: float = 0.95,
    draws: int = 4000,
    column: str = "log_rmse",
    unit: str = "people",
) -> Difference:
    """Compare two models of a results table over the individuals with something to predict.

    Args:
        results: model, compound, individual, n_target and ``column``, one row an individual.
        column: the score that is compared.
        unit: ``people``: the mean over individuals, people resampled (the same person may appear
            under several compounds, and the errors of one person go together).  ``compounds``:
            the mean over compounds of their mean difference, compounds resampled.

    Raises:
        AgmpkError: no such column or unit, or a model is not in the table.
    """
    if unit not in ("people", "compounds"):
        raise AgmpkError(f"Differences resample people or compounds, not {unit!r}.")
    if column not in results:
        raise AgmpkError(f"The results have no column {column!r}.")
    rows = results[results.n_target > 0]
    wide = rows.pivot_table(index=["compound", "individual"], columns="model", values=column)
    for name in (first, second):
        if name not in wide:
            raise AgmpkError(f"The results have no {column} of the model {name!r}.")
    difference = (wide[first] - wide[second]).dropna().astype(float)
    if unit == "compounds":
        difference = difference.groupby(level="compound").mean()
        cluster = difference.index
    else:
        cluster = people(difference.index.to_frame(index=False)).to_numpy()
    found = cluster_mean(difference.to_numpy(), cluster, level, draws)
    means = difference.groupby(np.asarray(cluster)).mean()
    return Difference(
        *map(float, found),
        float(wilcoxon(means.to_numpy(float)).pvalue) if (means != 0).any() else 1.0,
        int((difference < 0).sum()),
        len(difference),
        unit,
    )


def against_each(results: pd.DataFrame, first: str, column: str = "log_rmse") -> pd.DataFrame:
    """:func:`paired_difference` of ``first`` to every other model that has scores, a row each.

    Columns: mean difference, low, high, p, individuals better, of.  With m comparisons the
    intervals are at level 1 - 0.05 / m and the p values multiplied by m (Bonferroni), so that all
    rows hold together, as far as a bootstrap of so few can say.
    """
    scored = results.dropna(subset=column).model
    others = [name for name in dict.fromkeys(scored) if name != first]
    apart = 1 - 0.05 / max(1, len(others))
    rows = {}
    for other in others:
        d = paired_difference(results, first, other, apart, 20_000, column)
        rows[other] = (d.mean, d.low, d.high, min(1.0, d.p * len(others)), d.better, d.n)
    columns = ["mean difference", "low", "high", "p", "individuals better", "of"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)
