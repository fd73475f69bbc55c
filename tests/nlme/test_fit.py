"""Estimates against R's nlme 3.1.162 (R 4.2.2) and the literature; likelihood against quadrature.

The R values: ``nlme(..., method = "ML", random = pdDiag(...))`` with CL, V, ka (Q, V2) on the log
scale, without observations at time 0. It maximizes a linearized likelihood, so a few per cent and
one or two units of AIC apart from an exact one are expected.
"""

from __future__ import annotations

import itertools
import re
import sys

import numpy as np
import pytest
from scipy.optimize import minimize

from agmpk.evaluation import benchmark_studies
from agmpk.nlme import Candidate, FitFailed, Population, fit, select
from agmpk.nlme.closed_forms import StructuralModel
from agmpk.nlme.fit import fault
from agmpk.nlme.population import ResidualError, predict
from agmpk.nlme.start import fit_data, starting_values, suggested
from agmpk.studies import Study

ORAL, INTRAVENOUS = StructuralModel(1, oral=True), StructuralModel(2, oral=False)


@pytest.fixture(scope="module")
def studies() -> dict[str, Study]:
    return benchmark_studies()


@pytest.fixture(scope="module")
def theophylline(studies) -> Population:
    data = fit_data(studies["theophylline"])
    return fit(data, Candidate(ORAL, "additive"), starting_values(data, ORAL)[0], seed=1)


@pytest.fixture(scope="module")
def indometacin(studies) -> Population:
    data = fit_data(studies["indometacin"])
    start = starting_values(data, INTRAVENOUS)[0]
    return fit(data, Candidate(INTRAVENOUS, "exponential"), start, seed=1)


def test_theophylline_agrees_with_r_nlme(theophylline):
    np.testing.assert_allclose(theophylline.typical, [1.5571, 0.040293, 0.45540], rtol=0.04)
    omega = np.sqrt(np.diag(theophylline.omega))
    np.testing.assert_allclose(omega, [0.6370, 0.2636, 0.1346], rtol=0.1)
    assert theophylline.error.a == pytest.approx(0.7330, rel=0.02)
    assert theophylline.aic == pytest.approx(357.58, abs=2)


def test_indometacin_agrees_with_r_nlme(indometacin):
    np.testing.assert_allclose(indometacin.typical, [7.959, 8.993, 5.521, 18.877], rtol=0.04)
    assert np.sqrt(indometacin.omega[0, 0]) == pytest.approx(0.1824, rel=0.05)
    assert indometacin.error.a == pytest.approx(0.1414, rel=0.03)
    assert indometacin.aic == pytest.approx(-162.33, abs=1.5)


def test_starting_values_are_near_the_published_ones(studies):
    data = fit_data(studies["theophylline"])
    ka, cl, v = starting_values(data, ORAL)[0]
    assert 1 < ka < 2.2
    assert cl == pytest.approx(0.04, rel=0.15)
    assert v == pytest.approx(0.46, rel=0.15)


def test_likelihood_agrees_with_gauss_hermite_quadrature(theophylline, studies):
    """Adaptive quadrature, 9 nodes in each of the three random effects of each subject."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    grid = np.array(list(itertools.product(nodes, repeat=3)))
    log_weights = np.log([np.prod(w) for w in itertools.product(weights, repeat=3)])
    inverse = np.linalg.inv(theophylline.omega)
    log_normal = -0.5 * np.linalg.slogdet(2 * np.pi * theophylline.omega)[1]
    total = 0.0
    for one in fit_data(studies["theophylline"]).people:

        def log_joint(etas, one=one):
            f = predict(theophylline, etas, one, one.times)
            z = (one.concentrations - f) / theophylline.error.a
            likelihood = (-0.5 * z**2 - np.log(theophylline.error.a * np.sqrt(2 * np.pi))).sum(-1)
            prior = -0.5 * np.einsum("si,ij,sj->s", etas, inverse, etas)
            return likelihood + prior + log_normal

        mode = minimize(lambda e, f=log_joint: -f(e[None])[0], np.zeros(3), method="BFGS")
        root = np.linalg.cholesky(mode.hess_inv)
        logs = log_joint(mode.x + grid @ root.T) + 0.5 * (grid**2).sum(1) + log_weights
        total += np.logaddexp.reduce(logs) + np.log(np.diag(root)).sum()
    assert theophylline.loglik == pytest.approx(total, abs=0.15)


def test_selection_of_indometacin(studies):
    selection = select(studies["indometacin"], starts=1)
    assert selection.population.structure.name == "iv-2c"
    tried = {row["name"]: row["aic"] for row in selection.tried}
    assert tried["iv-1c / combined / diagonal"] > selection.population.aic + 50
    assert fault(selection.population, suggested(fit_data(studies["indometacin"]))) is None


def test_selection_fails_aloud(studies, monkeypatch):
    def broken(*arguments):
        raise FitFailed("The engine stopped.")

    monkeypatch.setattr(sys.modules[select.__module__], "fit", broken)
    with pytest.raises(FitFailed, match="No mixed-effects model of indometacin is acceptable"):
        select(studies["indometacin"], starts=1)


@pytest.mark.parametrize(
    ("typical", "sd", "se", "words"),
    [
        ([1.5, 0.04, 0.46], 0.3, 0.1, None),
        ([0.09, 0.04, 0.03], 0.3, 0.1, "flip-flop"),
        ([1.5, 0.04, 460.0], 0.3, 0.1, "V is 1e.03 times"),
        ([1.5, 0.04, 0.46], 2.5, 0.1, "SD of ln ka"),
        ([1.5, 0.04, 0.46], 0.3, np.nan, "ka is not identified"),
    ],
)
def test_what_is_acceptable(typical, sd, se, words):
    population = Population(
        "theophylline",
        ORAL,
        ResidualError("additive", 0.7, 0.0),
        np.array(typical),
        np.eye(3) * sd**2,
        -170.0,
        7,
        np.full(3, se),
        np.zeros((3, 3)),
        ("1", "2", "3"),
    )
    found = fault(population, {"CL": 0.04, "lambda_z": 0.09, "Tmax": 1.1, "first": 0.25})
    if words is None:
        assert found is None
    else:
        assert found is not None and re.search(words, found)
