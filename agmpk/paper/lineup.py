"""Who takes part in a comparison of all models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.files import data_path
from agmpk.forecasting.forecaster import (
    Forecast,
    Forecaster,
    forecast_all,
    load_forecaster,
    model_names,
)
from agmpk.models.registry import FAMILY
from agmpk.prior import PriorConfig
from agmpk.studies import Individual, Study


class Remembered:
    """A forecaster that answers the same question once and keeps the answer in ``answers``, by
    (compound, individual, length of the prefix, size of the context, times, seed, samples);
    contexts of one study and size are taken for the same, as in leave-one-out."""

    def __init__(self, forecaster: Forecaster) -> None:
        self.forecaster, self.name = forecaster, forecaster.name
        self.answers: dict[tuple, Forecast | AgmpkError] = {}

    def forecast(self, context: Study, target: Individual, times: NDArray, n: int, seed: int):
        """As in :class:`agmpk.forecasting.Forecaster`."""
        (found,) = self.forecast_all([(context, target, times, seed)], n)
        if isinstance(found, AgmpkError):
            raise found
        return found

    def forecast_all(self, questions: Sequence[tuple], n: int) -> list[Forecast | AgmpkError]:
        """As in :func:`agmpk.forecasting.forecaster.forecast_all`."""
        keys = [self._key(*question, n) for question in questions]
        new = {key: q for key, q in zip(keys, questions, strict=True) if key not in self.answers}
        self.answers |= zip(new, forecast_all(self.forecaster, list(new.values()), n), strict=True)
        return [self.answers[key] for key in keys]

    @staticmethod
    def _key(context: Study, target: Individual, times: NDArray, seed: int, n: int) -> tuple:
        who = (context.compound, target.id, len(target), len(context))
        return (*who, np.asarray(times).tobytes(), seed, n)


def line_up(names: Sequence[str | Path] = ()) -> list[Forecaster]:
    """The named forecasters; without names the naive one, the stored mixed-effects fits and every
    checkpoint that ships.

    Raises:
        AgmpkError: an unknown or unreadable model, or mixed-effects fits made by other code.
    """
    names = list(names) or ["naive", "nlme", *(n for n in model_names() if n != "naive")]
    if "nlme" in names:
        check_fits()
    return [load_forecaster(name) for name in names]


def generative(forecasters: Sequence[Forecaster]) -> list[Forecaster]:
    """Those that answer without any observation of the individual."""
    return [f for f in forecasters if getattr(getattr(f, "model", None), "generates", True)]


def leading(forecasters: Sequence[Forecaster]) -> Forecaster:
    """The one a chapter draws: the first of the family in the order of ``FAMILY``, else the
    last of all."""
    by_name = {one.name: one for one in forecasters}
    return next((by_name[n] for n in FAMILY if n in by_name), forecasters[-1])


def trained_on(names: Sequence[str | Path], name: str) -> PriorConfig:
    """The prior that the network called ``name`` was trained on, as its checkpoint records it.

    ``names`` are those given to :func:`line_up`, where ``name`` may be a folder's.

    Raises:
        AgmpkError: none of them is a checkpoint of that name.
    """
    from agmpk.models.registry import describe  # late: it needs PyTorch

    shipped = name in model_names() and name != "naive"
    folders = [Path(n) for n in names if Path(n).is_dir()]
    folders += [data_path("checkpoints", name)] if shipped else []
    for folder in folders:
        description = describe(folder)
        if name in (description["model"], folder.name):
            return PriorConfig.from_dict(description["prior"], f"The prior of {folder}")
    raise AgmpkError(f"There is no checkpoint of {name!r}, so its prior is unknown.")


def check_fits() -> None:
    """Refuse stored mixed-effects fits that are stale: fitting again takes hours.

    Raises:
        AgmpkError: another version of the method made them.
    """
    from agmpk.nlme.select import METHOD_VERSION

    made_with = json.loads(data_path("nlme", "made_with.json").read_text("utf-8"))
    if made_with.get("method") != METHOD_VERSION:
        raise AgmpkError(
            "The stored mixed-effects fits were made by another version of the method; renew "
            "them with 'agmpk paper nlme-fits fit' and '... score'."
        )
