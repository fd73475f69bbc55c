"""A new individual: the maximum a posteriori estimate from its prefix, and the whole posterior.

p(eta | y) is proportional to N(eta; 0, Omega) prod_j p(y_j | f(typical exp(eta), t_j)).
The mode (empirical Bayes estimate) is searched from the best of many draws of the population, since
a lag gives several modes. The posterior is sampled by importance resampling (Rubin 1987) from an
equal mixture of the population and a Student law around the mode with the information matrix
Omega^-1 + sum_j (df_j/deta)(df_j/deta)' / sd_j^2 of the Laplace approximation.

Shapes: S samples, P parameters, R random effects, T observations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, multivariate_t

from agmpk.nlme.data import dose_columns
from agmpk.nlme.population import Population
from agmpk.studies import Individual

PROPOSALS = 1500  # from each half of the mixture
FREEDOM = 5  # degrees of freedom of the Student proposal: tails heavier than the posterior's


@dataclass(frozen=True)
class Posterior:
    """mode: float64[P], eta at the maximum.  samples: float64[S, P] of eta.  effective: the
    effective number of the importance weights."""

    mode: NDArray[np.float64]
    samples: NDArray[np.float64]
    effective: float


def predict(
    population: Population, etas: NDArray[np.float64], one: Individual, times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """f [S, T] without residual error, for etas [S, P], at ``times`` [h]."""
    values = population.typical * np.exp(etas)
    return population.structure.concentration(values[:, None, :], times, dose_columns(one))


def draw_etas(population: Population, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """eta [n, P] of virtual individuals."""
    random = population.random
    omega = population.omega[np.ix_(random, random)]
    etas = np.zeros((n, len(random)))
    etas[:, random] = rng.multivariate_normal(np.zeros(len(omega)), omega, n, method="cholesky")
    return etas


def posterior(
    population: Population, seen: Individual, n_samples: int, rng: np.random.Generator
) -> Posterior:
    """The individual given its observations; the population itself where there are none."""
    if not len(seen):
        prior = draw_etas(population, n_samples, rng)
        return Posterior(np.zeros(prior.shape[1]), prior, float(n_samples))
    random = population.random
    omega = population.omega[np.ix_(random, random)]

    def full(reduced: NDArray) -> NDArray:
        etas = np.zeros((len(reduced), len(random)))
        etas[:, random] = reduced
        return etas

    def log_likelihood(reduced: NDArray) -> NDArray:
        f = predict(population, full(reduced), seen, seen.times)
        logs = population.error.log_density(seen.concentrations, f).sum(-1)
        return np.where(np.isfinite(logs), logs, -1e12)

    prior = multivariate_normal(np.zeros(len(omega)), omega)
    wide = draw_etas(population, PROPOSALS, rng)[:, random]
    mode = _mode(lambda e: log_likelihood(e) + prior.logpdf(e), wide, population.etas[:, random])
    spread = np.linalg.inv(_information(population, seen, mode, full) + np.linalg.inv(omega))
    local = multivariate_t(mode, (spread + spread.T) / 2, df=FREEDOM)
    drawn = np.concatenate([wide, local.rvs(PROPOSALS, random_state=rng).reshape(PROPOSALS, -1)])
    prior_log = np.atleast_1d(prior.logpdf(drawn))
    proposal = np.logaddexp(prior_log, local.logpdf(drawn))
    logs = log_likelihood(drawn) + prior_log - proposal
    weights = np.exp(logs - logsumexp(logs))
    chosen = rng.choice(len(drawn), size=n_samples, p=weights)
    return Posterior(full(mode[None])[0], full(drawn[chosen]), float(1 / np.sum(weights**2)))


def _mode(
    log_posterior: Callable[[NDArray], NDArray], wide: NDArray, others: NDArray
) -> NDArray[np.float64]:
    """The maximum, by climbing from the three best of: the typical individual, the population's
    draws, the context individuals."""
    starts = np.concatenate([np.zeros((1, wide.shape[1])), wide, others])
    best = starts[np.argsort(-log_posterior(starts))[:3]]
    # Nelder-Mead: the objective has a kink where a lag passes an observation.
    climbs = [
        minimize(
            lambda e: -float(np.ravel(log_posterior(e[None]))[0]),
            start,
            method="Nelder-Mead",
            options={"maxfev": 400 * len(start), "xatol": 1e-4, "fatol": 1e-6},
        )
        for start in best
    ]
    return min(climbs, key=lambda climb: climb.fun).x


def _information(
    population: Population,
    seen: Individual,
    mode: NDArray[np.float64],
    full: Callable[[NDArray], NDArray],
) -> NDArray[np.float64]:
    """sum_j (df_j/deta)(df_j/deta)' / sd_j^2 at the mode [R, R]."""
    step = 1e-4 * np.eye(len(mode))
    f = predict(population, full(mode[None]), seen, seen.times)[0]
    up = predict(population, full(mode + step), seen, seen.times)
    down = predict(population, full(mode - step), seen, seen.times)
    slopes = (up - down) / 2e-4 / population.error.sd(f)
    if population.error.kind == "exponential":
        slopes = slopes / np.maximum(f, 1e-300)
    return slopes @ slopes.T
