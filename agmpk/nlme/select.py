"""Model selection by AIC, unattended, on the context individuals alone.

1. Structures (one or two compartments, with or without lag) with combined error and a diagonal
   Omega, each from its best starting values, with a short run of the engine.
2. The best one with other residual errors, with a full Omega (CL, V and the rest share the
   unknown bioavailable fraction), and, for two compartments, without random effects on Q and V2.
3. The lowest AIC among the acceptable fits, with a full run from where it stopped; where there are
   observations below a limit, taken further with them (``with_limits``).

That is slow, so selections are kept: in memory, and in ``data/nlme/fits/``, one file a compound. A
stored one is used only for the context and the settings it was made with, and by the same
``METHOD_VERSION``; anything else is fitted again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from agmpk.errors import AgmpkError
from agmpk.files import data_path, jsonable
from agmpk.nlme.closed_forms import candidates, dose_columns
from agmpk.nlme.fit import (
    FULL,
    SCREENING,
    Candidate,
    Effort,
    FitFailed,
    fault,
    fit,
    with_limits,
)
from agmpk.nlme.population import Population
from agmpk.nlme.start import FitData, fit_data, starting_values, suggested
from agmpk.store import Store, digest
from agmpk.studies.study import Array, Individual, Study


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
        """For JSON, where what is no number is None."""
        return jsonable(vars(self) | {"population": self.population.to_dict()})

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
        self, candidate: Candidate, start: Array, number: int = 1, effort: Effort = SCREENING
    ) -> Population | None:
        """Fit; remember; return the fit if it is acceptable."""
        made = partial(fit, self.data, candidate, start, self.seed + number, effort)
        kind = "full" if effort is FULL else "screening"
        population = self._judged(made, name=describe(candidate), start=number, effort=kind)
        if population is not None:
            self.good.append((population.aic, candidate, population))
        return population

    def with_limits(self, population: Population) -> Population:
        """The fit with the observations below their limits, if that is acceptable as well."""
        made = partial(with_limits, population, self.data, self.seed)
        name = f"{population.name} / limits"
        return self._judged(made, name=name, start=1, effort="limits") or population

    def _judged(self, made: Callable[[], Population], **about: Any) -> Population | None:
        """The fit that ``made`` gives, None if it is not acceptable; remembered either way."""
        began, aic, population = time.perf_counter(), np.nan, None
        try:
            population = made()
            aic, wrong = population.aic, fault(population, self.reference, self.flip_flop)
        except FitFailed as error:
            wrong = str(error)
        seconds = time.perf_counter() - began
        self.tried.append(about | {"aic": float(aic), "fault": wrong, "seconds": seconds})
        return population if wrong is None else None

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


METHOD_VERSION = 1
"""Of what is estimated (likelihood, candidates, what is acceptable): who changes that raises it;
code may move and be rewritten freely."""


def context_key(context: Study) -> str:
    """Digest of what a fit sees, observations and doses; in any order of the individuals, and
    whatever time their clocks started at."""

    def facts(one: Individual) -> str:
        # Times to a few microseconds, so that another start of the clock gives the same.
        since = (one.times - one.doses[0].time).round(9).tolist()
        doses = [
            [(dose.time - one.doses[0].time).round(9).tolist(), *map(float, dose[1:])]
            for dose in dose_columns(one)
        ]
        seen = one.concentrations.tolist(), one.censored.tolist()
        return json.dumps([one.id, since, *seen, doses])

    return digest([context.compound, sorted(map(facts, context.after_dose(limits=True)))])


class FitStore:
    """Selections by context: in memory, and in ``folder`` (by default ``data/nlme/fits``), to which
    new ones are written where ``keep`` says so; ``starts`` as in :func:`select`."""

    def __init__(self, folder: Path | None = None, keep: bool = False, starts: int = 2) -> None:
        folder = data_path("nlme", "fits", must_exist=False) if folder is None else folder
        self._disk = Store(folder, METHOD_VERSION, "run 'agmpk paper nlme-fits fit'")
        self.keep, self.starts = keep, starts
        self._memory: dict[str, Selection | str] = {}

    def settings(self, context: Study, flip_flop: bool = False) -> dict[str, Any]:
        """What a fit answers to: seed, starting vectors a structure (at most), whether absorption
        may be slower than elimination, and the context."""
        found = {"seed": 0, "starts": self.starts, "flip_flop": flip_flop}
        return found | {"context": context_key(context)}

    def get(self, context: Study, flip_flop: bool = False) -> Selection:
        """The selection of a context, remembered, read or made.

        Raises:
            FitFailed: the fit failed, now or when it was stored.
            AgmpkError: the context cannot be fitted, or a stored file is damaged.
        """
        settings = self.settings(context, flip_flop)
        found = self._known(context.compound, settings)
        if found is None:
            found = self._memory[digest(settings)] = fitted(context, settings)
            if self.keep:
                self.put(context, settings, found)
        if isinstance(found, str):
            raise FitFailed(found)
        return found

    def has(self, context: Study, flip_flop: bool = False) -> bool:
        """Whether a current selection, or failure, of the context is stored or remembered."""
        return self._known(context.compound, self.settings(context, flip_flop)) is not None

    def _known(self, compound: str, settings: dict[str, Any]) -> Selection | str | None:
        """What is remembered or stored for these settings, None where nothing is."""
        key = digest(settings)
        if key in self._memory or (entry := self._disk.load(compound, settings)) is None:
            return self._memory.get(key)
        try:
            failed = entry.result.get("failed")
            self._memory[key] = Selection.from_dict(entry.result) if failed is None else failed
            return self._memory[key]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise AgmpkError(
                f"A stored fit of {compound} in {self._disk.folder} cannot be read ({error}): "
                "delete the file and run 'agmpk paper nlme-fits fit'."
            ) from error

    def put(self, context: Study, settings: dict[str, Any], found: Selection | str) -> None:
        """Write what :func:`fitted` gave for these settings of the context."""
        result = {"failed": found} if isinstance(found, str) else found.to_dict()
        self._disk.save(context.compound, settings, result)


def fitted(context: Study, settings: dict[str, Any]) -> Selection | str:
    """The selection of a context with these :meth:`FitStore.settings`, or why it failed."""
    try:
        return select(context, settings["seed"], settings["starts"], settings["flip_flop"])
    except FitFailed as error:
        return str(error)
