"""The best possible forecast of a study of a published model, against laws in closed form."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from agmpk.files import data_path
from agmpk.nlme.closed_forms import StructuralModel, dose_columns
from agmpk.nlme.population import draw_etas, predict
from agmpk.paper import published_truth
from agmpk.paper.published_curves import PARAMETERS, Path, draw_people, published_models
from agmpk.paper.published_models import STORED_SEED, Drawn, drawn_studies
from agmpk.paper.published_truth import BestForecaster, TrueError, best_results, true_population
from agmpk.studies import Dose, Individual, Study, Units

MODELS = {model.name: model for model in published_models()}
TIMES = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 12.0])
ORAL = Dose(0.0, 100.0, "oral")


def simple(**changes):
    """An oral model of one compartment in which nothing varies, with logarithmic error."""
    nothing = dict.fromkeys(PARAMETERS, 0.0)
    plain = {
        "paths": (Path(ka=1.2),), "routes": "oral", "typical": {"F": 1.0, "CL": 3.0, "V": 20.0},
        "km": np.inf, "between": nothing, "occasion": dict.fromkeys(("CL", "F", "ka", "V"), 0.0),
        "correlation": np.eye(len(PARAMETERS)), "proportional": 0.0, "additive": 0.0,
        "log_additive": 0.2,
    }  # fmt: skip
    return replace(MODELS["AbdelJalil_2013_tacrolimus"], **plain | changes)


def study_of(doses, concentration="mg/L", lloq=None):
    person = Individual("1", TIMES, np.ones(len(TIMES)), tuple(doses))
    units = Units(time="h", concentration=concentration, dose="mg")
    return Study("drug", (person, replace(person, id="2")), units, lloq)


def drawn_of(model, doses=(ORAL,), second=np.inf, **study):
    return Drawn(model, study_of(doses, **study), 0.0, second)


@pytest.mark.parametrize("unit, factor", [("mg/L", 1.0), ("ng/mL", 1e3)])
def test_curves_are_those_of_the_closed_form(unit, factor):
    drawn = drawn_of(simple(), concentration=unit)
    population, one = true_population(drawn), drawn.study.individuals[0]
    found = predict(population, np.zeros((1, len(PARAMETERS))), one, TIMES)[0]
    model = StructuralModel(1, oral=True)
    values = np.array([1.2, 3.0, 20.0])
    expected = factor * model.concentration(values, TIMES, dose_columns(one))
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_where_only_f_varies_the_forecast_is_the_conjugate_normal_law():
    """ln y = ln f + eta + e: the posterior of eta is normal, and so is ln y."""
    omega, sigma = 0.5, 0.2
    between = dict.fromkeys(PARAMETERS, 0.0) | {"F": omega}
    drawn = drawn_of(simple(between=between))
    one = drawn.study.individuals[0]
    curve = predict(true_population(drawn), np.zeros((1, len(PARAMETERS))), one, TIMES)[0]
    away = np.array([0.9, 0.5, 0.6])
    seen = replace(one, times=TIMES[:3], concentrations=curve[:3] * np.exp(away), censored=None)
    found = BestForecaster(drawn).forecast(drawn.study, seen, TIMES[3:], 20_000, 1)
    logs = np.log(found.samples) - np.log(curve[3:])
    precision = 1 / omega**2 + 3 / sigma**2
    mean, variance = away.sum() / sigma**2 / precision, 1 / precision
    np.testing.assert_allclose(logs.mean(0), mean, atol=0.01)
    np.testing.assert_allclose(logs.std(0), np.sqrt(variance + sigma**2), rtol=0.03)
    # The individual's level is shared by its times, the error is not.
    np.testing.assert_allclose(np.cov(logs.T)[0, 1], variance, rtol=0.15)


@pytest.mark.parametrize("silent", [False, True])
def test_a_limit_enters_the_posterior_as_it_is_reported(silent):
    """Of ln f + eta + e with one value and one sample below the limit, marked or left out.

    The value above the limit would have been as likely without a limit; what is reported later is
    above it."""
    omega, sigma, above = 0.5, 0.2, 0.3
    between = dict.fromkeys(PARAMETERS, 0.0) | {"F": omega}
    one = study_of([ORAL]).individuals[0]
    known = true_population(drawn_of(simple(between=between)))
    curve = predict(known, np.zeros((1, len(PARAMETERS))), one, TIMES)[0]
    limit = curve[2] * np.exp(-0.1)
    drawn = drawn_of(simple(between=between), lloq=None if silent else limit)._replace(limit=limit)
    values, below = np.array([curve[2] * np.exp(above), limit]), np.array([False, True])
    seen = replace(one, times=TIMES[2:4], concentrations=values, censored=below)
    seen = seen.select(~below) if silent else seen
    found = BestForecaster(drawn).forecast(drawn.study, seen, TIMES[4:5], 20_000, 1)
    eta, limits = np.linspace(-3, 3, 4001), np.log(limit / curve)
    logs = stats.norm.logpdf(eta, 0, omega) + stats.norm.logpdf(above, eta, sigma)
    if not silent:
        logs += stats.norm.logcdf(limits[3], eta, sigma)
    weights, expected = np.exp(logs), eta
    if silent:  # the mean of what is reported, by those of whom it is
        a = (limits[4] - eta) / sigma
        weights = weights * stats.norm.sf(a)
        expected = eta + sigma * np.exp(stats.norm.logpdf(a) - stats.norm.logsf(a))
    weights = weights / weights.sum()
    logs = np.log(found.samples[:, 0] / curve[4])
    assert logs.mean() == pytest.approx(weights @ expected, abs=0.015)
    assert (found.samples >= limit).all() == silent


def test_what_changes_between_occasions_is_drawn_for_each():
    doses = [ORAL, replace(ORAL, time=48.0)]
    occasion = {"CL": 0.0, "F": 0.4, "ka": 0.0, "V": 0.0}
    between = dict.fromkeys(PARAMETERS, 0.0) | {"F": 0.3}
    drawn = drawn_of(simple(occasion=occasion, between=between), doses, 47.0)
    population = true_population(drawn)
    assert population.structure.parameters[-2:] == ("F 1", "F 2")
    etas = draw_etas(population, 4000, np.random.default_rng(0), uncertain=False)
    curves = np.log(predict(population, etas, drawn.study.individuals[0], np.array([5.0, 53.0])))
    # After two days hardly anything of the first dose is left.
    np.testing.assert_allclose(curves.std(0), 0.5, rtol=0.04)
    assert np.corrcoef(curves.T)[0, 1] == pytest.approx(0.3**2 / 0.5**2, abs=0.05)


def test_parameters_vary_as_in_people_drawn_of_the_model():
    model = MODELS["Koue_2007_aripiprazole"]
    population = true_population(drawn_of(model))
    etas = draw_etas(population, 6000, np.random.default_rng(1), uncertain=False)
    people = draw_people(model, 6000, np.random.default_rng(2))
    for name in ("CL", "V", "ka", "V2"):
        theirs = np.log(people.values[name][:, 0] / model.typical.get(name, 1.0))
        ours = etas[:, PARAMETERS.index(name)]
        assert stats.ks_2samp(ours, theirs).pvalue > 1e-3, name
    # An oral dose without transit or zero-order input depends on none of their parameters.
    assert not etas[:, [PARAMETERS.index("mtt"), PARAMETERS.index("duration")]].any()
    bolus = drawn_of(MODELS["Kim_2024_meropenem"], [Dose(0.0, 500.0, "iv_bolus")])
    infused = true_population(bolus)
    assert not infused.omega[PARAMETERS.index("ka")].any()


def test_variances_of_a_combined_error_add():
    error = TrueError("combined", 3.0, 0.4)
    np.testing.assert_allclose(error.sd(np.array([10.0])), 5.0)
    drawn = error.sample(np.full(20_000, 100.0), np.random.default_rng(3).random(20_000))
    assert drawn.std() == pytest.approx(np.hypot(3.0, 40.0), rel=0.03)


@pytest.fixture(scope="module")
def stored():
    return pd.read_csv(data_path("poppk", "best.csv"), dtype={"individual": str})


def test_the_stored_results_are_those_of_the_code(stored, monkeypatch):
    drawn = drawn_studies("reporting", STORED_SEED)
    name = "Ahmed_2020_cyclophosphamide-single-1"
    assert set(stored[stored.split == "reporting"].compound) == set(drawn)
    # The others take minutes.
    every = published_truth.studies_in
    monkeypatch.setattr(published_truth, "studies_in", lambda folder: {name: every(folder)[name]})
    found = best_results("reporting", 2)
    theirs = stored[(stored.compound == name) & (stored.shown == 2)]
    assert list(found.individual) == list(theirs.individual)
    for score, near in {"log_rmse": 0.03, "crps": 0.02, "covered_90": 0.15}.items():
        np.testing.assert_allclose(found[score], theirs[score], atol=near)


def test_the_best_forecasts_cover_as_promised(stored):
    """They are right by construction, so their intervals hold what they promise."""
    for shown in (2, 4):
        rows = stored[(stored.shown == shown) & (stored.n_target + stored.n_below > 0)]
        each = rows.covered_90
        number = rows.n_target + rows.n_below
        pooled = (each * number).sum() / number.sum()
        error = np.sqrt((number**2 * (each - pooled) ** 2).sum()) / number.sum()
        assert abs(pooled - 0.9) < 3 * error + 0.005 and error < 0.015
