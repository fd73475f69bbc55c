"""Fit the ranges of the ``calibrated`` preset to the literature.

The procedure:

1. start from ``extended`` with the changes that the development cohorts ask for
   (``changes.yaml``);
2. stretch the ranges that the literature can speak about to their outer limits, and simulate a
   pool of bioequivalence trials from that broad prior, with the hyper-parameters of each trial;
3. weight the pool for any candidate in place of simulating it, and move one end of one range at a
   time while that lowers the objective: the sum of the Wasserstein distances of all quantities in
   units of the literature's standard deviation, plus ``PENALTY`` times the share by which the
   literature inside the prior's 95 % range falls short of 95 %;
4. an end moves inwards by no more than a quarter of its range, and some do not at all: the prior
   must also serve what the literature does not show.

Weights: the laws of the broad prior are uniform (or log-uniform); a candidate has the same laws on
shorter ranges and other probabilities of the switches, so a trial's weight is the product of
1/width where its draws lie within the candidate's ranges (0 where one does not), and of the
candidate's probabilities over those of the pool.

The 20 compounds of the benchmark take no part in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from tqdm import tqdm

from agmpk.config import load_yaml
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path
from agmpk.paper.prior_fit.trials import (
    QUANTITIES,
    be_trials,
    comparable,
    distances,
    horizons,
    put,
    trial_block,
)
from agmpk.prior import PriorConfig
from agmpk.prior.laws import Law

COVERAGE, PENALTY = 0.95, 4.0
"""Share of the literature that the prior's 95 % range should hold, and a shortfall's price."""

THINNEST, FEWEST = 0.01, 20.0
"""A candidate is trusted with this share of the pool's trials in effect, and this many of them."""

STEPS = (0.2, 0.1, 0.05)
"""Step sizes, as shares of the starting widths (and of 1 for a probability), tried in turn."""

GAIN = 0.02
"""A move has to lower the objective by this much: what the data do not ask for stays put."""

KEPT, GAINED = 0.7, 0.1
"""A switch keeps this share of its starting probability, and gains no more than that."""


@dataclass(frozen=True)
class Limits:
    """How far the ends of a range may move, as shares of its starting width: ``reach`` outwards,
    ``trim_low`` and ``trim_high`` inwards; on the logarithmic scale for a log-uniform law."""

    reach: float = 0.3
    trim_low: float = 0.25
    trim_high: float = 0.25


_TABLE = load_yaml(Path(__file__).with_name("changes.yaml"))
CHANGES: Mapping[str, dict[str, Any]] = _TABLE["cohorts"]
"""By quantity "group.quantity": its new ``value`` and the ``reason``."""
RANGES = {path: Limits(**limits) for path, limits in _TABLE["ranges"].items()}
SWITCHES: tuple[str, ...] = tuple(_TABLE["switches"])

Candidate = Mapping[str, Law | float]
Moves = dict[tuple[str, str], float]


def changed(start: PriorConfig) -> PriorConfig:
    """The starting prior with every change made."""
    values = {}
    for path, change in CHANGES.items():
        old, new = get(start, path), change["value"]
        values[path] = Law(*new, log=old.log) if isinstance(old, Law) else new
    horizons = start.design.horizons
    # Two cohorts end at four hours, which is earlier than any horizon of extended.
    values["design.horizons"] = horizons if min(horizons) <= 4 else (4.0, *horizons)
    return put(start, values)


def get(config: PriorConfig, path: str) -> Law | float:
    """The quantity "group.quantity" of a prior."""
    group, name = path.split(".")
    return getattr(getattr(config, group), name)


def moved(law: Law, low: float, high: float) -> Law:
    """The law with its ends moved outwards by shares of its width (inwards where negative)."""
    a, b = (math.log(law.low), math.log(law.high)) if law.log else (law.low, law.high)
    a, b = a - low * (b - a), b + high * (b - a)
    if law.log:
        a, b = math.exp(a), math.exp(b)
    return Law(a, b, law.log)


@dataclass(frozen=True)
class Space:
    """What the fit may change of a prior: the ends of ``ranges`` and the probabilities of
    ``switches``."""

    start: PriorConfig
    ranges: Mapping[str, Limits] = field(default_factory=lambda: RANGES)
    switches: Sequence[str] = SWITCHES

    def unmoved(self) -> dict[str, Law | float]:
        """Every law and probability at the start."""
        return {path: get(self.start, path) for path in (*self.ranges, *self.switches)}

    def broadened(self) -> PriorConfig:
        """The prior with every range at its outer limits."""
        reach = {path: one.reach for path, one in self.ranges.items()}
        return put(self.start, {k: moved(get(self.start, k), r, r) for k, r in reach.items()})

    def candidate(self, moves: Moves) -> dict[str, Law | float]:
        """Laws and probabilities after the given moves (outwards positive)."""
        found = self.unmoved()
        for path in self.ranges:
            found[path] = moved(found[path], moves[path, "low"], moves[path, "high"])
        return found | {k: found[k] + moves[k, "probability"] for k in self.switches}

    def allowed(self, path: str, side: str, move: float) -> bool:
        """Whether a move stays within the limits of its range or switch."""
        tiny = 1e-9
        if side == "probability":
            p = get(self.start, path)
            return KEPT * p - tiny <= p + move <= min(1.0, p + GAINED) + tiny
        limits = self.ranges[path]
        trim = limits.trim_low if side == "low" else limits.trim_high
        return -trim - tiny <= move <= limits.reach + tiny


def importance_weights(
    pool: pd.DataFrame, candidate: Mapping[str, Law | float], chances: Mapping[str, float]
) -> NDArray[np.float64]:
    """Weights float64[S] of the pool's trials under the candidate's laws and probabilities.

    ``chances`` are the probabilities of the switches in the pool.  A constant factor of all weights
    (the widths) is left out.
    """
    weights = np.ones(len(pool))
    for path, value in candidate.items():
        drawn = pool[path].to_numpy()
        if isinstance(value, Law):
            weights *= (drawn >= value.low) & (drawn <= value.high)
        else:
            chance = chances[path]
            weights *= np.where(drawn > 0.5, value / chance, (1.0 - value) / (1.0 - chance))
    return weights


def effective_size(weights: NDArray[np.float64]) -> float:
    """Kish's effective sample size, (sum w)^2 / sum w^2; 0 where all weights are 0."""
    square = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / square if square > 0 else 0.0


class FitResult(NamedTuple):
    """The fitted prior; the objective and the effective number of trials at start and end."""

    config: PriorConfig
    objective: tuple[float, float]
    effective: tuple[float, float]


def fit(space: Space, articles: pd.DataFrame, pool: pd.DataFrame) -> FitResult:
    """The prior ``calibrated`` from the start of ``space``, by the procedure above.

    ``articles`` is the table of :func:`agmpk.paper.prior_fit.trials.literature`; ``pool`` that of
    :func:`trial_pool`.  The same pool gives the same ranges.

    Raises:
        AgmpkError: the pool leaves too few effective trials for the starting prior.
    """
    objective, unmoved = Objective(pool, articles, space), space.unmoved()
    before = objective(unmoved)
    if not np.isfinite(before):
        raise AgmpkError(
            f"{len(pool)} simulated trials leave too few effective ones for the starting "
            "prior; simulate more blocks."
        )
    found, after = coordinate_search(space, objective)
    config = put(space.start, {k: _rounded(v) for k, v in found.items()}).replace(name="calibrated")
    effective = tuple(effective_size(objective.weights(c)) for c in (unmoved, found))
    return FitResult(config, (before, after), effective)


def trial_pool(space: Space, articles: pd.DataFrame, seed: int, blocks: int) -> pd.DataFrame:
    """The pool of step 2: ``blocks`` blocks of 64 trials, one row each.

    Each switch is on in some blocks and off in the others, by chance, and the columns of that name
    hold 1 or 0; all others are as of :func:`agmpk.paper.prior_fit.trials.trial_block`.
    """
    broad = be_trials(space.broadened(), horizons(articles))
    parts = []
    for block in tqdm(range(blocks), desc="trials", unit="block", disable=None):
        rng = np.random.default_rng([seed, block, 1])
        chosen = {k: float(rng.random() < get(space.start, k)) for k in space.switches}
        parts.append(trial_block(put(broad, chosen), seed, block).assign(**chosen))
    # Eight digits, so that what lies on the very edge of a range (a common sampling time, as Tmax
    # often is) lies there on every machine.
    return pd.concat(parts, ignore_index=True).map(lambda value: float(f"{value:.8g}"))


def held_out(
    space: Space, articles: pd.DataFrame, pool: pd.DataFrame, seed: int, splits: int
) -> pd.DataFrame:
    """The fit on halves of the articles, judged on the other half: what it is worth on new ones.

    Each of ``splits`` random splits gives two rows, one for either half as the fitted one; all else
    is as for :func:`fit`.

    Returns:
        Columns split, articles (of the held-out half), and the objective ``fitted_before``,
        ``fitted_after``, ``held_out_before`` and ``held_out_after``.
    """
    unmoved = space.unmoved()
    rng, rows = np.random.default_rng(seed), []
    for split in range(splits):
        first = np.isin(np.arange(len(articles)), rng.permutation(len(articles))[::2])
        for mine in (first, ~first):
            fitted, other = (Objective(pool, articles[part], space) for part in (mine, ~mine))
            found, after = coordinate_search(space, fitted)
            values = fitted(unmoved), after, other(unmoved), other(found)
            rows.append((split + 1, int((~mine).sum()), *values))
    names = ["fitted_before", "fitted_after", "held_out_before", "held_out_after"]
    return pd.DataFrame(rows, columns=["split", "articles", *names])


class Objective:
    """The summed distances of a candidate, see step 3; infinite where the pool is too thin."""

    def __init__(self, pool: pd.DataFrame, articles: pd.DataFrame, space: Space) -> None:
        values = comparable(pool)
        keep = values.notna().all(axis=1)
        self.pool, self.values = pool[keep], values[keep].to_numpy(float).T
        self.chances = {path: get(space.start, path) for path in space.switches}
        self.smallest = max(FEWEST, THINNEST * len(pool))
        real = [comparable(articles)[q].dropna().to_numpy(float) for q in QUANTITIES]
        self.units = [one.std(ddof=1) for one in real]
        self.real = [one / unit for one, unit in zip(real, self.units, strict=True)]

    def weights(self, candidate: Candidate) -> NDArray[np.float64]:
        """Importance weights of the pool's trials."""
        return importance_weights(self.pool, candidate, self.chances)

    def __call__(self, candidate: Candidate) -> float:
        weights = self.weights(candidate)
        if effective_size(weights) < self.smallest:
            return np.inf
        chosen = weights > 0
        total = 0.0
        for real, values, unit in zip(self.real, self.values, self.units, strict=True):
            found = distances(real, values[chosen] / unit, weights[chosen])
            total += found["wasserstein"] + PENALTY * max(0.0, COVERAGE - found["inside_95"])
        return total


def _rounded(value: Law | float) -> Law | float:
    """Three digits: more would claim more than some fifty articles can say."""
    if isinstance(value, Law):
        return Law(float(f"{value.low:.3g}"), float(f"{value.high:.3g}"), value.log)
    return round(value, 3)


def coordinate_search(
    space: Space, objective: Callable[[Candidate], float]
) -> tuple[dict[str, Law | float], float]:
    """The candidate of the lowest objective that single moves of one end at a time lead to.

    Coordinates are visited in a fixed order, and the first improving direction of each is taken,
    so the result is the same on every machine.  Returns the candidate and its objective.
    """
    moves = {(path, side): 0.0 for path in space.ranges for side in ("low", "high")}
    moves |= {(path, "probability"): 0.0 for path in space.switches}
    best = objective(space.candidate(moves))
    for step in STEPS:
        improved = True
        while improved:
            improved = False
            for key in moves:
                for shift in (step, -step):
                    trial = {**moves, key: moves[key] + shift}
                    if not space.allowed(*key, trial[key]):
                        continue
                    value = objective(space.candidate(trial))
                    if value < best - GAIN:
                        moves, best, improved = trial, value, True
                        break
    return space.candidate(moves), best


def write_preset(result: FitResult, start: str, seed: int, pool: pd.DataFrame, path: Path) -> None:
    """Write the YAML of the fitted preset, one quantity a line, below how it was made (from the
    preset ``start``, with a ``pool`` of this ``seed``), whole or not at all."""
    before, after = result.objective
    options = f"--start {start} --seed {seed} --blocks {len(pool) // 64}"
    comments = [
        f"Made by `agmpk paper prior-fit fit {options}`; do not edit.",
        f"The preset {start}, with these quantities changed for the development cohorts",
        "(agmpk/paper/prior_fit/changes.yaml):",
        *[f"  {path}: {change['reason']}" for path, change in CHANGES.items()],
        "and then the ranges of agmpk/paper/prior_fit/changes.yaml fitted to the bioequivalence",
        "literature (data/literature/reference.csv): summed Wasserstein distance and shortfall of",
        f"coverage {before:.2f} before and {after:.2f} after the fit, from {len(pool)} trials",
        f"({result.effective[1]:.0f} effective ones). The 20 benchmark compounds took no part.",
    ]

    def flow(value: Any) -> str:
        text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
        return text.removesuffix("...\n").strip()

    lines = [f"# {line}".rstrip() for line in comments]
    for name, value in result.config.to_dict().items():
        if isinstance(value, dict):
            lines += [f"{name}:", *(f"  {key}: {flow(one)}" for key, one in value.items())]
        else:
            lines.append(f"{name}: {flow(value)}")
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
