"""The forecaster's seam, the store of fits, and what happens with studies that cannot be fitted."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agmpk.errors import AgmpkError
from agmpk.evaluation import benchmark_studies, cases
from agmpk.evaluation.scores import log_rmse
from agmpk.forecasting import generate, load_forecaster, sampling_times
from agmpk.forecasting.mixed_effects import NlmeForecaster, NlmePopulationForecaster
from agmpk.nlme import (
    FitFailed,
    FitStore,
    Population,
    ResidualError,
    Selection,
)
from agmpk.nlme.closed_forms import StructuralModel
from agmpk.nlme.fit import Candidate, fit
from agmpk.nlme.select import METHOD_VERSION, context_key
from agmpk.nlme.start import fit_data, starting_values
from agmpk.store import Store
from agmpk.studies import Dose, Individual, Study, read_study

# R's nlme on all six subjects of Indometh, see test_fit.py; V varies a little.
INDOMETACIN = Population(
    "indometacin",
    StructuralModel(2, oral=False),
    ResidualError("exponential", 0.1414, 0.0),
    np.array([7.959, 8.993, 5.521, 18.877]),
    np.diag(np.square([0.182, 0.08, 0.352, 0.256])),
    90.2,
    9,
    np.full(4, 0.1),
    np.zeros((6, 4)),
    tuple("123456"),
)
SELECTION = Selection(INDOMETACIN, ({"name": "iv-2c", "aic": -162.3, "fault": None},), 1.0)


@pytest.fixture(scope="module")
def indometacin() -> Study:
    return benchmark_studies()["indometacin"]


@pytest.fixture
def store(tmp_path, monkeypatch) -> FitStore:
    """A store that fits nothing: every study gets indometacin's population."""
    monkeypatch.setattr(sys.modules[FitStore.__module__], "select", lambda *a, **k: SELECTION)
    return FitStore(tmp_path, keep=True)


def test_forecasts_of_indometacin(store, indometacin):
    errors = {"nlme": [], "nlme-population": []}
    for case in cases("indometacin", indometacin):
        for model in (NlmeForecaster(store), NlmePopulationForecaster(store)):
            found = model.forecast(case.context, case.prefix, case.times, 50, 0)
            assert found.samples.shape == (50, len(case.times)) and np.all(found.samples > 0)
            again = model.forecast(case.context, case.prefix, case.times, 50, 0)
            assert np.array_equal(found.samples, again.samples)
            other = model.forecast(case.context, case.prefix, case.times, 50, 1)
            assert not np.array_equal(found.samples, other.samples)
            errors[model.name].append(log_rmse(found.pred, case.observed))
    assert np.mean(errors["nlme"]) < 0.35  # published: 0.582; a quick trial: 0.32
    assert np.mean(errors["nlme"]) < np.mean(errors["nlme-population"])


def test_without_a_prefix_the_samples_are_virtual_individuals(store, indometacin):
    cohort = generate(NlmeForecaster(store), indometacin, n=400, seed=2)
    times = sampling_times(indometacin)
    at = int(np.flatnonzero(times == 2.0)[0])
    logs = np.log([one.concentrations[at] for one in cohort])
    real = np.log([one.concentrations[one.times == 2.0][0] for one in indometacin.after_dose()])
    assert abs(logs.mean() - real.mean()) < 0.25
    assert 0.14 < logs.std() < 0.6


def test_registry_knows_both():
    assert load_forecaster("nlme").name == "nlme"
    assert load_forecaster("nlme-population").name == "nlme-population"


def test_another_route_is_refused(store, indometacin):
    swallowed = Individual("x", [1.0], [1.0], (Dose(0.0, 25.0),))
    with pytest.raises(AgmpkError, match="not dosed by the route"):
        NlmeForecaster(store).forecast(indometacin, swallowed, np.array([2.0]), 10, 0)


def test_too_few_individuals(tmp_path, indometacin):
    two = Study("indometacin", indometacin.individuals[:2], indometacin.units)
    with pytest.raises(AgmpkError, match="needs 3 individuals .* it has 2"):
        FitStore(tmp_path).get(two)


def test_an_intravenous_dose_after_an_oral_fit_is_refused(store, indometacin, monkeypatch):
    swallowed = Individual("x", [1.0], [1.0], (Dose(0.0, 25.0),))
    context = Study("indometacin", (swallowed,), indometacin.units)
    oral = replace(INDOMETACIN, structure=StructuralModel(1, oral=True))
    chosen = Selection(oral, (), 1.0)
    monkeypatch.setattr(sys.modules[FitStore.__module__], "select", lambda *a, **k: chosen)
    with pytest.raises(AgmpkError, match="has IV doses, the others were dosed orally"):
        NlmeForecaster(store).forecast(context, indometacin["1"].prefix(2), np.array([9.0]), 10, 0)


def test_predose_values_are_left_out_and_limits_set_aside(indometacin):
    """Four values, of which one is below the LLOQ and one before the dose."""
    one = Individual(
        "z",
        [0.0, 1.0, 2.0, 9.0],
        [0.1, 1.0, 0.7, 0.02],
        (Dose(0.0, 25.0, "iv_bolus"),),
        [False, False, False, True],
    )
    data = fit_data(Study("indometacin", (*indometacin.individuals, one), indometacin.units))
    assert data.times[data.group == 6].tolist() == [1.0, 2.0]
    assert data.people[6].times[data.people[6].censored].tolist() == [9.0]


def test_a_forecast_does_not_depend_on_what_else_is_asked(store, indometacin):
    person = indometacin["1"].after_dose()
    times = person.times[4:]
    for model in (NlmeForecaster(store), NlmePopulationForecaster(store)):

        def ask(asked, model=model):
            return model.forecast(indometacin.without("1"), person.prefix(4), asked, 100, 0)

        every, more = ask(times), ask(np.append(times, [9.0, 12.0, 24.0]))
        np.testing.assert_allclose(more.pred[: len(times)], every.pred, rtol=1e-12)
        np.testing.assert_allclose(more.samples[:, : len(times)], every.samples, rtol=1e-12)
        for k, time in enumerate(times):
            alone = ask(np.array([time]))
            np.testing.assert_allclose(alone.pred, every.pred[[k]], rtol=1e-12)
            np.testing.assert_allclose(alone.samples[:, 0], every.samples[:, k], rtol=1e-12)
        # The point forecast does not depend on the number of samples either.
        other = model.forecast(indometacin.without("1"), person.prefix(4), times, 30, 0)
        np.testing.assert_allclose(other.pred, every.pred, rtol=1e-12)


def test_forecasts_are_proportional_to_dose_and_count_from_the_first_dose(store, indometacin):
    times = np.array([1.0, 6.0, 7.0, 12.0, 14.0])
    plan = (Dose(0.0, 25.0, "iv_bolus"), Dose(6.0, 10.0, "iv_infusion", 0.5))
    nobody = Individual("v", [], [], plan)
    model = NlmeForecaster(store)
    one = model.forecast(indometacin, nobody, times, 50, 0)
    doubled = tuple(replace(dose, amount=2 * dose.amount) for dose in plan)
    two = model.forecast(indometacin, Individual("v", [], [], doubled), times, 50, 0)
    np.testing.assert_allclose(two.pred, 2 * one.pred, rtol=1e-9)
    later = tuple(replace(dose, time=dose.time + 100.25) for dose in plan)
    moved = model.forecast(indometacin, Individual("v", [], [], later), times + 100.25, 50, 0)
    np.testing.assert_allclose(moved.samples, one.samples, rtol=1e-9)


def test_mean_and_mode_and_wider_intervals(store, indometacin):
    person = indometacin["1"].after_dose()
    asked = indometacin.without("1"), person.prefix(2), person.times[2:], 800, 0
    mean = NlmeForecaster(store).forecast(*asked)
    mode = NlmeForecaster(store, point="mode", uncertain=False).forecast(*asked)
    # Samples of the mode's posterior are centred on the mean of ln f, not on the mode.
    centre = np.log(mode.samples).mean(0)
    assert np.abs(np.log(mean.pred) - centre).max() < 0.05
    assert np.abs(np.log(mean.pred / mode.pred)).max() > 0.005
    assert np.log(mean.samples).std(0).mean() > 1.03 * np.log(mode.samples).std(0).mean()
    spread = INDOMETACIN.spread()
    np.testing.assert_allclose(np.diag(spread), np.diag(INDOMETACIN.omega) * 6 / 5 + 0.1**2)
    with pytest.raises(AgmpkError, match="mean or mode, not 'median'"):
        NlmeForecaster(store, point="median")


def test_a_sample_below_the_limit_lowers_the_forecast(store, indometacin):
    person = indometacin["1"].after_dose()
    seen, later = person.prefix(3), np.array([4.0, 8.0])
    model = NlmeForecaster(store)
    without = model.forecast(indometacin.without("1"), seen, later, 50, 0)
    low = 0.5 * float(without.pred[0])
    marked = Individual(
        "1",
        [*seen.times, 3.0],
        [*seen.concentrations, low],
        seen.doses,
        [False, False, False, True],
    )
    found = model.forecast(indometacin.without("1"), marked, later, 50, 0)
    assert np.all(found.pred < 0.9 * without.pred)
    high = replace_limit(marked, 50.0)  # says nothing: everybody is below 50
    found = model.forecast(indometacin.without("1"), high, later, 50, 0)
    np.testing.assert_allclose(found.pred, without.pred, rtol=0.02)


def replace_limit(one: Individual, limit: float) -> Individual:
    values = np.where(one.censored, limit, one.concentrations)
    return Individual(one.id, one.times, values, one.doses, one.censored)


def test_without_the_engine_the_extra_is_named(tmp_path, indometacin, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynlme", None)
    asked = indometacin.without("1"), indometacin["1"].prefix(0), np.array([1.0]), 10, 0
    with pytest.raises(AgmpkError, match="needs the extra 'nlme'") as raised:
        NlmeForecaster(FitStore(tmp_path)).forecast(*asked)
    assert not isinstance(raised.value, FitFailed) and "\n" not in str(raised.value)


def test_troughs_in_the_row_before_the_dose(tmp_path, monkeypatch):
    """Boluses every 12 h, troughs recorded at exactly 12, 24 and 36 h. The same data at 11.99,
    23.99 and 35.99 h are forecast with a log-RMSE of 0.07 at the troughs."""
    study = read_study(Path(__file__).with_name("bolus_troughs_at_dose_times.csv"))
    data, structure = fit_data(study), StructuralModel(1, oral=False)
    start = starting_values(data, structure)[0]
    fitted = Selection(fit(data, Candidate(structure, "proportional"), start), (), 1.0)
    monkeypatch.setattr(sys.modules[FitStore.__module__], "select", lambda *a, **k: fitted)
    model = NlmeForecaster(FitStore(tmp_path))
    errors = []
    for name in ("1", "2", "3"):
        one = study[name]
        found = model.forecast(study, one.prefix(4), one.times[4:], 50, 0)
        errors.append(np.log(found.pred / one.concentrations[4:])[np.isin(found.times, [24, 36])])
    assert np.sqrt(np.mean(np.square(errors))) < 0.12


def test_store_keeps_and_finds(store, indometacin, tmp_path, monkeypatch):
    context = indometacin.without("1")
    assert not store.has(context)
    store.get(context)
    again = FitStore(tmp_path)
    assert again.has(context)
    monkeypatch.undo()  # nothing is made again
    monkeypatch.setattr(sys.modules[FitStore.__module__], "select", None)
    found = again.get(context).population
    assert found.to_dict() == INDOMETACIN.to_dict()
    # Other settings, another context: not the same fit.
    assert not again.has(context, flip_flop=True)
    assert not again.has(indometacin.without("2"))
    # The order of the individuals does not matter.
    turned = Study("indometacin", context.individuals[::-1], context.units)
    assert again.has(turned)


def test_fits_by_another_method_are_not_used(store, indometacin, tmp_path, monkeypatch):
    store.get(indometacin)
    assert FitStore(tmp_path).has(indometacin)
    changed = FitStore.__init__.__globals__, "METHOD_VERSION", METHOD_VERSION + 1
    monkeypatch.setitem(*changed)
    assert not FitStore(tmp_path).has(indometacin)


def test_what_a_key_depends_on(indometacin):
    """What the fit sees, and the settings: nothing of the code, nothing of the clock's start."""
    key = context_key(indometacin)
    later = [
        Individual(
            one.id,
            one.times + 7.3,
            one.concentrations,
            [replace(dose, time=dose.time + 7.3) for dose in one.doses],
        )
        for one in indometacin
    ]
    assert context_key(replace(indometacin, individuals=later)) == key
    settings = FitStore().settings(indometacin)
    assert settings["context"] == key and FitStore(starts=3).settings(indometacin) != settings
    marked = [
        Individual(one.id, one.times, one.concentrations, one.doses, one.times > 7.5)
        for one in indometacin
    ]
    assert context_key(replace(indometacin, individuals=marked)) != key


def test_the_fits_that_ship_are_found(indometacin):
    for one in indometacin:
        assert FitStore().has(indometacin.without(one.id).after_dose())


def test_failures_are_kept_and_raised(tmp_path, indometacin, monkeypatch):
    def broken(*arguments):
        raise FitFailed("Nothing fits.")

    monkeypatch.setattr(sys.modules[FitStore.__module__], "select", broken)
    with pytest.raises(FitFailed, match="Nothing fits"):
        FitStore(tmp_path, keep=True).get(indometacin)
    with pytest.raises(FitFailed, match="Nothing fits"):
        NlmeForecaster(FitStore(tmp_path)).selection(indometacin)


def test_a_damaged_store_is_named(tmp_path, indometacin):
    for text in ("{", "[]", '{"method": 1}', "null"):
        (tmp_path / "indometacin.json").write_text(text)
        with pytest.raises(AgmpkError, match="indometacin.json is damaged or was edited"):
            FitStore(tmp_path).get(indometacin)
    # Whole, but not a fit.
    store = FitStore(tmp_path / "other")
    settings = store.settings(indometacin)
    Store(tmp_path / "other", METHOD_VERSION).save("indometacin", settings, {"population": 1})
    with pytest.raises(AgmpkError, match="A stored fit of indometacin .* cannot be read"):
        store.get(indometacin)
