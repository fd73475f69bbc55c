"""The result of a fit: a population of individuals, virtual ones of it, and what a
pharmacometrician looks at before trusting it (parameters, goodness of fit).

phi_i = typical * exp(eta_i),  eta_i ~ N(0, Omega),  y_ij from the residual error around f(phi_i).

Shapes: S samples, P parameters, T observations, I individuals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri

from agmpk.errors import AgmpkError
from agmpk.files import jsonable
from agmpk.nlme.closed_forms import DoseColumn, StructuralModel, dose_columns
from agmpk.studies import Units
from agmpk.studies.study import Array, Dose, Individual, Study
from agmpk.studies.units import conversion_factor

TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class ResidualError:
    """Additive, proportional, combined or exponential, e ~ N(0, 1):

    additive      y = f + a e                    combined      y = f + (a + b f) e
    proportional  y = f + b f e                  exponential   ln y = ln f + a e

    ``combined`` adds standard deviations (as MATLAB and saemix do), not variances (NONMEM's habit):
    likelihoods are comparable among the four, not with a program that does otherwise.

    ``a``: SD [concentration unit], or of ln y where exponential; ``b``: fraction of f.
    """

    kind: str
    a: float
    b: float

    def sd(self, f: Array) -> Array:
        """SD of y (of ln y where exponential) around a prediction f, of the shape of f."""
        if self.kind == "exponential":
            return np.full_like(f, self.a)
        return np.maximum(self.a + self.b * f, np.finfo(float).eps)

    def log_density(self, y: Array, f: Array) -> Array:
        """ln p(y | f), broadcast; the density of y itself for all four kinds."""
        sd = self.sd(f)
        if self.kind == "exponential":
            residual, jacobian = np.log(y) - np.log(np.maximum(f, TINY)), np.log(y)
        else:
            residual, jacobian = y - f, 0.0
        return -0.5 * (residual / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi) - jacobian

    def log_below(self, limit: Array, f: Array) -> Array:
        """ln P(y < limit | f) = ln Phi((limit - f) / sd), broadcast."""
        if self.kind == "exponential":
            return log_ndtr((np.log(limit) - np.log(np.maximum(f, TINY))) / self.a)
        return log_ndtr((limit - f) / self.sd(f))

    def sample(self, f: Array, u: Array) -> Array:
        """Observations y > 0 around f, from uniform numbers ``u`` of the same shape.

        Concentrations that are not positive are never quantified, so the normal law is truncated
        at zero.
        """
        u = np.clip(u, 1e-12, 1 - 1e-12)
        if self.kind == "exponential":
            return np.maximum(f, TINY) * np.exp(self.a * ndtri(u))
        sd = self.sd(f)
        below = ndtr(-f / sd)
        return np.maximum(f + sd * ndtri(below + (1 - below) * u), 1e-6 * (f + sd))


@dataclass(frozen=True)
class Population:
    """A fitted mixed-effects model of one compound.

    Attributes:
        compound: of the study it was fitted to.
        structure: the structural model; its parameters give the order of P.
        error: residual error.
        typical: float64[P], medians of the individual parameters.
        omega: float64[P, P], covariance of eta; a row of zeros where there is no random effect.
        loglik: marginal log-likelihood of the observations, by importance sampling.
        n_parameters: estimated parameters.
        se: float64[P], standard errors of ln typical from the linearized information.
        etas: float64[I, P], conditional means of the random effects.
        ids: the individuals' IDs.
    """

    compound: str
    structure: StructuralModel
    error: ResidualError
    typical: Array
    omega: Array
    loglik: float
    n_parameters: int
    se: Array
    etas: Array
    ids: tuple[str, ...]

    @property
    def aic(self) -> float:
        """-2 ln L + 2 parameters."""
        return 2 * self.n_parameters - 2 * self.loglik

    @property
    def random(self) -> NDArray[np.bool_]:
        """Which parameters have a random effect, bool[P]."""
        return np.diag(self.omega) > 0

    @property
    def name(self) -> str:
        """For example ``oral-1c-lag / combined / ka CL V / full``."""
        names = [n for n, r in zip(self.structure.parameters, self.random, strict=True) if r]
        correlated = np.any(self.omega != np.diag(np.diag(self.omega)))
        covariance = "full" if correlated else "diagonal"
        return f"{self.structure.name} / {self.error.kind} / {' '.join(names)} / {covariance}"

    @property
    def shrinkage(self) -> Array:
        """1 - SD(eta_i) / omega [P], NaN without a random effect (Savic & Karlsson 2009)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 1 - self.etas.std(0, ddof=1) / np.sqrt(np.diag(self.omega))
        return np.where(self.random, found, np.nan)

    def spread(self, uncertain: bool = True) -> Array:
        """Covariance [P, P] of ln phi of a new individual around ln typical.

        With ``uncertain`` it includes what n individuals leave unknown about the typical
        parameters (their standard errors; a missing one adds nothing) and about Omega (its
        unbiased estimate, Omega n / (n - 1)).
        """
        if not uncertain:
            return self.omega
        n = len(self.ids)
        return self.omega * (n / max(n - 1, 1)) + np.diag(np.square(np.nan_to_num(self.se)))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, for JSON."""
        names = {"structure": self.structure.name, "error": vars(self.error)}
        return jsonable(vars(self) | names)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Population:
        """The inverse of :meth:`to_dict`."""
        arrays = {name: np.array(found[name]) for name in ("typical", "omega", "etas")}
        arrays["se"] = np.array(found["se"], dtype=float)  # None becomes NaN
        structure = StructuralModel.named(found["structure"])
        error, ids = ResidualError(**found["error"]), tuple(found["ids"])
        return cls(**{**found, **arrays, "structure": structure, "error": error, "ids": ids})


def predict(
    population: Population,
    etas: Array,
    one: Individual,
    times: Array,
    doses: Sequence[DoseColumn] | None = None,
) -> Array:
    """f [S, T] without residual error, for etas [S, P], at ``times`` [h].

    ``doses`` are those of ``one``, where they have been expanded before.
    """
    values = population.typical * np.exp(etas)
    doses = dose_columns(one) if doses is None else doses
    return population.structure.concentration(values[:, None, :], times, doses)


def with_zeros(reduced: Array, random: NDArray[np.bool_]) -> Array:
    """eta [n, P] from those of the parameters with a random effect, [n, R]; ``random``: which."""
    etas = np.zeros((len(reduced), len(random)))
    etas[:, random] = reduced
    return etas


def draw_etas(
    population: Population, n: int, rng: np.random.Generator, uncertain: bool = True
) -> Array:
    """eta [n, P] of virtual individuals, see :meth:`Population.spread`."""
    spread = population.spread(uncertain)
    free = np.diag(spread) > 0
    some = spread[np.ix_(free, free)]
    drawn = rng.multivariate_normal(np.zeros(len(some)), some, n, method="cholesky")
    return with_zeros(drawn, free)


def simulate(
    population: Population,
    times: Array,
    doses: Sequence[Dose],
    n: int,
    seed: int,
    units: Units | None = None,
) -> Study:
    """``n`` virtual individuals V1 ... Vn of the population as estimated, for visual predictive
    checks and npde; observed at ``times`` [h], residual error included.

    Raises:
        AgmpkError: fewer than one individual, or times that are not increasing.
    """
    if n < 1:
        raise AgmpkError(f"At least one virtual individual is needed, not {n}.")
    rng = np.random.default_rng(seed)
    nobody = Individual("virtual", np.asarray(times, float), np.ones(len(times)), tuple(doses))
    curves = predict(population, draw_etas(population, n, rng, False), nobody, nobody.times)
    observed = population.error.sample(curves, rng.random(curves.shape))
    people = [Individual(f"V{i + 1}", times, row, nobody.doses) for i, row in enumerate(observed)]
    return Study(population.compound, tuple(people), units or Units())


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
        columns = {
            "individual": one.id,
            "TIME": one.times - one.doses[0].time,
            "DV": one.concentrations,
            "PRED": typical,
            "IPRED": own,
            "IWRES": residual / sd,
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)
