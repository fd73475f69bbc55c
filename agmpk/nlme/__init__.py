"""Nonlinear mixed-effects modelling: the classical baseline.

selection = select(study)                      # structure, errors, random effects by AIC
population = selection.population
forecaster = NlmeForecaster()                  # MAP forecast of a new individual
cohort = simulate(population, times, doses, n=100, seed=0)

Estimation is pynlme's SAEM; what is written here is the model library, the starting values, the
selection, the posterior of a new individual, and the simulation.
"""

from agmpk.nlme.errors import FitFailed
from agmpk.nlme.fit import Candidate, fit
from agmpk.nlme.forecaster import NlmeForecaster, NlmePopulationForecaster
from agmpk.nlme.individual import posterior, predict
from agmpk.nlme.population import Population
from agmpk.nlme.residual import ResidualError
from agmpk.nlme.select import Selection, select
from agmpk.nlme.simulate import simulate
from agmpk.nlme.store import FitStore

__all__ = [
    "Candidate",
    "FitFailed",
    "FitStore",
    "NlmeForecaster",
    "NlmePopulationForecaster",
    "Population",
    "ResidualError",
    "Selection",
    "fit",
    "posterior",
    "predict",
    "select",
    "simulate",
]
