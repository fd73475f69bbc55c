"""The fitted mixed-effects baseline behind the forecaster's seam."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.forecasting.forecaster import Forecast, check_question
from agmpk.nlme.data import is_oral
from agmpk.nlme.individual import posterior, predict
from agmpk.nlme.select import Selection
from agmpk.nlme.store import FitStore
from agmpk.studies import Individual, Study

METABOLITES = frozenset(
    {
        "1-hydroxy-midazolam",
        "4-hydroxy-tolbutamide",
        "5-hydroxy-omeprazole",
        "dextrorphan",
        "hydroxy-repaglinide",
        "omeprazole sulfone",
        "paracetamol glucuronide",
        "paraxanthine",
        "s-methyl-captopril",
    }
)
"""Analytes that are formed in the body: their input is an apparent oral one, and CL, V and ka are
those of formation and elimination per unit of the parent's dose."""


class NlmeForecaster:
    """Fit the context, then forecast by the empirical-Bayes estimate of the target's prefix.

    The point forecast is the curve at the posterior mode; samples are curves of the posterior with
    residual error. Uncertainty of the population's own estimates is not included, as is customary.

    Args:
        store: where fits come from; by default the stored ones, else fitted on the spot.
        metabolites: compounds whose absorption may be slower than their elimination.
    """

    name = "nlme"

    def __init__(
        self, store: FitStore | None = None, metabolites: Collection[str] = METABOLITES
    ) -> None:
        self.store = FitStore() if store is None else store
        self.metabolites = frozenset(metabolites)

    def selection(self, context: Study) -> Selection:
        """The model chosen for a context, see ``FitStore.get``."""
        return self.store.get(context, flip_flop=context.compound in self.metabolites)

    def forecast(
        self,
        context: Study,
        target: Individual,
        times: NDArray[np.float64],
        n_samples: int,
        seed: int,
    ) -> Forecast:
        """As in :class:`agmpk.forecasting.Forecaster`.

        Raises:
            FitFailed: no acceptable model of the context.
            AgmpkError: too small a context, mixed routes, or a target with another route.
        """
        context, prefix, times = check_question(context, target, times, n_samples)
        population = self.selection(context).population
        if is_oral(prefix, context.compound) != population.structure.oral:
            route = "orally" if population.structure.oral else "intravenously"
            raise AgmpkError(
                f"Individual {prefix.id} was not dosed by the route of the study of "
                f"{context.compound}, which was dosed {route}: a fit of one route says nothing "
                "about the other."
            )
        rng = np.random.default_rng(seed)
        found = posterior(population, self.seen(prefix), n_samples, rng)
        curves = predict(population, found.samples, prefix, times)
        samples = population.error.sample(curves, rng)
        point = predict(population, found.mode[None], prefix, times)[0]
        # A curve that is 0 (before a lag, or long after) has no logarithm; the floor is far below
        # anything measured.
        lowest = 1e-3 * min(one.concentrations.min() for one in context if len(one))
        return Forecast(times, np.maximum(samples, 1e-3 * lowest), np.maximum(point, lowest))

    def seen(self, prefix: Individual) -> Individual:
        """What of the prefix is used: the observations after the dose."""
        return prefix.after_dose()


class NlmePopulationForecaster(NlmeForecaster):
    """The population prediction: the typical individual, whatever was observed of the target."""

    name = "nlme-population"

    def seen(self, prefix: Individual) -> Individual:
        """Nothing."""
        return prefix.prefix(0)
