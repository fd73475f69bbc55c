"""One dosing event, or a schedule of equal ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from agmpk.errors import AgmpkError

ROUTES = ("oral", "iv_bolus", "iv_infusion")


@dataclass(frozen=True, slots=True)
class Dose:
    """A dose, repeated ``additional`` times every ``interval`` hours.

    Attributes:
        time: start [h], >= 0.
        amount: amount of each single dose [the study's dose unit], > 0.
        route: one of ``ROUTES``.
        duration: length of the infusion [h]; > 0 for ``iv_infusion``, else 0.
        additional: number of further doses (NONMEM's ADDL), >= 0.
        interval: time between the starts of two doses (NONMEM's II) [h]; > 0 with ``additional``.

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
            if value < 0:
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
        if count < 0 or count != int(count):
            raise AgmpkError(f"A dose's additional is {count:g}; it must be a whole number >= 0.")
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
