"""The data model: doses, individuals, and a study of one analyte measured in them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agmpk.errors import AgmpkError
from agmpk.studies.units import MAX_AMOUNT, MAX_CONCENTRATION, MAX_HOURS, Units, is_missing

Array = NDArray[np.float64]
"""Numbers of the package: times, concentrations and what is computed of them."""

ROUTES = ("oral", "iv_bolus", "iv_infusion")

MAX_DOSES = 10_000


def checked_name(kind: str, value: object) -> str:
    """Return ``value`` as text, or raise AgmpkError when a table could not hold it."""
    text = str(value)
    if is_missing(text) or text != text.strip() or not text.isprintable() or text[0] in "#@":
        raise AgmpkError(
            f"The {kind} {text!r} cannot be used; give printable text that is not '.', 'NA' or "
            "empty, has no blanks around it and does not begin with # or @."
        )
    return text


@dataclass(frozen=True, slots=True, order=True)
class Dose:
    """A dose, repeated ``additional`` times every ``interval`` hours; in order of time, then of
    whatever else differs.

    Attributes:
        time: start [h]; negative before the table's time 0 (a steady state written out).
        amount: amount of each single dose [the study's dose unit], > 0.
        route: one of ``ROUTES``.
        duration: length of the infusion [h]; > 0 for ``iv_infusion``, else 0.
        additional: number of further doses (NONMEM's ADDL), >= 0.
        interval: time between the starts of two doses (NONMEM's II) [h]; > 0 with ``additional``.

    Times are at most ``MAX_HOURS``, amounts ``MAX_AMOUNT``, and ``additional`` < ``MAX_DOSES``.

    Raises:
        AgmpkError: a value is outside these ranges.
    """

    time: float
    amount: float
    route: str = "oral"
    duration: float = 0.0
    additional: int = 0
    interval: float = 0.0

    def __post_init__(self) -> None:
        for name in ("time", "amount", "duration", "interval"):
            value = _number(name, getattr(self, name))
            most = MAX_AMOUNT if name == "amount" else MAX_HOURS
            if abs(value) > most:
                raise AgmpkError(
                    f"A dose's {name} is {value:g}; the most that is taken is {most:g}."
                )
            if value < 0 and name != "time":
                raise AgmpkError(f"A dose's {name} is {value:g}; it must not be negative.")
            object.__setattr__(self, name, value)
        if self.amount == 0:
            raise AgmpkError("A dose's amount is 0; it must be positive.")
        if self.route not in ROUTES:
            raise AgmpkError(f"A dose's route is {self.route!r}; it must be one of {ROUTES}.")
        if (self.route == "iv_infusion") != (self.duration > 0):
            raise AgmpkError(
                f"A dose by {self.route} has a duration of {self.duration:g} h; an iv_infusion "
                "needs a positive duration and the other routes need 0."
            )
        count = _number("additional", self.additional)
        if count < 0 or not count.is_integer():
            raise AgmpkError(f"A dose's additional is {count:g}; it must be a whole number >= 0.")
        if count >= MAX_DOSES:
            raise AgmpkError(
                f"A dose's additional is {count:g}; the most that is taken is {MAX_DOSES - 1:,}."
            )
        object.__setattr__(self, "additional", int(count))
        if self.additional and self.interval == 0:
            raise AgmpkError("A dose with additional doses has no interval; give it in hours.")

    def expand(self) -> tuple[Dose, ...]:
        """Return the ``additional + 1`` single doses of the schedule, in order of time."""
        return tuple(
            replace(self, time=self.time + k * self.interval, additional=0, interval=0.0)
            for k in range(self.additional + 1)
        )


def _number(name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise AgmpkError(f"A dose's {name} is {value!r}; it must be a finite number.")
    return number


@dataclass(frozen=True, eq=False)
class Individual:
    """Observations and doses of one individual. T counts the observations, T >= 0.

    Attributes:
        id: name, unique in its study.
        times: float64[T] [h], strictly increasing, >= 0, read-only.
        concentrations: float64[T] [the study's unit], >= 0, read-only; where ``censored``, the
            lower limit of quantification (LLOQ) of that observation.
        doses: at least one, kept in order of time.
        censored: bool[T], True where the observation is below its LLOQ, read-only.
        person: the human being, where one is several individuals of a study (occasions) or of
            several studies; None when that is ``id``.

    Arrays are copied. Two individuals are equal when all of the above is.

    Raises:
        AgmpkError: a value is outside these ranges, or the lengths differ.
    """

    id: str
    times: Array
    concentrations: Array
    doses: tuple[Dose, ...]
    censored: NDArray[np.bool_] | None = None  # None means none; always an array afterwards
    person: str | None = None

    def __post_init__(self) -> None:
        name = checked_name("ID", self.id)
        times = _read_only(name, "times", self.times, np.float64)
        values = _read_only(name, "concentrations", self.concentrations, np.float64)
        marks = np.zeros(len(times), bool) if self.censored is None else self.censored
        marks = _read_only(name, "censored", marks, np.bool_)
        if not len(times) == len(values) == len(marks):
            raise AgmpkError(
                f"Individual {name} has {len(times)} times, {len(values)} concentrations and "
                f"{len(marks)} censoring marks; give one of each per observation."
            )
        if (times[:1] < 0).any() or (times[1:] <= times[:-1]).any():
            raise AgmpkError(
                f"Individual {name} has times that are negative or not strictly increasing; "
                "sort them and merge repeated ones."
            )
        if (times[-1:] > MAX_HOURS).any() or (values > MAX_CONCENTRATION).any():
            raise AgmpkError(
                f"Individual {name} has a time after {MAX_HOURS:g} h or a concentration above "
                f"{MAX_CONCENTRATION:g}; correct it or its unit."
            )
        if (values < 0).any() or (values[marks] == 0).any():
            raise AgmpkError(
                f"Individual {name} has a negative concentration, or a censored one that does "
                "not hold its (positive) LLOQ; correct or remove it."
            )
        person = name if self.person is None else checked_name("person", self.person)
        self.__dict__.update(
            id=name,
            times=times,
            concentrations=values,
            doses=_checked_doses(name, self.doses),
            censored=marks,
            person=None if person == name else person,
        )

    def __len__(self) -> int:
        """Return T, the number of observations."""
        return len(self.times)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Individual) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple:
        values = self.concentrations.tolist(), self.censored.tolist()
        who = self.id, self.person, self.doses
        return (*who, tuple(self.times.tolist()), *map(tuple, values))

    def __reduce__(self) -> tuple:
        # Unpickling through the constructor keeps the arrays read-only (workers, deepcopy).
        arrays = self.times, self.concentrations, self.doses, self.censored
        return Individual, (self.id, *arrays, self.person)

    def select(self, keep: ArrayLike) -> Individual:
        """Return the individual with the observations that ``keep`` (mask bool[T], slice or
        indices in increasing order) picks; the doses stay."""
        chosen = keep if isinstance(keep, slice) else np.asarray(keep)
        times, values, marks = (
            one[chosen] for one in (self.times, self.concentrations, self.censored)
        )
        return Individual(self.id, times, values, self.doses, marks, self.person)

    def prefix(self, p: int) -> Individual:
        """Return the individual with its first ``p`` observations (all if it has fewer).

        Raises:
            AgmpkError: ``p`` is negative.
        """
        if p < 0:
            raise AgmpkError(f"A prefix of {p} observations was asked for; it must be 0 or more.")
        return self.select(slice(0, p))

    def shown(self, observed: int) -> Individual:
        """Return the individual with its first ``observed`` quantified observations, and whatever
        is below the limit before the last of them: what somebody knows who has waited for
        ``observed`` values."""
        quantified = np.flatnonzero(~self.censored)[:observed]
        return self.select(slice(0, quantified[-1] + 1 if len(quantified) else 0))

    def quantifiable(self) -> Individual:
        """Return the individual with the observations whose logarithm is known: positive and not
        censored. Pre-dose zeros go; a positive pre-dose value stays."""
        return self.select((self.concentrations > 0) & ~self.censored)

    def after_dose(self, limits: bool = False) -> Individual:
        """Return the individual with its :meth:`quantifiable` observations after its first dose:
        what the benchmark's protocol keeps; with those below their ``limits`` too where asked."""
        after = (self.times > self.doses[0].time) & (self.concentrations > 0)
        return self.select(after & (limits | ~self.censored))

    def single_doses(self) -> tuple[Dose, ...]:
        """Return all doses with schedules expanded, in order of time."""
        return tuple(sorted(single for dose in self.doses for single in dose.expand()))


def _read_only(name: str, field: str, values: ArrayLike, dtype: type) -> NDArray:
    try:
        array = np.array(values, dtype=dtype)
    except (TypeError, ValueError):
        raise AgmpkError(f"Individual {name} has {field} that are not numbers.") from None
    if array.ndim != 1 or not np.isfinite(array).all():
        raise AgmpkError(
            f"Individual {name} has {field} that are not one row of finite numbers; "
            "leave missing observations out."
        )
    array.flags.writeable = False
    return array


def _checked_doses(name: str, doses: Iterable[Dose]) -> tuple[Dose, ...]:
    found: Sequence[Dose] = tuple(doses)
    if not found or not all(isinstance(dose, Dose) for dose in found):
        raise AgmpkError(f"Individual {name} has no dose; give at least one Dose.")
    if len(set(found)) < len(found):
        raise AgmpkError(f"Individual {name} has the same dose twice; add the amounts up.")
    return tuple(sorted(found))


@dataclass(frozen=True)
class Study:
    """A set of individuals in whom one compound (a drug or a metabolite) was measured.

    Attributes:
        compound: the analyte. A metabolite's study holds the doses of its parent.
        individuals: with unique IDs; may be empty (a context of nobody).
        units: of times, concentrations and doses.
        lloq: lower limit of quantification [concentration unit], or None when unknown.

    Raises:
        AgmpkError: an ID occurs twice, or a value is outside its range.
    """

    compound: str
    individuals: tuple[Individual, ...]
    units: Units = field(default_factory=Units)
    lloq: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "compound", checked_name("compound", self.compound))
        object.__setattr__(self, "individuals", tuple(self.individuals))
        seen: set[str] = set()
        for one in self.individuals:
            if not isinstance(one, Individual):
                raise AgmpkError(f"The study of {self.compound} holds {one!r}, not an Individual.")
            if one.id in seen:
                raise AgmpkError(
                    f"The study of {self.compound} has two individuals with ID {one.id}; "
                    "give each its own."
                )
            seen.add(one.id)
        if self.lloq is not None:
            if not (math.isfinite(self.lloq) and self.lloq > 0):
                raise AgmpkError(
                    f"The LLOQ of the study of {self.compound} is {self.lloq}; "
                    "give a positive number or None."
                )
            object.__setattr__(self, "lloq", float(self.lloq))

    @property
    def ids(self) -> tuple[str, ...]:
        """IDs in the order of the individuals."""
        return tuple(one.id for one in self.individuals)

    @property
    def people(self) -> tuple[str, ...]:
        """The human beings, each once: fewer than the individuals where some are occasions."""
        return tuple(dict.fromkeys(one.person or one.id for one in self.individuals))

    def __len__(self) -> int:
        return len(self.individuals)

    def __iter__(self) -> Iterator[Individual]:
        return iter(self.individuals)

    def __getitem__(self, id: str) -> Individual:
        """Return the individual with this ID; AgmpkError names the IDs there are."""
        for one in self.individuals:
            if one.id == str(id):
                return one
        raise AgmpkError(
            f"The study of {self.compound} has no individual {id}; "
            f"it has {', '.join(self.ids) or 'nobody'}."
        )

    def without(self, id: str) -> Study:
        """Return the study without one person: the context of that individual. Other occasions of
        the same person go, too."""
        left_out = self[id].person or str(id)
        kept = [one for one in self if one.id != str(id) and (one.person or one.id) != left_out]
        return replace(self, individuals=kept)

    def only_quantifiable(self) -> Study:
        """Return the study with the observations whose logarithm is known, see
        :meth:`Individual.quantifiable`; all individuals stay, even those left with none."""
        return replace(self, individuals=[one.quantifiable() for one in self])

    def after_dose(self, limits: bool = False) -> Study:
        """Return the study with the observations after each first dose, see
        :meth:`Individual.after_dose`; all individuals stay."""
        return replace(self, individuals=[one.after_dose(limits) for one in self])
