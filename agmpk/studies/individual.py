"""One individual: observations on an irregular grid, and doses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agmpk.errors import AgmpkError
from agmpk.studies.dose import Dose
from agmpk.studies.names import checked_name


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

    Arrays are copied. Two individuals are equal when all of the above is.

    Raises:
        AgmpkError: a value is outside these ranges, or the lengths differ.
    """

    id: str
    times: NDArray[np.float64]
    concentrations: NDArray[np.float64]
    doses: tuple[Dose, ...]
    censored: NDArray[np.bool_] | None = None  # None means none; always an array afterwards

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
        if np.any(times < 0) or np.any(np.diff(times) <= 0):
            raise AgmpkError(
                f"Individual {name} has times that are negative or not strictly increasing; "
                "sort them and merge repeated ones."
            )
        if np.any(values < 0) or np.any(values[marks] == 0):
            raise AgmpkError(
                f"Individual {name} has a negative concentration, or a censored one that does "
                "not hold its (positive) LLOQ; correct or remove it."
            )
        for field, value in (
            ("id", name),
            ("times", times),
            ("concentrations", values),
            ("doses", _checked_doses(name, self.doses)),
            ("censored", marks),
        ):
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        """Return T, the number of observations."""
        return len(self.times)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Individual) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple:
        values = self.concentrations.tolist(), self.censored.tolist()
        return (self.id, self.doses, tuple(self.times.tolist()), *map(tuple, values))

    def __reduce__(self) -> tuple:
        # Unpickling through the constructor keeps the arrays read-only (workers, deepcopy).
        return Individual, (self.id, self.times, self.concentrations, self.doses, self.censored)

    def select(self, keep: ArrayLike) -> Individual:
        """Return the individual with the observations that ``keep`` (mask bool[T], slice or
        indices in increasing order) picks; the doses stay."""
        chosen = keep if isinstance(keep, slice) else np.asarray(keep)
        return Individual(
            self.id,
            self.times[chosen],
            self.concentrations[chosen],
            self.doses,
            self.censored[chosen],
        )

    def prefix(self, p: int) -> Individual:
        """Return the individual with its first ``p`` observations (all if it has fewer).

        Raises:
            AgmpkError: ``p`` is negative.
        """
        return self.select(slice(0, _checked_prefix(p)))

    def rest(self, p: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (times [h], concentrations) of the observations after the first ``p``.

        Raises:
            AgmpkError: ``p`` is negative.
        """
        start = _checked_prefix(p)
        return self.times[start:], self.concentrations[start:]

    def quantifiable(self) -> Individual:
        """Return the individual with the observations whose logarithm is known: positive and not
        censored. Pre-dose zeros go; a positive pre-dose value stays."""
        return self.select((self.concentrations > 0) & ~self.censored)

    def after_dose(self) -> Individual:
        """Return the individual with its :meth:`quantifiable` observations after its first dose:
        what the benchmark's protocol keeps."""
        usable = self.quantifiable()
        return usable.select(usable.times > self.doses[0].time)

    def single_doses(self) -> tuple[Dose, ...]:
        """Return all doses with schedules expanded, in order of time."""
        singles = [single for dose in self.doses for single in dose.expand()]
        return tuple(sorted(singles, key=lambda dose: dose.time))


def _read_only(name: str, field: str, values: ArrayLike, dtype: type) -> NDArray:
    try:
        array = np.array(values, dtype=dtype)
    except (TypeError, ValueError):
        raise AgmpkError(f"Individual {name} has {field} that are not numbers.") from None
    if array.ndim != 1 or not np.all(np.isfinite(array)):
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
    return tuple(sorted(found, key=lambda dose: dose.time))


def _checked_prefix(p: int) -> int:
    if p < 0:
        raise AgmpkError(f"A prefix of {p} observations was asked for; it must be 0 or more.")
    return p
