"""The benchmark's protocol: leave one individual out, show its first samples, forecast the rest.

Time 0 and values that are not positive are dropped; the first ``observed`` remaining samples are
the prefix, the others the target; the context is the study's other individuals, whole
(AGM-PK, PAGE 34, 2026).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.evaluation.metrics import covered, crps, log_rmse
from agmpk.forecasting.forecaster import Forecast, Forecaster
from agmpk.studies import Individual, Study

COLUMNS = ["model", "compound", "individual", "n_target", "log_rmse", "covered_90", "failure"]
REFUSED = ["model", "compound", "individual", "prefix", "reason"]


@dataclass(frozen=True)
class Case:
    """One left-out individual: what is known of it, and what is to be forecast (T points)."""

    compound: str
    context: Study
    prefix: Individual
    times: NDArray[np.float64]
    observed: NDArray[np.float64]

    def ask(self, forecaster: Forecaster, n_samples: int, seed: int) -> Forecast:
        """The forecaster's answer; ``seed`` is the base of the case's own."""
        return forecaster.forecast(
            self.context, self.prefix, self.times, n_samples, self.seed(seed)
        )

    def seed(self, base: int) -> int:
        """A seed of its own for every case, the same in every run."""
        name = f"{self.compound}/{self.prefix.id}".encode()
        return int(np.random.SeedSequence([base, zlib.crc32(name)]).generate_state(1)[0])


@dataclass(frozen=True)
class Scored:
    """A case and its forecast; ``forecast`` is None where nothing is left to predict, and where the
    model refused: then ``refusal`` says why."""

    case: Case
    forecast: Forecast | None
    refusal: str = ""

    def refused_row(self, model: str) -> dict[str, object]:
        """The row of a refusal, ``REFUSED``."""
        case = self.case
        row = (model, case.compound, case.prefix.id, len(case.prefix), self.refusal)
        return dict(zip(REFUSED, row, strict=True))


def cases(compound: str, study: Study, observed: int = 4) -> list[Case]:
    """The cases of a study, one per individual."""
    study = study.after_dose()
    return [
        Case(compound, study.without(one.id), one.prefix(observed), *one.rest(observed))
        for one in study
    ]


def answer(
    forecaster: Forecaster, questions: Iterable[Case], n_samples: int, seed: int
) -> Iterator[Scored]:
    """Ask one case after the other; a refused one says why, and the others go on."""
    for case in questions:
        forecast, refusal = None, ""
        if len(case.times):
            try:
                forecast = case.ask(forecaster, n_samples, seed)
            except AgmpkError as error:
                refusal = str(error)
        yield Scored(case, forecast, refusal)


def leave_one_out(
    forecaster: Forecaster,
    studies: Mapping[str, Study],
    observed: int = 4,
    n_samples: int = 200,
    seed: int = 0,
) -> Iterator[Scored]:
    """Forecast every individual of every study, one after the other."""
    for compound, study in studies.items():
        yield from answer(forecaster, cases(compound, study, observed), n_samples, seed)


def score(model: str, scored: Scored) -> dict[str, object]:
    """The row of an individual in the results table (``COLUMNS``).

    log_rmse: of an empty rest 0, as published; of a refused case missing. covered_90: share of the
    held-out points inside the central 90 % interval. failure: the refusal, else empty.
    """
    case, forecast = scored.case, scored.forecast
    error, inside = (np.nan if scored.refusal else 0.0), np.nan
    if forecast:
        error = log_rmse(forecast.pred, case.observed)
        inside = covered(forecast.samples, case.observed, 0.9).mean()
    row = (model, case.compound, case.prefix.id, len(case.times), error, inside, scored.refusal)
    return dict(zip(COLUMNS, row, strict=True))


def score_points(model: str, scored: Scored) -> pd.DataFrame:
    """One row a held-out point: DV, PRED, coverage of central intervals, CRPS of ln y, PIT."""
    case, forecast = scored.case, scored.forecast
    if forecast is None:
        return pd.DataFrame()
    logs = np.log(forecast.samples)
    return pd.DataFrame(
        {
            "model": model,
            "compound": case.compound,
            "individual": case.prefix.id,
            "TIME": case.times,
            "DV": case.observed,
            "PRED": forecast.pred,
            **{
                f"in_{level:.0%}".rstrip("%"): covered(forecast.samples, case.observed, level)
                for level in (0.5, 0.8, 0.9, 0.95)
            },
            "crps": crps(logs, np.log(case.observed)),
            "pit": (forecast.samples < case.observed).mean(0),
        }
    )
