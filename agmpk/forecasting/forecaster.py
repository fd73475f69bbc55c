"""The one seam: every model answers the same question in the same form; and the models by name.

Shapes: S samples, T times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from agmpk.errors import AgmpkError
from agmpk.files import data_path
from agmpk.models.registry import MODELS, NETWORKS, load_checkpoint
from agmpk.studies.study import Array, Individual, Study

if TYPE_CHECKING:  # PyTorch takes seconds to load, so it is imported where it computes
    from agmpk.models.heads import Network
    from agmpk.models.task import Task

Question = tuple[Study, Individual, Array, int]
"""Context, target, times and seed of a forecast."""

QUANTILES = {"Q05": 0.05, "Q25": 0.25, "Q50": 0.5, "Q75": 0.75, "Q95": 0.95}
FITTED = ("nlme", "nlme-population")
SMALL = 0.1  # of an earlier dose, below which one is unlike those of the prior
# Longer after a dose than this multiple of the context's longest time, nothing was ever seen.
FARTHEST = 3.0
LATE = 1.25  # of that time: what lies later was hardly asked in training


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

    times: Array
    samples: Array
    point: Array | None = None
    note: str = ""

    @property
    def pred(self) -> Array:
        """Point prediction [T]: exp of the mean of the log-samples, which log-RMSE rewards."""
        return np.exp(np.log(self.samples).mean(0)) if self.point is None else self.point

    def quantiles(self, levels: Sequence[float]) -> Array:
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
        self, context: Study, target: Individual, times: Array, n_samples: int, seed: int
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


def forecast_all(
    forecaster: Forecaster, questions: Sequence[Question], n_samples: int
) -> list[Forecast | AgmpkError]:
    """The answer to each question, a refusal in place of a forecast; at once, where the forecaster
    has a method ``forecast_all``."""
    if at_once := getattr(forecaster, "forecast_all", None):
        return at_once(questions, n_samples)
    found: list[Forecast | AgmpkError] = []
    for context, target, times, seed in questions:
        try:
            found.append(forecaster.forecast(context, target, times, n_samples, seed))
        except AgmpkError as error:
            found.append(error)
    return found


def check_question(
    context: Study, target: Individual, times: Array, n_samples: int
) -> tuple[Study, Individual, Array]:
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
    people = [one.select(one.concentrations > 0) for one in (*context, target)]
    context, prefix = replace(context, individuals=people[:-1]), people[-1]
    if not len(prefix.quantifiable()) and not any(len(one.quantifiable()) for one in context):
        raise AgmpkError(
            f"Nothing of {context.compound} was quantified in {target.id} or in anybody else, so "
            "nothing tells the level of a forecast: give at least one positive observation."
        )
    return context, prefix, times


def reach(task: Task, place: int) -> tuple[float, float]:
    """Of the question at a ``place`` of the task: how long the others were sampled, 0 without any,
    and the longest time after a dose that is asked [h]."""
    frame = task.frame
    asked = float(frame.target_clock.since.masked_fill(~task.asked, 0.0)[place].max())
    if not task.context.mask[place].any():
        return 0.0, asked
    return max(float(frame.since_scale[place]), float(frame.time_scale[place])), asked


def too_far(seen: float, asked: float, compound: str, name: str) -> str:
    """Why a question of such a ``reach`` lies too far beyond what was sampled of the study, '' if
    it does not."""
    if not seen or asked <= FARTHEST * seen:
        return ""
    return (
        f"The study of {compound} was sampled for {seen:g} h; forecasting individual {name} at "
        f"{asked:g} h would extrapolate beyond {FARTHEST:g} times that: ask for "
        "earlier times."
    )


def late(seen: float, asked: float) -> str:
    """A sentence where a question of such a ``reach`` asks for times well after the last one at
    which the others were sampled; '' else. The fifth is the flow's on studies of published models,
    of which the others' samples were cut off (``data/ablations/longer.csv``)."""
    if not seen or asked <= LATE * seen:
        return ""
    return (
        f"The others were sampled for {seen:g} h and {asked:g} h after a dose are asked, which was "
        "rare in training: forecasts of the flow were a fifth too high there on average."
    )


def small_dose(individual: Individual) -> str:
    """A sentence where a dose is so small beside an earlier one as hardly any of the prior: there
    a network takes it for more than it is, and forecasts too low after it."""
    amounts = np.array([dose.amount for dose in individual.single_doses()])
    if not np.any(amounts[1:] < SMALL * np.maximum.accumulate(amounts)[:-1]):
        return ""
    return (
        f"{individual.id} has a dose below {SMALL:g} times an earlier one, which the models were "
        "not trained for: do not rely on the forecast after it; leave out a dose that is nothing."
    )


class AmortizedForecaster:
    """A trained network, of the family or a rival, behind the seam.

    ``options`` go to the network's ``sample``, e.g. ``steps=8`` of a flow.
    """

    def __init__(self, model: Network, name: str | None = None, **options: Any) -> None:
        self.model, self.name, self.options = model.eval(), name or model.kind, options

    def forecast(
        self, context: Study, target: Individual, times: Array, n_samples: int, seed: int
    ) -> Forecast:
        """As in :class:`Forecaster`; any doses of anybody, past and planned."""
        (found,) = self.forecast_all([(context, target, times, seed)], n_samples)
        if isinstance(found, AgmpkError):
            raise found
        return found

    def forecast_all(
        self, questions: Sequence[Question], n_samples: int
    ) -> list[Forecast | AgmpkError]:
        """As ``forecast`` of each question, those with the same number of points in one pass of the
        network; a refusal stands in place of its forecast."""
        import torch

        from agmpk.models.task import concatenate

        found: list[Forecast | AgmpkError] = [AgmpkError("not asked")] * len(questions)
        together: dict[int, list[tuple[int, Task]]] = {}
        for k, (context, target, times, _) in enumerate(questions):
            try:
                task = self._task(context, target, times, n_samples)
                together.setdefault(task.asked.shape[-1], []).append((k, task))
            except AgmpkError as error:
                found[k] = error
        for group in together.values():
            task = concatenate([task for _, task in group])
            draw = [torch.Generator().manual_seed(questions[k][3]) for k, _ in group]
            known = self.model.condition(task)
            logs = self.model.sample(task, n_samples, draw, known=known, **self.options)
            means = self.model.mean(task, known=known)
            for place, (k, _) in enumerate(group):
                context, target, times, _ = questions[k]
                times = np.asarray(times, dtype=float)
                asked = slice(logs.shape[-1] - len(times), None)
                samples = logs[:, place, 0, asked].exp().numpy()
                point = means[place, 0, asked].exp().numpy()
                seen, asked = reach(task, place)
                beyond = late(seen, asked) if MODELS[self.model.kind].sees_study else ""
                told = filter(None, (small_dose(target), beyond))
                answer = Forecast(times, samples, point, " ".join(told))
                refusal = too_far(seen, asked, context.compound, target.id)
                found[k] = AgmpkError(refusal) if refusal else answer
        return found

    def _task(self, context: Study, target: Individual, times: Array, n_samples: int) -> Task:
        """The question as tensors; an AgmpkError says why it cannot be one."""
        from agmpk.models.task import task_from_study

        context, prefix, times = check_question(context, target, times, n_samples)
        if not len(prefix) and not self.model.generates:
            raise AgmpkError(
                f"The model {self.name} needs at least one observation of {prefix.id}: it does "
                "not generate individuals; use a model of the AGM-PK family."
            )
        return task_from_study(context, prefix, times)


class NaiveForecaster:
    """The context's mean log-curve, moved onto the last prefix sample.

    Where everybody has the same doses up to their amounts, ln(y / dose) is interpolated linearly in
    time for each context individual with two or more values, constant beyond its range, and
    averaged.  Otherwise the mean curve is the superposition of one typical curve, fitted to the
    context in closed form on a grid (``agmpk.models.kinetics``), plus the context's mean residual
    around the same time since the last dose.  The target's residual at its last prefix sample is
    added.  Time counts from each individual's first dose.

    Samples add the context's own departures (a bootstrap), so that intervals and cohorts exist.
    """

    name = "naive"

    def forecast(
        self, context: Study, target: Individual, times: Array, n_samples: int, seed: int
    ) -> Forecast:
        """Point forecast as defined above; samples by bootstrap of the context."""
        from agmpk.models.frame import usable
        from agmpk.models.task import task_from_study

        context, prefix, times = check_question(context, target, times, n_samples)
        task = task_from_study(context, prefix, times)
        frame = task.frame
        asked = len(times)
        point = (frame.naive + frame.reference)[0, 0, -asked:].numpy()
        rng = np.random.default_rng(seed)
        if bool(frame.same[0, 0]):
            # The pinned curves of the context individuals that the mean is made of.
            people = usable(task.context.quantified)[0].numpy()
            departures = frame.departures[0, people, 0, -asked:].numpy()
            samples = point + departures[rng.integers(len(departures), size=n_samples)]
        else:
            samples = point + self._departures(task, rng, n_samples, asked)
        note = too_far(*reach(task, 0), context.compound, prefix.id)
        return Forecast(times, np.exp(samples), np.exp(point), note)

    @staticmethod
    def _departures(task, rng: np.random.Generator, n_samples: int, asked: int) -> Array:
        """Departures [S, T] for doses that differ: a member's mean residual, unless the prefix says
        the level, and any residual about such a mean at each time."""
        frame, seen = task.frame, task.context.quantified[0].numpy()
        residual = (task.context.logs - frame.reference - frame.context_curve)[0].numpy()
        levels = np.array([r[s].mean() for r, s in zip(residual, seen, strict=True) if s.any()])
        around = [r[s] - r[s].mean() for r, s in zip(residual, seen, strict=True) if s.any()]
        around = np.concatenate([*around, np.zeros(1)])
        found = around[rng.integers(len(around), size=(n_samples, asked))]
        if not bool(task.prefix.any()) and len(levels):
            return found + levels[rng.integers(len(levels), size=(n_samples, 1))]
        return found - around[rng.integers(len(around), size=(n_samples, 1))]


def model_names() -> tuple[str, ...]:
    """``naive`` and the checkpoints, ours before the rivals; ``load_forecaster`` knows the names
    of ``FITTED`` too."""
    folder = data_path("checkpoints", must_exist=False)
    found = {p.parent.name for p in folder.glob("*/weights.safetensors")}
    first = [name for name in NETWORKS if name in found]
    return ("naive", *first, *sorted(found.difference(first)))


def load_forecaster(name: str | Path, called: str | None = None) -> Forecaster:
    """A forecaster by name, or from the folder of a checkpoint.

    ``called`` is the name it goes by in tables; by default that of a shipped model, or the kind of
    the model in a folder.

    Raises:
        AgmpkError: no such model, or a checkpoint that is damaged or of another version.
    """
    text = str(name)
    if text == "naive":
        return NaiveForecaster()
    if text in FITTED:  # imported late: the engines of the fits take seconds to load
        from agmpk.forecasting.mixed_effects import NlmeForecaster, NlmePopulationForecaster

        return NlmeForecaster() if text == "nlme" else NlmePopulationForecaster()
    shipped = text in model_names()
    folder = data_path("checkpoints", text) if shipped else Path(text)
    if not folder.is_dir():
        raise AgmpkError(
            f"There is no model {text!r}: use one of {', '.join([*model_names(), *FITTED])}, "
            "or the folder of a checkpoint."
        )
    return AmortizedForecaster(load_checkpoint(folder), called or (text if shipped else None))
