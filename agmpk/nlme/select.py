"""Model selection by AIC, unattended, on the context individuals alone.

1. Structures (one or two compartments, with or without lag) with combined error and a diagonal
   Omega, each from its best starting values, with a short run of the engine.
2. The best one with other residual errors, with a full Omega (CL, V and the rest share the
   unknown bioavailable fraction), and, for two compartments, without random effects on Q and V2.
3. The lowest AIC among the acceptable fits, with a full run from where it stopped; where there are
   observations below a limit, taken further with them (``with_limits``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agmpk.nlme.closed_forms import candidates
from agmpk.nlme.data import FitData, fit_data
from agmpk.nlme.fit import (
    FULL,
    SCREENING,
    Candidate,
    Effort,
    FitFailed,
    fault,
    fit,
    starting_values,
    suggested,
    with_limits,
)
from agmpk.nlme.individual import Population
from agmpk.studies import Study


@dataclass(frozen=True)
class Selection:
    """The chosen population, every fit that was tried, and the time it took.

    ``tried`` has one row a fit: name, start (its number), effort, aic (NaN where it failed), fault
    (None for an acceptable fit), seconds.
    """

    population: Population
    tried: tuple[dict[str, Any], ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        tried = [{**row, "aic": None if np.isnan(row["aic"]) else row["aic"]} for row in self.tried]
        return {"population": self.population.to_dict(), "tried": tried, "seconds": self.seconds}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Selection:
        """The inverse of :meth:`to_dict`."""
        tried = ({**r, "aic": np.nan if r["aic"] is None else r["aic"]} for r in found["tried"])
        return cls(Population.from_dict(found["population"]), tuple(tried), found["seconds"])


class _Search:
    """Runs fits and remembers all, and the acceptable ones with their AIC."""

    def __init__(self, data: FitData, seed: int, flip_flop: bool) -> None:
        self.data, self.seed, self.flip_flop = data, seed, flip_flop
        self.reference = suggested(data)
        self.tried: list[dict[str, Any]] = []
        self.good: list[tuple[float, Candidate, Population]] = []

    def run(
        self, candidate: Candidate, start: NDArray, number: int = 1, effort: Effort = SCREENING
    ) -> Population | None:
        """Fit; remember; return the fit if it is acceptable."""
        began, aic, population = time.perf_counter(), np.nan, None
        try:
            population = fit(self.data, candidate, start, self.seed + number, effort)
            aic, wrong = population.aic, fault(population, self.reference, self.flip_flop)
        except FitFailed as error:
            wrong = str(error)
        kind = "full" if effort is FULL else "screening"
        self._remember(describe(candidate), number, kind, float(aic), wrong, began)
        if wrong is not None:
            return None
        self.good.append((aic, candidate, population))
        return population

    def with_limits(self, population: Population) -> Population:
        """The fit with the observations below their limits, if that is acceptable as well."""
        began = time.perf_counter()
        further = with_limits(population, self.data, self.seed)
        wrong = fault(further, self.reference, self.flip_flop)
        self._remember(f"{population.name} / limits", 1, "limits", further.aic, wrong, began)
        return population if wrong else further

    def _remember(self, *row: Any) -> None:
        keys = ("name", "start", "effort", "aic", "fault", "seconds")
        *known, began = row
        self.tried.append(dict(zip(keys, [*known, time.perf_counter() - began], strict=True)))

    @property
    def best(self) -> tuple[float, Candidate, Population]:
        """The acceptable fit with the lowest AIC; FitFailed when there is none."""
        if not self.good:
            faults = "; ".join(f"{r['name']}: {r['fault']}" for r in self.tried)
            raise FitFailed(
                f"No mixed-effects model of {self.data.compound} is acceptable ({faults})."
            )
        return min(self.good, key=lambda entry: entry[0])


def describe(candidate: Candidate) -> str:
    """For example ``oral-2c-lag / combined / diagonal / Q V2 fixed``."""
    parts = [candidate.structure.name, candidate.error]
    parts.append("full" if candidate.correlated else "diagonal")
    return " / ".join(parts + ([f"{' '.join(candidate.fixed)} fixed"] if candidate.fixed else []))


def select(study: Study, seed: int = 0, starts: int = 2, flip_flop: bool = False) -> Selection:
    """Choose and fit a model of a study.

    Args:
        study: the individuals to learn from (the context; the target is not among them).
        seed: same seed, same selection.
        starts: starting vectors a structure is fitted from, at most.
        flip_flop: whether absorption (of a metabolite: formation) may be slower than elimination.

    Raises:
        AgmpkError: the study cannot be fitted at all (see ``fit_data``).
        FitFailed: no candidate is acceptable; the message lists what was wrong with each.
    """
    began = time.perf_counter()
    data = fit_data(study)
    search = _Search(data, seed, flip_flop)
    for structure in candidates(data.oral, data.both):
        found = starting_values(data, structure, starts, flip_flop)
        runs = [search.run(Candidate(structure), s, i + 1) for i, s in enumerate(found)]
        if structure.compartments == 2 and not any(runs):
            search.run(Candidate(structure, fixed=("Q", "V2")), found[0])
        elif structure.oral and not any(runs):  # too few early samples for a spread of absorption
            absorption = tuple(p for p in structure.parameters if p in ("ka", "tlag"))
            search.run(Candidate(structure, fixed=absorption), found[0])
    _, chosen, population = search.best
    # At the edge of the combined error, the smaller model is the same one with a parameter less.
    proportional = population.error.a < 1e-3 * population.error.b * data.y.min()
    additive = population.error.b * data.y.max() < 1e-2 * population.error.a
    smaller = [k for k, at in (("proportional", proportional), ("additive", additive)) if at]
    for error in ("exponential", *smaller):
        search.run(replace(chosen, error=error), population.typical)
    _, chosen, population = search.best
    if chosen.structure.compartments == 2 and not chosen.fixed:
        search.run(replace(chosen, fixed=("Q", "V2")), population.typical)
        _, chosen, population = search.best
    search.run(replace(chosen, correlated=True), population.typical)
    for _, candidate, screened in sorted(search.good, key=lambda entry: entry[0]):
        # Longer runs move estimates a little: the next one serves where that makes it unacceptable.
        final = search.run(candidate, screened.typical, effort=FULL)
        if final is not None:
            if any(one.censored.any() for one in data.people):
                final = search.with_limits(final)
            return Selection(final, tuple(search.tried), time.perf_counter() - began)
    raise FitFailed(
        f"Every model of {data.compound} that looked acceptable failed in the full run "
        f"({'; '.join(str(r['fault']) for r in search.tried if r['effort'] == 'full')})."
    )
