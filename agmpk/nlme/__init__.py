"""Nonlinear mixed-effects modelling: the classical baseline.

selection = select(study)                      # structure, errors, random effects by AIC
population = selection.population
cohort = simulate(population, times, doses, n=100, seed=0)

Estimation is pynlme's SAEM; what is written here is the closed forms for any doses, the starting
values, the selection, observations below their limit, and the posterior of a new individual.
"""

from agmpk.nlme.closed_forms import StructuralModel
from agmpk.nlme.fit import Candidate, FitFailed, fit
from agmpk.nlme.population import Population, ResidualError, predict, simulate
from agmpk.nlme.posterior import posterior
from agmpk.nlme.select import FitStore, Selection, select

__all__ = [
    "Candidate", "FitFailed", "FitStore", "Population", "ResidualError", "Selection",
    "StructuralModel", "fit", "posterior", "predict", "select", "simulate",
]  # fmt: skip
