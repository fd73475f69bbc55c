"""Would a pharmacometrician stand behind this fit?

A candidate is refused, whatever its AIC, when an estimate has run away (an exchange clearance of
infinity, an empty compartment), when a parameter is not identified, or when absorption and
elimination have changed places.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agmpk.nlme.population import Population
from agmpk.nlme.structural import StructuralModel

LARGEST_OMEGA = 2.0  # SD of a random effect on the log scale: a factor 50 between 2.5 % and 97.5 %
LARGEST_SE = 1.0  # of ln typical, about 100 % relative standard error
LARGEST_CORRELATION = 0.995
LEAST_ABSORBED = 0.3
RANGES = {"CL": 30.0, "V": 300.0, "Q": 300.0, "V2": 300.0, "ka": 300.0, "tlag": 300.0}
"""The farthest factor from the value that noncompartmental analysis suggests."""


def is_flip_flop(structure: StructuralModel, typical: NDArray[np.float64], tmax: float) -> bool:
    """Whether absorption has changed places with a phase of disposition.

    That is so when ka is below the terminal rate, and also when less than ``LEAST_ABSORBED`` of
    the dose would be absorbed at Tmax [h] (in two compartments ka can hide between the rates).
    """
    if not structure.oral:
        return False
    ka = typical[0]
    too_slow = -np.expm1(-ka * tmax) < LEAST_ABSORBED
    return bool(too_slow or ka <= structure.exponentials(typical)[-1][1])


def fault(
    population: Population, reference: dict[str, float], flip_flop: bool = False
) -> str | None:
    """What is wrong with a fit, in a few words, or None.

    Args:
        population: the fit.
        reference: ``noncompartmental`` of the same data.
        flip_flop: whether slow absorption is allowed (metabolites: formation is often slower than
            elimination).
    """
    structure = population.structure
    volume = reference["CL"] / reference["lambda_z"]
    suggested = {
        "CL": reference["CL"],
        "Q": reference["CL"],
        "V": volume,
        "V2": volume,
        "ka": 1 / max(reference["Tmax"], 1e-3),
        "tlag": max(reference["Tmax"], 1e-3),
    }
    names, omega = structure.parameters, population.omega
    for name, value, se in zip(names, population.typical, population.se, strict=True):
        factor = value / suggested[name]
        if not 1 / RANGES[name] <= factor <= RANGES[name]:
            return f"{name} is {factor:.2g} times what the data suggest"
        if not se <= LARGEST_SE:
            return f"{name} is not identified (SE of its logarithm {se:.2g})"
    sd = np.sqrt(np.diag(omega))
    if sd.max() > LARGEST_OMEGA:
        return f"the SD of ln {names[int(sd.argmax())]} between individuals is {sd.max():.2g}"
    varying = sd > 0
    correlation = omega[np.ix_(varying, varying)] / np.outer(sd[varying], sd[varying])
    off = np.abs(correlation - np.eye(int(varying.sum())))
    if off.size and off.max() > LARGEST_CORRELATION:
        return "two random effects have become one (correlation of 1)"
    if not flip_flop and is_flip_flop(structure, population.typical, reference["Tmax"]):
        return "absorption and elimination have changed places (flip-flop)"
    return None
