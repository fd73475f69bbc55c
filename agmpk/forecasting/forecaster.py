"""The one seam: every model answers the same question in the same form.

Shapes: S samples, T times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.studies import Individual, Study

if TYPE_CHECKING:
    from agmpk.models.task import Task

# Longer after a dose than this multiple of the context's longest time, nothing was ever seen.
FARTHEST = 3.0
QUANTILES = {"Q05": 0.05, "Q25": 0.25, "Q50": 0.5, "Q75": 0.75, "Q95": 0.95}


@dataclass(frozen=True)
class Forecast:
    """Samples of the concentrations of one individual.

    Attributes:
        times: float64[T] [h].
        samples: float64[S, T] [the study's concentration unit], > 0; each row is one coherent
            curve, residual error included.
        point: float64[T], the point prediction of a model that knows it better than its samples do;
            None means the mean of the log-samples.
        note: what a reader of the forecast should know about it, a sentence, or ''.
    """

    times: NDArray[np.float64]
    samples: NDArray[np.float64]
    point: NDArray[np.float64] | None = None
    note: str = ""

    @property
    def pred(self) -> NDArray[np.float64]:
        """Point prediction [T]: exp of the mean of the log-samples, which log-RMSE rewards."""
        return np.exp(np.log(self.samples).mean(0)) if self.point is None else self.point

    def quantiles(self, levels: Sequence[float]) -> NDArray[np.float64]:
        """Quantiles [len(levels), T] of the samples, at Weibull's plotting position: a new draw
        falls between Q05 and Q95 with probability 0.9 however few the samples are."""
        return np.quantile(self.samples, levels, axis=0, method="weibull")

    def to_frame(self) -> pd.DataFrame:
        """TIME [h], PRED and the quantiles Q05 ... Q95, one row a time."""
        values = self.quantiles(list(QUANTILES.values()))
        return pd.DataFrame(
            {"TIME": self.times, "PRED": self.pred, **dict(zip(QUANTILES, values, strict=True))}
        )


class Forecaster(Protocol):
    """Anything that forecasts an individual from its study."""

    name: str

    def forecast(
        self,
        context: Study,
        target: Individual,
        times: NDArray[np.float64],
        n_samples: int,
        seed: int,
    ) -> Forecast:
        """Forecast ``target`` at ``times`` [h].

        Args:
            context: the study's other individuals, whole.
            target: the doses of the individual and the observations seen so far (its prefix,
                which may be empty: then each sample is a new virtual individual).
            times: after the last observation of the prefix, increasing.
            n_samples: number of samples S.
            seed: same seed, same samples.

        Raises:
            AgmpkError: the model cannot answer for such a study; the message says why.
        """
        ...


def check_question(
    context: Study, target: Individual, times: NDArray[np.float64], n_samples: int
) -> tuple[Study, Individual, NDArray[np.float64]]:
    """Validate what every forecaster needs; return context and prefix reduced to usable samples:
    values that are positive, and samples marked as below a limit.

    Raises:
        AgmpkError: no or unordered times, times inside the prefix, no samples asked for, or
            nothing at all to forecast from.
    """
    times = np.asarray(times, dtype=float)
    if times.ndim != 1 or not len(times) or np.any(np.diff(times) <= 0):
        raise AgmpkError("Forecast times must be given in increasing order, at least one.")
    if not np.all(np.isfinite(times)) or times[0] < 0:
        raise AgmpkError("Forecast times must be finite and not negative.")
    if n_samples < 1:
        raise AgmpkError(f"At least one sample is needed, not {n_samples}.")
    if len(target) and times[0] <= target.times[-1]:
        raise AgmpkError(
            f"Individual {target.id} was observed until {target.times[-1]:g} h: "
            f"ask for times after that, not {times[0]:g} h."
        )
    context = replace(context, individuals=[usable(one) for one in context])
    prefix = usable(target)
    if not len(prefix.quantifiable()) and not any(len(one.quantifiable()) for one in context):
        raise AgmpkError(
            f"Nothing of {context.compound} was quantified in {target.id} or in anybody else, so "
            "nothing tells the level of a forecast: give at least one positive observation."
        )
    return context, prefix, times


def too_far(task: Task, place: int, compound: str, name: str) -> str:
    """Why the question at a ``place`` of the task lies too far beyond what was sampled of the
    study, '' if it does not."""
    if not task.context.mask[place].any():
        return ""
    frame = task.frame
    seen, scale = float(frame.since_scale[place]), float(frame.time_scale[place])
    asked = float(frame.target_clock.since.masked_fill(~task.asked, 0.0)[place].max())
    if asked <= FARTHEST * max(seen, scale):
        return ""
    return (
        f"The study of {compound} was sampled until {seen:g} h after a dose; a forecast of {name} "
        f"at {asked:g} h would extrapolate beyond {FARTHEST:g} times that: ask for earlier times."
    )


def usable(one: Individual) -> Individual:
    """The individual with the samples that say something: positive, or below a limit."""
    return one.select(one.concentrations > 0)
