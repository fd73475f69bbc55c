"""Closed forms: disposition (one or two compartments) times input (bolus, infusion, first-order).

Every linear compartment model answers a unit bolus by a sum of exponentials,
sum_l A_l exp(-lambda_l t), and each of them has a closed form of its response to the other inputs;
the doses add up (superposition), each with its own time, amount, route and duration.
(Gabrielsson & Weiner 2016; Bertrand & Mentre 2008.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from agmpk.errors import AgmpkError
from agmpk.studies.study import Array, Individual

Exponentials = list[tuple[Array, Array]]
"""Pairs (A [1 / volume], lambda [1/h]) of a unit bolus response sum A exp(-lambda t)."""

AT_ONCE = 1e-10
"""[h] A sample this close to a dose was taken before it: at the time of a dose tables hold the
trough, in the row before the dose. Larger than rounding in time + k x interval."""


class DoseColumn(NamedTuple):
    """The k-th dose, of one individual (scalars) or of every observation's (arrays [N]).

    ``amount`` may be 0: the individual has fewer doses. ``duration`` [h] is 0 unless infused.
    ``oral`` is 1 for a swallowed dose and 0 for an intravenous one.
    """

    time: Array
    amount: Array
    duration: Array
    oral: Array


@dataclass(frozen=True)
class StructuralModel:
    """One or two compartments; IV, or oral with or without an absorption lag, or both.

    Parameters, all positive: ``ka`` [1/h], ``tlag`` [h], ``F`` [1], ``CL`` and ``Q`` [volume/h],
    ``V`` and ``V2`` [volume = dose unit / concentration unit]. Where all doses are oral, CL, V, Q
    and V2 are apparent (divided by the bioavailable fraction); with ``both``, some doses are
    intravenous, and F is the bioavailability of the oral ones relative to them.

    Raises:
        AgmpkError: other than one or two compartments, or a lag or both routes without oral doses.
    """

    compartments: int
    oral: bool
    lag: bool = False
    both: bool = False

    def __post_init__(self) -> None:
        absorbs = self.lag or self.both
        if self.compartments not in (1, 2) or (absorbs and not self.oral):
            raise AgmpkError(
                f"There is no structural model with {self.compartments} compartments"
                f"{' and a lag after an IV dose' if absorbs and not self.oral else ''}; "
                "use 1 or 2, and a lag or both routes with oral doses only."
            )

    @property
    def intravenous(self) -> bool:
        """Whether it knows what an intravenous dose does."""
        return self.both or not self.oral

    @property
    def name(self) -> str:
        """For example ``oral-2c-lag``, ``iv-1c`` or ``both-1c``."""
        route = "both" if self.both else "oral" if self.oral else "iv"
        return f"{route}-{self.compartments}c{'-lag' if self.lag else ''}"

    @classmethod
    def named(cls, name: str) -> StructuralModel:
        """The model of a name; AgmpkError if there is none."""
        for routes in ((True, False), (False, False), (True, True)):
            for model in candidates(*routes):
                if model.name == name:
                    return model
        raise AgmpkError(f"There is no structural model {name!r}; one is called 'oral-1c-lag'.")

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names in the order of the last axis of ``values``."""
        absorption = ("ka", "tlag") if self.lag else ("ka",) if self.oral else ()
        fraction = ("F",) if self.both else ()
        return (*absorption, *fraction, "CL", "V", *(("Q", "V2") if self.compartments == 2 else ()))

    def concentration(self, values: Array, times: Array, doses: Sequence[DoseColumn]) -> Array:
        """Concentrations at ``times`` [h]; at the very time of a dose, before it.

        Args:
            values: float64[..., P] parameters, the last axis as ``parameters``; the leading axes
                broadcast with ``times``.
            times: float64[...] [h].
            doses: the doses to add up; each entry holds scalars or arrays that broadcast.
        """
        named = dict(zip(self.parameters, np.moveaxis(values, -1, 0), strict=True))
        total: Array | float = 0.0
        with np.errstate(under="ignore", over="ignore", invalid="ignore", divide="ignore"):
            terms = self.exponentials(values)
            for dose in doses:
                elapsed = times - dose.time
                if self.oral:
                    added = _absorbed(terms, elapsed - named.get("tlag", 0.0), dose, named["ka"])
                if self.both:
                    added = named["F"] * added
                    added = np.where(dose.oral > 0, added, _intravenous(terms, elapsed, dose))
                elif not self.oral:
                    added = _intravenous(terms, elapsed, dose)
                total = total + added
        return np.asarray(total, dtype=float)

    def exponentials(self, values: Array) -> Exponentials:
        """The disposition's exponentials, fast before slow, each of the leading shape of
        ``values`` [..., P].

        One compartment: dC/dt = -(CL / V) C after a bolus that starts it at 1 / V. Two:
        V dC/dt = -CL C - Q (C - C2) and V2 dC2/dt = Q (C - C2). With k10 = CL / V, k12 = Q / V,
        k21 = Q / V2 the rates are the roots of lambda^2 - (k10 + k12 + k21) lambda + k10 k21 = 0,
        and with d = V (lambda_1 - lambda_2) the coefficients are A_1 = (lambda_1 - k21) / d and
        A_2 = (k21 - lambda_2) / d.
        """
        first = self.parameters.index("CL")
        cl, v, *peripheral = np.moveaxis(values, -1, 0)[first:]
        if not peripheral:
            return [(1 / v, cl / v)]
        q, v2 = peripheral
        k10, k12, k21 = cl / v, q / v, q / v2
        total = k10 + k12 + k21
        # The same root as sqrt(total^2 - 4 k10 k21), written as a sum of positive terms.
        root = np.sqrt((k10 + k12 - k21) ** 2 + 4 * k12 * k21)
        fast = (total + root) / 2
        slow = k10 * k21 / fast  # the product of the roots; no cancellation
        return [((fast - k21) / (v * root), fast), ((k21 - slow) / (v * root), slow)]


def candidates(oral: bool, both: bool = False) -> tuple[StructuralModel, ...]:
    """The models tried for a route, or for ``both``, from the smallest to the largest."""
    lags = (False, True) if oral else (False,)
    return tuple(StructuralModel(n, oral, lag, both) for n in (1, 2) for lag in lags)


def dose_columns(one: Individual) -> tuple[DoseColumn, ...]:
    """The single doses of one individual as scalars."""
    return tuple(
        DoseColumn(*np.array([dose.time, dose.amount, dose.duration, dose.route == "oral"], float))
        for dose in one.single_doses()
    )


def _intravenous(exponentials: Exponentials, elapsed: Array, dose: DoseColumn) -> Array:
    """Concentration ``elapsed`` [h] after a bolus, or after the start of an infusion.

    An exponential answers a unit bolus by exp(-lambda t), and a unit amount infused over D by
    (1 - exp(-lambda min(t, D))) / (lambda D) exp(-lambda max(t - D, 0)).
    """
    since, infused = np.maximum(elapsed, 0.0), np.asarray(dose.duration) > 0
    total: Array | float = 0.0
    for coefficient, rate in exponentials:
        response = np.exp(-rate * since)
        if np.any(infused):
            # A bolus among infusions gets a dummy duration that np.where then discards.
            length = np.where(infused, dose.duration, 1.0)
            during, after = np.minimum(since, length), np.maximum(since - length, 0)
            infusion = -np.expm1(-rate * during) / (rate * length) * np.exp(-rate * after)
            response = np.where(infused, infusion, response)
        total = total + np.where(elapsed > AT_ONCE, dose.amount * coefficient * response, 0.0)
    return np.asarray(total)


def _absorbed(exponentials: Exponentials, elapsed: Array, dose: DoseColumn, ka: Array) -> Array:
    """Concentration ``elapsed`` [h] after the absorption of a wholly available dose has begun.

    An exponential answers a unit dose absorbed at ``ka`` [1/h] by
    ka / (ka - lambda) (exp(-lambda t) - exp(-ka t)) (Bateman 1910), written as
    ka t exp(-min(ka, lambda) t) (1 - exp(-x)) / x with x = |ka - lambda| t, which holds for
    ka = lambda and does not overflow for ka < lambda (flip-flop kinetics).
    """
    since = np.maximum(elapsed, 0.0)
    total: Array | float = 0.0
    for coefficient, rate in exponentials:
        x = np.abs(ka - rate) * since
        small = x < 1e-6
        shape = np.where(small, 1 - x / 2, -np.expm1(-x) / np.where(small, 1.0, x))
        response = ka * since * np.exp(-np.minimum(ka, rate) * since) * shape
        total = total + np.where(elapsed >= 0, dose.amount * coefficient * response, 0.0)
    return np.asarray(total)
