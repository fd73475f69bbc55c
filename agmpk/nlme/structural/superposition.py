"""Several doses: the responses of a linear model add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agmpk.nlme.structural.bolus import bolus
from agmpk.nlme.structural.infusion import infusion
from agmpk.nlme.structural.one_compartment import Exponentials
from agmpk.nlme.structural.oral import oral


class DoseColumn(NamedTuple):
    """The k-th dose, of one individual (scalars) or of every observation's (arrays [N]).

    ``amount`` may be 0: the individual has fewer doses. ``duration`` [h] is 0 unless infused.
    """

    time: NDArray[np.float64]
    amount: NDArray[np.float64]
    duration: NDArray[np.float64]


def superpose(
    exponentials: Exponentials,
    times: NDArray[np.float64],
    doses: Sequence[DoseColumn],
    ka: NDArray[np.float64] | None = None,
    tlag: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Sum over doses and exponentials of amount x A x response(t - t_dose - tlag).

    Doses are absorbed with ``ka`` [1/h] if that is given, else injected or infused.
    """
    total: NDArray[np.float64] | float = 0.0
    for dose in doses:
        elapsed = times - dose.time - (0.0 if tlag is None else tlag)
        since = np.maximum(elapsed, 0.0)
        infused = np.asarray(dose.duration) > 0
        for coefficient, rate in exponentials:
            if ka is not None:
                response = oral(since, rate, ka)
            elif np.any(infused):
                # A bolus among infusions gets a dummy duration that np.where then discards.
                duration = np.where(infused, dose.duration, 1.0)
                response = np.where(infused, infusion(since, rate, duration), bolus(since, rate))
            else:
                response = bolus(since, rate)
            total = total + np.where(elapsed >= 0, dose.amount * coefficient * response, 0.0)
    return np.asarray(total, dtype=float)
