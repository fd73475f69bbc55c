"""What a pharmacometrician looks at before trusting a fit: parameters, goodness of fit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from agmpk.errors import AgmpkError
from agmpk.nlme.individual import Population, predict
from agmpk.studies import Study, Units
from agmpk.studies.units import conversion_factor


def volume_unit(units: Units) -> tuple[str, float]:
    """The unit to show volumes in, and the factor from (dose unit / concentration unit) to it.

    L, or L/kg after doses per body weight; where neither fits (a molar concentration after a dose
    in mg), the ratio of the units itself.
    """
    own = f"({units.dose})/({units.concentration})"
    for unit in ("L", "L/kg"):
        try:
            return unit, conversion_factor(own, unit)
        except AgmpkError:
            continue
    return own, 1.0


def parameter_table(population: Population, units: Units) -> pd.DataFrame:
    """One row a parameter, and one for each part of the residual error.

    Columns: estimate, unit, ``RSE %`` (relative standard error), ``CV %`` (between individuals,
    sqrt(exp(omega^2) - 1)), ``shrinkage %`` (of the conditional means).
    """
    volume, factor = volume_unit(units)
    shown = {"ka": ("1/h", 1.0), "tlag": ("h", 1.0), "F": ("1", 1.0)}
    shown |= dict.fromkeys(("V", "V2"), (volume, factor))
    shown |= dict.fromkeys(("CL", "Q"), (f"{volume}/h", factor))
    names, error = population.structure.parameters, population.error
    variances = np.where(population.random, np.diag(population.omega), np.nan)
    columns = {
        "estimate": population.typical * [shown[name][1] for name in names],
        "unit": [shown[name][0] for name in names],
        "RSE %": 100 * population.se,
        "CV %": 100 * np.sqrt(np.expm1(variances)),
        "shrinkage %": 100 * population.shrinkage,
    }
    rows = []
    if error.kind != "proportional":
        unit = "1 (SD of ln y)" if error.kind == "exponential" else units.concentration
        rows.append({"parameter": "a", "estimate": error.a, "unit": unit})
    if error.kind in ("proportional", "combined"):
        rows.append({"parameter": "b", "estimate": error.b, "unit": "1"})
    table = pd.DataFrame({"parameter": names, **columns})
    return pd.concat([table, pd.DataFrame(rows)]).set_index("parameter")


def goodness_of_fit(population: Population, study: Study) -> pd.DataFrame:
    """One row an observation of the study the model was fitted to.

    Columns: individual, TIME [h, since the first dose], DV, PRED (typical individual), IPRED (at
    the conditional means of the random effects), IWRES = (DV - IPRED) / SD, on the log
    scale for exponential error.

    Raises:
        AgmpkError: the study has an individual that the fit has not seen.
    """
    frames = []
    for one in study.after_dose():
        if not len(one):
            continue
        if one.id not in population.ids:
            raise AgmpkError(
                f"Individual {one.id} was not among those the model of {population.compound} was "
                "fitted to; goodness of fit is for those."
            )
        eta = population.etas[population.ids.index(one.id)]
        typical, own = predict(population, np.stack([0 * eta, eta]), one, one.times)
        sd = population.error.sd(own)
        residual = one.concentrations - own
        if population.error.kind == "exponential":
            residual = np.log(one.concentrations) - np.log(np.maximum(own, 1e-300))
        frames.append(
            pd.DataFrame(
                {
                    "individual": one.id,
                    "TIME": one.times - one.doses[0].time,
                    "DV": one.concentrations,
                    "PRED": typical,
                    "IPRED": own,
                    "IWRES": residual / sd,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
