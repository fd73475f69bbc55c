"""Closed forms: disposition (one or two compartments) times input (bolus, infusion, first-order).

Every linear compartment model has a response to a unit bolus that is a sum of exponentials,
sum_l A_l exp(-lambda_l t). ``one_compartment`` and ``two_compartment`` give A and lambda;
``bolus``, ``infusion`` and ``oral`` turn one exponential into the response to that input;
``superposition`` adds the doses up; ``model`` names the parameters.
(Gabrielsson & Weiner 2016; Bertrand & Mentre 2008.)
"""

from agmpk.nlme.structural.model import StructuralModel, candidates

__all__ = ["StructuralModel", "candidates"]
