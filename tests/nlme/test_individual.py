"""Residual error, the posterior of an individual, simulation: against laws known in closed form."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import kstest, lognorm, norm, truncnorm

from agmpk.errors import AgmpkError
from agmpk.nlme import Candidate, Population, ResidualError, fit, posterior, predict, simulate
from agmpk.nlme.closed_forms import StructuralModel
from agmpk.nlme.fit import fault, with_limits
from agmpk.nlme.posterior import MOST
from agmpk.nlme.start import fit_data, starting_values, suggested
from agmpk.studies import Dose, Individual, Study

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


def test_posterior_with_a_limit_agrees_with_quadrature():
    """CL and V of a bolus, two values and one sample below its limit, on a grid of 400 x 400."""
    structure = StructuralModel(1, oral=False)
    for error in (ResidualError("combined", 0.2, 0.1), ResidualError("exponential", 0.25, 0.0)):
        model = population(structure, [2.0, 10.0], [0.5, 0.3], error)
        times, values = np.array([1.0, 4.0, 12.0]), np.array([8.0, 5.0, 0.5])
        marks = [False, False, True]
        seen = Individual("a", times, values, (Dose(0.0, 100.0, "iv_bolus"),), marks)
        found = posterior(model, seen, 10, np.random.default_rng(1), uncertain=False)
        axis = np.linspace(-2.5, 2.5, 400)
        cl, v = np.meshgrid(axis, axis, indexing="ij")
        f = 100 / (10 * np.exp(v))[..., None] * np.exp(-0.2 * np.exp(cl - v)[..., None] * times)
        if error.kind == "exponential":
            seen_part = norm(np.log(f[..., :2]), 0.25).logpdf(np.log(values[:2])) - np.log(
                values[:2]
            )
            below = norm(np.log(f[..., 2]), 0.25).logcdf(np.log(0.5))
        else:
            sd = 0.2 + 0.1 * f
            seen_part = norm(f[..., :2], sd[..., :2]).logpdf(values[:2])
            below = norm(f[..., 2], sd[..., 2]).logcdf(0.5)
        logs = seen_part.sum(-1) + below + norm(0, 0.5).logpdf(cl) + norm(0, 0.3).logpdf(v)
        mass = np.exp(logs) * (axis[1] - axis[0]) ** 2
        assert found.log_marginal == pytest.approx(np.log(mass.sum()), abs=0.06)
        mean = [(mass * x).sum() / mass.sum() for x in (cl, v)]
        np.testing.assert_allclose(found.weights @ found.drawn, mean, atol=0.02)


def test_proposals_are_raised_until_they_suffice():
    """Twelve precise samples in six dimensions: most proposals miss."""
    sd = [0.8, 0.5, 0.5, 0.5, 0.8, 0.8]
    structure = StructuralModel(2, oral=True, lag=True)
    error = ResidualError("proportional", 0.0, 0.02)
    model = population(structure, [1.2, 0.4, 4.0, 30.0, 6.0, 60.0], sd, error)
    one = simulate(model, np.append(TIMES, [30.0, 36.0, 48.0]), DOSE, 1, seed=4)["V1"]
    found = posterior(model, one, 10, np.random.default_rng(0))
    assert found.effective >= 100 or len(found.drawn) == 2 * MOST


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
        times, truth = one.times[4:], one.concentrations[4:]
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


def test_values_below_the_limit_count_in_the_fit(monkeypatch):
    """A bolus, half of the late samples below the limit: left out, the elimination seems slower
    than it is (the truth is 4 L/h); counted as P(y < limit), it does not."""
    error = ResidualError("proportional", 0.0, 0.15)
    truth = population(StructuralModel(1, oral=False), [4.0, 30.0], [0.5, 0.2], error)
    times, limit = np.array([0.5, 2.0, 6.0, 12.0, 18.0, 24.0]), 0.4
    complete = simulate(truth, times, (Dose(0.0, 100.0, "iv_bolus"),), 40, seed=2)
    people = [
        Individual(
            one.id, times, np.maximum(one.concentrations, limit), one.doses,
            one.concentrations < limit,
        )
        for one in complete
    ]  # fmt: skip
    estimates = {}
    for name, study in {"all": complete, "limits": replace(complete, individuals=people)}.items():
        data = fit_data(study)
        candidate = Candidate(truth.structure, "proportional")
        estimates[name] = fit(data, candidate, starting_values(data, truth.structure)[0])
    assert sum(one.censored.sum() for one in people) > 50
    counted = with_limits(estimates["limits"], data)
    gap = {
        name: found.typical[0] / estimates["all"].typical[0] for name, found in estimates.items()
    }
    assert gap["limits"] < 0.95
    assert counted.typical[0] / estimates["all"].typical[0] == pytest.approx(1, abs=0.025)
    omega = np.sqrt(np.diag(counted.omega)) / np.sqrt(np.diag(estimates["all"].omega))
    np.testing.assert_allclose(omega, 1, atol=0.12)
    assert counted.error.b == pytest.approx(estimates["all"].error.b, rel=0.12)
    # Without limits, it stays where the engine has arrived.
    monkeypatch.setattr(sys.modules[with_limits.__module__], "ROUNDS", 4)
    data = fit_data(complete)
    same = with_limits(estimates["all"], data)
    np.testing.assert_allclose(same.typical, estimates["all"].typical, rtol=0.02)
    assert same.loglik == pytest.approx(estimates["all"].loglik, abs=0.5)


def test_bioavailability_from_two_arms_and_a_crossover():
    """Twelve people by mouth, thirteen by infusion, six first by mouth, then by bolus; F is 0.4."""
    sd = [0.4, 0.1, 0.3, 0.2]
    error = ResidualError("proportional", 0.0, 0.1)
    truth = population(StructuralModel(1, oral=True, both=True), [1.2, 0.4, 4.0, 30.0], sd, error)
    plans = {
        12: (Dose(0.0, 100.0),),
        13: (Dose(0.0, 80.0, "iv_infusion", 1.0),),
        6: (Dose(0.0, 100.0), Dose(24.0, 50.0, "iv_bolus")),
    }
    times = np.concatenate([TIMES, 24 + TIMES])
    people = []
    for n, plan in plans.items():
        asked = times if len(plan) == 2 else TIMES
        for one in simulate(truth, asked, plan, n, seed=n):
            people.append(replace(one, id=f"{n}-{one.id}"))
    data = fit_data(Study("simulated", tuple(people)))
    start = starting_values(data, truth.structure)[0]
    found = fit(data, Candidate(truth.structure, "proportional"), start)
    np.testing.assert_allclose(found.typical, truth.typical, rtol=0.2)
    assert np.all(np.abs(np.log(found.typical / truth.typical)) < 3 * found.se)
    assert fault(found, suggested(data)) is None


def test_simulation_keeps_its_seed_and_refuses_nothing():
    first, again = (simulate(TRUTH, TIMES, DOSE, 3, seed=5) for _ in range(2))
    assert first == again
    assert first != simulate(TRUTH, TIMES, DOSE, 3, seed=6)
    with pytest.raises(AgmpkError, match="At least one virtual individual"):
        simulate(TRUTH, TIMES, DOSE, 0, seed=1)
