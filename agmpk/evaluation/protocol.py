"""The questions of leave-one-out: one individual is left out, its first samples are shown, and its
law at later times is asked for.

Two protocols share what is shown and what is scored, and differ in what is *asked*:

* ``study``, the main one: the study's nominal times, that is every time at which anybody of the
  study was due to be sampled, counted from each individual's first dose, and the individual's own
  times exactly.  Nothing in the question then tells which samples could be quantified.  Samples
  below the limit of quantification are part of the context, and of the prefix up to the last
  sample that is shown; later ones are hidden, and scored as "below the limit".
* ``published``: the times at which the individual could be quantified, and nothing else (AGM-PK,
  PAGE 34, 2026).  Samples below the limit are dropped everywhere.

A sample has a value only where it reached the limit.  So the ``study`` protocol takes a value's
error and CRPS from the law that the forecast gives it *given that it is reported* (as M2 of Beal
2001 fits it), and scores what is below the limit by its probability: a forecast must not gain by
being too high.  PIT and coverage, which count both kinds, take the whole law.

In both, time 0 and values that are not positive are dropped, the first ``observed`` quantified
samples are the prefix, and the context is the study's other individuals, whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from agmpk.errors import AgmpkError
from agmpk.files import data_path
from agmpk.forecasting.forecaster import Forecast, Forecaster, forecast_all
from agmpk.studies import load_catalogue, read_studies
from agmpk.studies.study import Array, Individual, Study

PROTOCOLS = ("study", "published")
CLOSEST = 0.05  # two times nearer than this, relative to the time since the last dose, are one
MOST = 50  # asked times beyond the individual's own; more are merged more coarsely
TOGETHER = 400  # draws that are asked for at a time: more are no faster
REFUSED = ["model", "compound", "individual", "prefix", "reason"]


@dataclass(frozen=True)
class Case:
    """One left-out individual: what is known of it, what is asked, and what is scored.

    Attributes:
        compound: name of the study.
        context: the other individuals.
        prefix: the individual with the samples that are shown, and its doses.
        times: float64[T] [h], held-out samples with a value.
        observed: float64[T], their concentrations [the study's unit].
        below: float64[B] [h], held-out samples below the limit (``study`` protocol only).
        limits: float64[B], the limit of each.
        asked: float64[A] [h], increasing, all times that the model is asked for; by default
            ``times`` and ``below``.
        limit: below which no value is reported; None where none is known.
    """

    compound: str
    context: Study
    prefix: Individual
    times: Array
    observed: Array
    below: Array = field(default_factory=lambda: np.array([]))
    limits: Array = field(default_factory=lambda: np.array([]))
    asked: Array | None = None
    limit: float | None = None

    def __post_init__(self) -> None:
        if self.asked is None:
            object.__setattr__(self, "asked", np.union1d(self.times, self.below))

    @property
    def held_out(self) -> int:
        """Number of samples that can be scored, those below the limit included."""
        return len(self.times) + len(self.below)

    def ask(self, forecaster: Forecaster, n_samples: int, seed: int) -> Forecast:
        """The forecaster's answer at ``asked``; ``seed`` is the base of the case's own."""
        seed = self.seed(seed)
        return forecaster.forecast(self.context, self.prefix, self.asked, n_samples, seed)

    def seed(self, base: int) -> int:
        """A seed of its own for every case, the same in every run."""
        name = f"{self.compound}/{self.prefix.id}".encode()
        return int(np.random.SeedSequence([base, zlib.crc32(name)]).generate_state(1)[0])


@dataclass(frozen=True)
class Scored:
    """A case and the answer to it, at least at the held-out times; None where nothing is left to
    predict, and where the model refused: then ``refusal`` says why."""

    case: Case
    answer: Forecast | None
    refusal: str = ""

    @property
    def forecast(self) -> Forecast | None:
        """The answer at the held-out times with a value; None without answer or such times."""
        if self.answer is None or not len(self.case.times):
            return None
        return at_times(self.answer, self.case.times)

    @property
    def at_below(self) -> Array | None:
        """Samples [S, B] at the held-out times below the limit; None without answer."""
        if self.answer is None:
            return None
        return at_times(self.answer, self.case.below).samples

    def refused_row(self, model: str) -> tuple:
        """The row of a refusal, ``REFUSED``."""
        case = self.case
        return model, case.compound, case.prefix.id, len(case.prefix), self.refusal


def at_times(forecast: Forecast, times: Array) -> Forecast:
    """The forecast at some of its times.

    Raises:
        AgmpkError: it was not made for one of them.
    """
    index = np.searchsorted(forecast.times, times)
    known = index < len(forecast.times)
    if not np.all(known) or np.any(forecast.times[index] != times):
        raise AgmpkError("A forecast was not asked at all times at which it is to be scored.")
    point = None if forecast.point is None else forecast.point[index]
    return Forecast(np.asarray(times), forecast.samples[:, index], point, forecast.note)


def cases(compound: str, study: Study, observed: int = 4, protocol: str = "study") -> list[Case]:
    """The cases of a study, one per individual.

    Raises:
        AgmpkError: there is no such protocol, or ``observed`` is negative.
    """
    if protocol not in PROTOCOLS:
        raise AgmpkError(f"There is no protocol {protocol!r}: use one of {', '.join(PROTOCOLS)}.")
    honest = protocol == "study"
    kept, due = study.after_dose(limits=honest), _due(study if honest else ())
    limit = _limit(kept, kept.lloq) if honest else None
    return [_case(compound, kept.without(own.id), own, observed, due, limit) for own in kept]


def question(compound: str, context: Study, individual: Individual, observed: int) -> Case:
    """The case of one individual, given whole, in the context of others, by the main protocol.

    An individual with fewer than ``observed`` quantified samples shows all it has.

    Raises:
        AgmpkError: ``observed`` is negative.
    """
    due, own = _due((*context, individual)), individual.after_dose(limits=True)
    context = context.after_dose(limits=True)
    limit = _limit((*context, own), context.lloq)
    return _case(compound, context, own, observed, due, limit)


def _case(
    compound: str, context: Study, own: Individual, observed: int, due: Array, limit: float | None
) -> Case:
    """A case of usable samples."""
    if observed < 0:
        raise AgmpkError(f"{observed} samples cannot be shown: show 0 or more.")
    prefix = own.shown(observed)
    rest = own.select(slice(len(prefix), None))
    seen, low = rest.select(~rest.censored), rest.select(rest.censored)
    values = (seen.times, seen.concentrations, low.times, low.concentrations)
    return Case(compound, context, prefix, *values, _asked(prefix, rest.times, due), limit)


def _limit(people: Iterable[Individual], lloq: float | None) -> float | None:
    """The lowest limit that is told, unless a value below it was reported all the same."""
    if not lloq and not any(one.censored.any() for one in people):
        return None
    return min([lloq or np.inf, *(y for one in people for y in one.concentrations)])


def _due(people: Iterable[Individual]) -> Array:
    """Every time [h] at which anybody was sampled, with whatever result, after its first dose."""
    times = [one.times - one.doses[0].time for one in people]
    return np.unique(np.concatenate(times)) if times else np.array([])


def _asked(prefix: Individual, own: Array, due: Array) -> Array:
    """Own held-out times exactly, and the study's nominal times after the last one shown."""
    start = prefix.doses[0].time
    nominal = due + start
    nominal = nominal[nominal > (prefix.times[-1] if len(prefix) else start)]
    doses = np.array([dose.time for dose in prefix.single_doses()])
    since = nominal - doses[np.searchsorted(doses, nominal, side="left") - 1]
    share, kept, exact = CLOSEST, nominal, np.concatenate([prefix.times, own])
    while True:
        kept = _apart(kept, exact, share * since[np.searchsorted(nominal, kept)])
        if len(kept) <= MOST:
            return np.union1d(own, kept)
        share *= 1.5


def _apart(times: Array, exact: Array, distance: Array) -> Array:
    """The ``times`` that are farther than ``distance`` from the last one kept and from all
    ``exact`` ones."""
    near = np.concatenate([[-np.inf], exact, [np.inf]])
    index = np.searchsorted(near, times)
    gap = np.minimum(times - near[index - 1], near[index] - times)
    kept: list[float] = []
    for time, alone, apart in zip(times, gap > distance, distance, strict=True):
        if alone and (not kept or time - kept[-1] > apart):
            kept.append(time)
    return np.array(kept)


def answer(
    forecaster: Forecaster, questions: Iterable[Case], n_samples: int, seed: int
) -> Iterator[Scored]:
    """Ask as many cases at a time as make ``TOGETHER`` draws; a refused one says why, and the
    others go on."""
    waiting = iter(questions)
    while part := list(islice(waiting, max(1, TOGETHER // n_samples))):
        asked = [c for c in part if c.held_out]
        posed = [(c.context, c.prefix, c.asked, c.seed(seed)) for c in asked]
        answers = iter(forecast_all(forecaster, posed, n_samples))
        for case in part:
            one = next(answers) if case.held_out else None
            refusal = str(one) if isinstance(one, AgmpkError) else ""
            yield Scored(case, None if refusal else one, refusal)


def benchmark_studies() -> dict[str, Study]:
    """The 20 compounds by name, in the order of the published table; for reporting only."""
    return load_catalogue(data_path("benchmark", "compounds.csv"))


def development_studies() -> dict[str, Study]:
    """Real cohorts outside the 20 compounds: for every choice of prior, model and setting."""
    return load_catalogue(data_path("development", "cohorts.csv"))


def studies_in(folder: str | Path) -> dict[str, Study]:
    """Every study table of a folder, by name of file; a table of several analytes gives one study
    for each, named file/analyte.

    Raises:
        AgmpkError: there is no such folder, no table in it, or a table cannot be read.
    """
    files = sorted(Path(folder).glob("*.csv"))
    if not files:
        raise AgmpkError(f"{folder} is no folder with study tables (*.csv): give another one.")
    found: dict[str, Study] = {}
    for file in files:
        read = read_studies(file)
        for name, study in read.items():
            found[file.stem if len(read) == 1 else f"{file.stem}/{name}"] = study
    return found
