"""What can be known at best of a study that was simulated from a published model.

Somebody who knows the model, its typical values, its spread between people and occasions, its
residual error and the limit of the assay, and only not the individual, forecasts by the posterior
of that individual given its prefix.  On average no method can have a smaller CRPS, or squared error
of ln y, on such studies: what a method loses against this forecast it did not learn from the other
individuals, and did not know before.  Where a limit is silent, this is nearly so: that a sample is
missing tells a little, and is not used.

``agmpk paper prior-fit best`` asks about the stored studies and writes ``data/poppk/best.csv``.

Shapes: S samples, T times, P parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtri

from agmpk.evaluation import evaluate, studies_in
from agmpk.evaluation.compare import reported
from agmpk.files import data_path
from agmpk.forecasting.forecaster import Forecast
from agmpk.forecasting.mixed_effects import own_streams
from agmpk.nlme.closed_forms import DoseColumn
from agmpk.nlme.population import TINY, Population, ResidualError, predict
from agmpk.nlme.posterior import posterior
from agmpk.paper.published_curves import PARAMETERS, Array, Given, People, curves
from agmpk.paper.published_models import SHOWN, SPLITS, STORED_SEED, Drawn, drawn_studies
from agmpk.studies import Individual, Study
from agmpk.studies.units import conversion_factor

N_SAMPLES = 1000
SEED = 39
TOGETHER = 2000  # curves


class BestForecaster:
    """The forecast of somebody who knows all but the individual; the context tells it nothing."""

    name = "best"

    def __init__(self, drawn: Drawn) -> None:
        self.population = true_population(drawn)
        # Of a marked limit the scores know; where it is silent all that is reported is above it.
        self.silent = None if drawn.study.lloq else drawn.limit

    def forecast(
        self, context: Study, target: Individual, times: Array, n_samples: int, seed: int
    ) -> Forecast:
        """As in :class:`agmpk.forecasting.Forecaster`."""
        rng, seen = np.random.default_rng(seed), target.after_dose(limits=True)
        found = posterior(self.population, seen, n_samples, rng, uncertain=False)
        curves = predict(self.population, found.samples, target, times)
        noise = own_streams(seed, times, n_samples)
        forecast = Forecast(times, self.population.error.sample(curves, noise))
        return reported(forecast, self.silent)


def best_results(split: str, shown: int) -> pd.DataFrame:
    """The results (see :func:`agmpk.evaluation.evaluate`) of the best forecast on all stored
    studies of a split, with ``shown`` samples of each individual; columns split and shown.

    Raises:
        AgmpkError: there is no such split.
    """
    drawn = drawn_studies(split, STORED_SEED)
    stored = studies_in(data_path("poppk", "studies", split))
    parts = [
        evaluate([BestForecaster(drawn[name])], {name: study}, shown, N_SAMPLES, SEED).results
        for name, study in stored.items()
    ]
    return pd.concat(parts, ignore_index=True).assign(split=split, shown=shown)


def all_best_results() -> pd.DataFrame:
    """Of both splits and every number of ``SHOWN``: the rows of ``data/poppk/best.csv``."""
    parts = [best_results(split, shown) for split in SPLITS for shown in SHOWN]
    columns = ["split", "shown", "compound", "individual", "n_target", "n_below"]
    return pd.concat(parts)[[*columns, "log_rmse", "crps", "covered_90"]]


def true_population(drawn: Drawn) -> Population:
    """The published population of a simulated study, as if it had been fitted without any doubt,
    in the study's units."""
    model, structure = drawn.model, TrueCurves(drawn)
    used = structure.used(drawn.study)
    between = np.array([model.between[name] * (name in used) for name in PARAMETERS])
    occasion = [model.occasion[name] for _, name in structure.changing]
    P, n = len(PARAMETERS), len(structure.parameters)
    omega = np.diag(np.square([*between, *occasion]))
    # Correlations collected from several places need not fit together: people are drawn as if the
    # negative ones of the matrix's eigenvalues were zero.
    values, vectors = np.linalg.eigh(model.correlation)
    correlation = vectors * values.clip(min=1e-6) @ vectors.T
    omega[:P, :P] = correlation * between * between[:, None]
    kind = "exponential" if model.log_additive else "combined"
    size = model.log_additive or structure.factor * model.additive
    typical = np.array([model.typical.get(name, 1.0) for name in PARAMETERS] + [1.0] * (n - P))
    return Population(
        compound=model.drug,
        structure=structure,
        error=TrueError(kind, size, model.proportional),
        typical=typical,
        omega=omega,
        loglik=np.nan,
        n_parameters=0,
        se=np.zeros(n),
        etas=np.zeros((0, n)),
        ids=(),
    )


class TrueCurves:
    """The exact curves of a published model, in the place of a structural model.

    ``parameters``: those of the model, and the factors (``changing``: occasion and name) by which
    some of them change from one occasion to the other.
    """

    def __init__(self, drawn: Drawn) -> None:
        self.model, self.second_occasion = drawn.model, drawn.second_occasion
        self.factor = conversion_factor("mg/L", drawn.study.units.concentration)
        occasions = 2 if np.isfinite(self.second_occasion) else 1
        varying = [name for name, sd in drawn.model.occasion.items() if sd]
        self.changing = [(k, name) for k in range(occasions) for name in varying]
        self.parameters = (*PARAMETERS, *(f"{name} {k + 1}" for k, name in self.changing))

    def used(self, study: Study) -> set[str]:
        """The parameters on which a curve of the study depends."""
        found = {"CL", "V", *("Q", "V2", "Q2", "V3")[: 2 * self.model.peripherals]}
        if not any(dose.route == "oral" for one in study for dose in one.doses):
            return found
        for path in self.model.paths:
            there = {"ka": path.ka == path.ka, "tlag": path.tlag > 0}
            there |= {"mtt": path.stages > 0, "duration": path.duration > 0}
            found |= {name for name, is_there in there.items() if is_there}
        return found | {"F"}

    def concentration(self, values: Array, times: Array, doses: Sequence[DoseColumn]) -> Array:
        """Curves [S, T] without error of ``values`` [S, 1, P]."""
        values = values[:, 0]
        parts = [values[k : k + TOGETHER] for k in range(0, len(values), TOGETHER)]
        return self.factor * np.concatenate([self._curves(part, times, doses) for part in parts])

    def _curves(self, values: Array, times: Array, doses: Sequence[DoseColumn]) -> Array:
        both = {name: np.stack([values[:, k]] * 2, -1) for k, name in enumerate(PARAMETERS)}
        for column, (occasion, name) in enumerate(self.changing, len(PARAMETERS)):
            both[name][:, occasion] *= values[:, column]
        given = [
            Given(n, float(d.time), float(d.amount), bool(d.oral), float(d.duration))
            for n in range(len(values))
            for d in doses
        ]
        people = People(self.model, both)
        return np.array(curves(people, given, [times] * len(values), self.second_occasion))


class TrueError(ResidualError):
    """The error of a published model: in a ``combined`` one variances add (NONMEM's habit), and
    what is drawn may be negative, which is below any limit."""

    def sd(self, f: Array) -> Array:
        if self.kind == "exponential":
            return super().sd(f)
        return np.maximum(np.hypot(self.a, self.b * f), TINY)

    def sample(self, f: Array, u: Array) -> Array:
        if self.kind == "exponential":
            return super().sample(f, u)
        return np.maximum(f + self.sd(f) * ndtri(np.clip(u, 1e-12, 1 - 1e-12)), TINY)
