"""Do a model's answers hang together: along a curve, over different questions, over doses?

* :func:`coherence`: do the points of a generated individual belong together as those of a real one
  do?  Each point becomes a normal score, its rank among all curves generated for the same
  individual and time.  If a curve runs high at one sample, how high is it at the next?  The
  correlation of consecutive scores answers: 0 for points drawn one by one, near 1 for parallel
  curves, and the same for generated and real individuals where the model is right.
* :func:`consistency`: does the law at a time depend on which other times are asked?  It must not.
* :func:`dose_proportionality`: with linear kinetics, concentrations are proportional to the dose.

Shapes: n individuals, S curves generated for each, T times (of its own).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

from agmpk.errors import AgmpkError
from agmpk.evaluation.exposure import context_frame
from agmpk.evaluation.protocol import Case, at_times, cases
from agmpk.evaluation.scores import pit
from agmpk.forecasting import Forecaster
from agmpk.studies import Individual, Study


def coherence(
    observed: Sequence[NDArray[np.float64]],
    generated: Sequence[NDArray[np.float64]],
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlation of consecutive scores of observed and generated curves, and their difference.

    Args:
        observed: per individual, concentrations [T]; those with T < 2 do not count.
        generated: per individual, concentrations [S, T] at the same times, S >= 2.
        clusters: [n] person of each individual; by default everybody is somebody else.

    Returns: which (``observed``, ``generated``, ``gap`` = generated - observed), value, low, high
        (bootstrap over people), n (individuals).

    Raises:
        AgmpkError: no individual has two points.
    """
    n = len(observed)
    clusters = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    keep = [k for k in range(n) if len(observed[k]) > 1]
    if not keep:
        raise AgmpkError("Coherence needs individuals with two observations or more.")
    rows = []
    for k in keep:
        made = generated[k]
        scores = norm.ppf((rankdata(made, axis=0) - 0.5) / len(made))
        real = norm.ppf(pit(made, observed[k], seed + k))[None]
        rows.append(np.concatenate([_sums(real), _sums(scores)]))
    sums = np.array(rows)  # [n, 6]
    size = int(clusters.max()) + 1
    by_person = np.zeros((size, 6))
    np.add.at(by_person, clusters[keep], sums)
    times = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=draws)
    value, drawn = _correlations(sums.sum(0)), _correlations(times @ by_person)
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return pd.DataFrame(
        {
            "which": ["observed", "generated", "gap"],
            "value": value,
            "low": low,
            "high": high,
            "n": len(keep),
        }
    )


def _sums(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over curves [S, T] of the sums of products and squares of consecutive scores, [3]."""
    a, b = scores[:, :-1], scores[:, 1:]
    return np.array([(a * b).sum(), (a * a).sum(), (b * b).sum()]) / len(scores)


def _correlations(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """observed, generated and gap [..., 3] from sums [..., 6]; scores have mean 0 by right."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = [sums[..., k] / np.sqrt(sums[..., k + 1] * sums[..., k + 2]) for k in (0, 3)]
    return np.stack([*found, found[1] - found[0]], axis=-1)


def consistency(
    forecaster: Forecaster,
    studies: Mapping[str, Study],
    observed: int = 4,
    people: int = 20,
    n_samples: int = 400,
    seed: int = 0,
) -> pd.DataFrame:
    """How far ln PRED at an individual's own times moves with what else is asked.

    Args:
        observed: samples shown; 0 asks for new individuals (cohorts).
        people: at most so many individuals with two held-out samples or more, taken in turn from
            the studies.
        n_samples: of every forecast; a model that is sampled moves by its sampling noise, one whose
            point forecast is exact by nothing at all.

    Returns: compound, individual, n_times; and the mean over these times of the absolute change of
        ln PRED from asking all of them at once: ``alone`` (each is asked by itself), ``grid`` (the
        study's nominal times are asked as well), ``later`` (three more beyond the last are); NaN
        where the model refused.
    """
    rows = []
    for case in _in_turn(studies, observed, people, seed):
        reach = max(one.times[-1] for one in case.context if len(one))
        last = case.times[-1]
        later = np.linspace(last, max(1.5 * reach, 1.1 * last), 4)[1:]
        row = {"compound": case.compound, "individual": case.prefix.id, "n_times": len(case.times)}
        questions = {
            "alone": [case.times[k : k + 1] for k in range(len(case.times))],
            "grid": [case.asked],
            "later": [np.concatenate([case.times, later])],
        }
        try:
            together = _log_pred(forecaster, case, case.times, n_samples, seed)
            for name, asked in questions.items():
                parts = [_log_pred(forecaster, case, times, n_samples, seed) for times in asked]
                row[name] = float(np.mean(np.abs(np.concatenate(parts) - together)))
        except AgmpkError:
            row |= dict.fromkeys(questions, np.nan)
        rows.append(row)
    return pd.DataFrame(rows)


def _in_turn(studies: Mapping[str, Study], observed: int, people: int, seed: int) -> list[Case]:
    """Cases of all studies, one of each, then a second of each, and so on."""
    rng = np.random.default_rng(seed)
    found = []
    for number, (name, study) in enumerate(studies.items()):
        able = [one for one in cases(name, study, observed) if len(one.times) > 1]
        able = [one for one in able if any(len(other) for other in one.context)]
        found += [(k, number, able[i]) for k, i in enumerate(rng.permutation(len(able)))]
    return [case for _, _, case in sorted(found, key=lambda one: one[:2])[:people]]


def _log_pred(
    forecaster: Forecaster, case: Case, asked: NDArray[np.float64], n_samples: int, seed: int
) -> NDArray[np.float64]:
    """ln PRED at those of the case's times that are asked."""
    answer = replace(case, asked=asked).ask(forecaster, n_samples, seed)
    return np.log(at_times(answer, np.intersect1d(asked, case.times)).pred)


def dose_proportionality(
    forecaster: Forecaster,
    study: Study,
    amounts: Sequence[float],
    n_samples: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Exposure of new individuals of a study against their dose, one row an amount.

    The doses are those of the study's first individual with each of ``amounts`` [the study's dose
    unit]; concentrations are compared at quantiles of the study's sampling times.

    Returns: amount; ``ratio``: dose-normalized geometric mean concentration relative to its mean
        over the amounts; ``of_context``: the same relative to the mean dose-normalized log-curve of
        the study's individuals.  Both are 1 for all amounts where kinetics are linear (the second
        where the model's level is right as well).

    Raises:
        AgmpkError: the model refuses such a dose, or the study has fewer than two individuals with
            two samples.
    """
    frame = context_frame(study)
    times, first = np.unique(frame.grid, return_index=True)
    levels = []
    for amount in amounts:
        doses = tuple(replace(dose, amount=amount) for dose in study.individuals[0].doses)
        nobody = Individual("virtual", [], [], doses)
        answer = forecaster.forecast(study, nobody, times, n_samples, seed)
        levels.append(np.mean(np.log(answer.pred / amount) - frame.centre[first]))
    levels = np.array(levels)
    return pd.DataFrame(
        {
            "amount": np.asarray(amounts, dtype=float),
            "ratio": np.exp(levels - levels.mean()),
            "of_context": np.exp(levels),
        }
    )
