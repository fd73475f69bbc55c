"""Residual error, the posterior of an individual, simulation: against laws known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import kstest, lognorm, norm, truncnorm

from agmpk.errors import AgmpkError
from agmpk.nlme import Candidate, Population, ResidualError, fit, posterior, predict, simulate
from agmpk.nlme.closed_forms import StructuralModel
from agmpk.nlme.data import fit_data
from agmpk.nlme.fit import starting_values
from agmpk.studies import Dose, Individual

TIMES = np.array([0.25, 0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 24.0])
DOSE = (Dose(0.0, 100.0),)


def population(structure, typical, sd, error) -> Population:
    count = len(typical)
    return Population(
        "simulated",
        structure,
        error,
        np.array(typical),
        np.diag(np.square(sd)),
        0.0,
        2 * count + 1,
        np.zeros(count),
        np.zeros((1, count)),
        ("1",),
    )


TRUTH = population(
    StructuralModel(1, oral=True),
    [1.2, 4.0, 30.0],
    [0.5, 0.3, 0.2],
    ResidualError("combined", 0.02, 0.1),
)


@pytest.mark.parametrize("kind", ["additive", "proportional", "combined", "exponential"])
def test_residual_density_is_a_density(kind):
    error = ResidualError(kind, 0.3 if kind != "proportional" else 0.0, 0.1)
    f = np.array(2.0)
    low = 1e-9 if kind == "exponential" else -8
    area = quad(lambda y: np.exp(error.log_density(np.array(y), f)), low, 12, limit=200)[0]
    assert area == pytest.approx(1, abs=1e-6)


def test_residual_densities_are_the_named_ones():
    y, f = np.array([1.5, 2.5]), np.array([2.0, 2.0])
    found = ResidualError("combined", 0.3, 0.1).log_density(y, f)
    np.testing.assert_allclose(found, norm(2, 0.3 + 0.1 * 2).logpdf(y))
    found = ResidualError("exponential", 0.3, 0.0).log_density(y, f)
    np.testing.assert_allclose(found, lognorm(0.3, scale=2).logpdf(y))


def test_residual_samples_follow_the_truncated_law():
    f = np.full(4000, 0.5)
    drawn = ResidualError("additive", 0.6, 0.0).sample(f, np.random.default_rng(0).random(4000))
    assert drawn.min() > 0
    law = truncnorm(-0.5 / 0.6, np.inf, 0.5, 0.6)
    assert kstest(drawn, law.cdf).pvalue > 0.001


def test_posterior_of_a_conjugate_model():
    """Just after a bolus ln y = ln(dose / V) + a e: normal prior, normal data, normal posterior."""
    structure = StructuralModel(1, oral=False)
    error = ResidualError("exponential", 0.2, 0.0)
    model = population(structure, [1.0, 10.0], [0.4, 0.3], error)
    times = np.array([1e-9, 2e-9, 3e-9])
    values = np.array([14.0, 13.0, 15.0])
    seen = Individual("a", times, values, (Dose(0.0, 100.0, "iv_bolus"),))
    found = posterior(model, seen, 20000, np.random.default_rng(1))
    precision = 1 / 0.3**2 + 3 / 0.2**2
    mean = -(np.log(values) - np.log(10)).sum() / 0.2**2 / precision
    assert found.mode[1] == pytest.approx(mean, abs=2e-3)
    assert found.mode[0] == pytest.approx(0, abs=2e-3)  # nothing is learned about CL
    assert found.samples[:, 1].mean() == pytest.approx(mean, abs=0.01)
    assert found.samples[:, 1].std() == pytest.approx(precision**-0.5, rel=0.06)
    assert found.samples[:, 0].std() == pytest.approx(0.4, rel=0.06)
    assert found.effective > 500


def test_without_observations_the_posterior_is_the_population():
    nobody = Individual("a", [], [], DOSE)
    found = posterior(TRUTH, nobody, 5000, np.random.default_rng(0))
    assert np.all(found.mode == 0)
    np.testing.assert_allclose(found.samples.std(0), [0.5, 0.3, 0.2], rtol=0.05)


def inside(model: Population, levels: tuple[float, ...]) -> np.ndarray:
    """Share of held-out samples inside the central intervals, float64[80 individuals, levels].

    The individuals come from TRUTH, and ``model`` forecasts them from their first four samples.
    """
    found = []
    for i, one in enumerate(simulate(TRUTH, TIMES, DOSE, 80, seed=3)):
        rng = np.random.default_rng(i)
        etas = posterior(model, one.prefix(4), 400, rng).samples
        times, truth = one.rest(4)
        curves = predict(model, etas, one, times)
        drawn = model.error.sample(curves, rng.random(curves.shape))
        ends = [np.quantile(drawn, [(1 - p) / 2, (1 + p) / 2], axis=0) for p in levels]
        found.append([np.mean((low <= truth) & (truth <= high)) for low, high in ends])
    return np.array(found)


def test_intervals_of_the_true_model_cover_as_they_say():
    found = inside(TRUTH, (0.5, 0.9))
    # Four standard errors of a mean over 80 individuals.
    error = 4 * found.std(0) / np.sqrt(len(found))
    assert np.all(np.abs(found.mean(0) - [0.5, 0.9]) < error)


def test_parameters_are_recovered_and_intervals_cover():
    """40 individuals, 9 samples each: estimates within three standard errors and 30 %."""
    data = fit_data(simulate(TRUTH, TIMES, DOSE, 40, seed=11))
    found = fit(data, Candidate(TRUTH.structure), starting_values(data, TRUTH.structure)[0])
    gap = np.abs(np.log(found.typical / TRUTH.typical))
    assert np.all(gap < 3 * found.se) and np.all(gap < 0.3)
    sd = np.sqrt(np.diag(found.omega))
    np.testing.assert_allclose(sd, [0.5, 0.3, 0.2], rtol=0.45)
    assert found.error.b == pytest.approx(0.1, rel=0.3)
    assert np.all(found.shrinkage < 0.5)
    # New individuals of the same population; estimates are uncertain, so a little fewer than 90 %.
    assert 0.8 < inside(found, (0.9,)).mean() < 0.97


def test_simulation_keeps_its_seed_and_refuses_nothing():
    first, again = (simulate(TRUTH, TIMES, DOSE, 3, seed=5) for _ in range(2))
    assert first == again
    assert first != simulate(TRUTH, TIMES, DOSE, 3, seed=6)
    with pytest.raises(AgmpkError, match="At least one virtual individual"):
        simulate(TRUTH, TIMES, DOSE, 0, seed=1)
