"""The fitted mixed-effects baseline behind the forecaster's seam."""

from __future__ import annotations

import numpy as np

from agmpk.errors import AgmpkError
from agmpk.forecasting.forecaster import Forecast, check_question
from agmpk.nlme.closed_forms import StructuralModel, dose_columns
from agmpk.nlme.population import predict
from agmpk.nlme.posterior import posterior
from agmpk.nlme.select import FitStore, Selection
from agmpk.studies.study import Array, Individual, Study

METABOLITES = frozenset((
    "1-hydroxy-midazolam", "4-hydroxy-tolbutamide", "5-hydroxy-omeprazole", "dextrorphan",
    "hydroxy-repaglinide", "omeprazole sulfone", "paracetamol glucuronide", "paraxanthine",
    "s-methyl-captopril",
))  # fmt: skip
"""Analytes that are formed in the body: their input is an apparent oral one, and CL, V and ka are
those of formation and elimination per unit of the parent's dose."""

POINTS = ("mean", "mode")
FLOOR = 1e-3
"""Of the context's lowest concentration: a curve that is 0 (before a lag, or long after) has no
logarithm."""


class NlmeForecaster:
    """Fit the context, then forecast by the posterior of the individual given the target's prefix.

    The samples are curves of the posterior with residual error. What is forecast at a time does not
    depend on which other times are asked: the curves are drawn before they are read off, and the
    residual error of each time comes from a random stream of its own.

    Args:
        store: where fits come from; by default the stored ones, else fitted on the spot.
        point: the point forecast, ``mean`` (exp of the posterior mean of ln f, which log-RMSE
            rewards) or ``mode`` (the curve at the posterior mode, the empirical Bayes estimate);
            both with the population's estimates taken as known, as is customary.
        uncertain: whether the samples, and so the intervals, include the uncertainty of those
            estimates, see :meth:`agmpk.nlme.population.Population.spread`.

    Raises:
        AgmpkError: another ``point``.
    """

    name = "nlme"
    metabolites = METABOLITES  # compounds whose absorption may be slower than their elimination

    def __init__(
        self, store: FitStore | None = None, point: str = "mean", uncertain: bool = True
    ) -> None:
        if point not in POINTS:
            raise AgmpkError(f"A point forecast is {' or '.join(POINTS)}, not {point!r}.")
        self.store = FitStore() if store is None else store
        self.point, self.uncertain = point, uncertain

    def selection(self, context: Study) -> Selection:
        """The model chosen for a context, see ``FitStore.get``."""
        return self.store.get(context, flip_flop=context.compound in self.metabolites)

    def forecast(
        self, context: Study, target: Individual, times: Array, n_samples: int, seed: int
    ) -> Forecast:
        """As in :class:`agmpk.forecasting.Forecaster`.

        Raises:
            FitFailed: no acceptable model of the context.
            AgmpkError: too small a context, or a target with a route that nobody in it had.
        """
        *_, times = check_question(context, target, times, n_samples)
        population = self.selection(context).population
        check_routes(population.structure, target, context.compound)
        # The estimates are taken as known for the point, and as uncertain for the samples if asked.
        rng, seen = np.random.default_rng(seed), self.seen(target)
        known = found = posterior(population, seen, n_samples, rng, uncertain=False)
        if self.uncertain:
            found = posterior(population, seen, n_samples, rng, near=known.mode)
        quantified = [one.quantifiable().concentrations for one in context]
        floor = FLOOR * min(values.min() for values in quantified if len(values))
        curves = predict(population, found.samples, target, times)
        noise = own_streams(seed, times - target.doses[0].time, n_samples)
        samples = np.maximum(population.error.sample(curves, noise), FLOOR * floor)
        etas, weights = known.mode[None], np.ones(1)
        if self.point == "mean":
            likely = known.weights > 1e-3 / len(known.weights)
            etas, weights = known.drawn[likely], known.weights[likely]
        logs = np.log(np.maximum(predict(population, etas, target, times), floor))
        point = np.exp(weights @ logs / weights.sum())
        return Forecast(times, samples, point)

    def seen(self, target: Individual) -> Individual:
        """What of the prefix is used: values and limits after the first dose."""
        return target.after_dose(limits=True)


class NlmePopulationForecaster(NlmeForecaster):
    """The population prediction: whatever was observed of the target, a new individual."""

    name = "nlme-population"

    def seen(self, target: Individual) -> Individual:
        """Nothing."""
        return target.prefix(0)


def own_streams(seed: int, times: Array, n: int) -> Array:
    """Uniform numbers [n, T], each column from a stream of its own time (to the nanosecond)."""
    keys = np.round(np.asarray(times) * 3.6e12).astype(np.int64) & (2**63 - 1)
    return np.stack([np.random.default_rng([seed, key]).random(n) for key in keys.tolist()], axis=1)


def check_routes(structure: StructuralModel, one: Individual, compound: str) -> None:
    """Refuse doses by a route that nobody of the context had: a fit says nothing about it.

    Raises:
        AgmpkError: such a dose.
    """
    oral = {bool(dose.oral) for dose in dose_columns(one)}
    if (True in oral and not structure.oral) or (False in oral and not structure.intravenous):
        given, unknown = ("orally", "IV") if structure.oral else ("intravenously", "oral")
        raise AgmpkError(
            f"Individual {one.id} was not dosed by the route of the study of {compound}: it has "
            f"{unknown} doses, the others were dosed {given}, and a fit of one route says nothing "
            "about the other."
        )
