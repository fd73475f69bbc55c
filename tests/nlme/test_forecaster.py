"""The forecaster's seam, the store of fits, and what happens with studies that cannot be fitted."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from agmpk.errors import AgmpkError
from agmpk.evaluation import benchmark_studies, cases
from agmpk.evaluation.scores import log_rmse
from agmpk.forecasting import generate, load_forecaster, sampling_times
from agmpk.nlme import (
    FitFailed,
    FitStore,
    NlmeForecaster,
    NlmePopulationForecaster,
    Population,
    ResidualError,
    Selection,
)
from agmpk.nlme.data import fit_data
from agmpk.nlme.structural import StructuralModel
from agmpk.studies import Dose, Individual, Study

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


def test_oral_and_intravenous_doses_together(indometacin):
    oral = Individual("x", [1.0], [1.0], (Dose(0.0, 25.0),))
    mixed = Study("indometacin", (*indometacin.individuals, oral), indometacin.units)
    with pytest.raises(AgmpkError, match="oral and IV doses"):
        fit_data(mixed)
    both = Individual("y", [1.0], [1.0], (Dose(0.0, 25.0), Dose(0.0, 25.0, "iv_bolus")))
    with pytest.raises(AgmpkError, match="Individual y .* oral and IV doses"):
        fit_data(Study("indometacin", (*indometacin.individuals, both), indometacin.units))


def test_censored_and_predose_values_are_left_out(indometacin):
    """M1: 40 values, of which one is below the LLOQ and one before the dose."""
    one = Individual(
        "z",
        [0.0, 1.0, 2.0, 9.0],
        [0.1, 1.0, 0.7, 0.02],
        (Dose(0.0, 25.0, "iv_bolus"),),
        [False, False, False, True],
    )
    data = fit_data(Study("indometacin", (*indometacin.individuals, one), indometacin.units))
    assert data.times[data.group == 6].tolist() == [1.0, 2.0]


def test_store_keeps_and_finds(store, indometacin, tmp_path):
    context = indometacin.without("1")
    store.get(context)
    assert (store.fitted, store.loaded) == (1, 0)
    again = FitStore(tmp_path)
    assert again.has(context)
    found = again.get(context).population
    assert (again.fitted, again.loaded) == (0, 1)
    assert found.to_dict() == INDOMETACIN.to_dict()
    # Other settings, another context: not the same fit.
    assert not again.has(context, flip_flop=True)
    assert not again.has(indometacin.without("2"))
    # The order of the individuals does not matter.
    turned = Study("indometacin", context.individuals[::-1], context.units)
    assert again.has(turned)


def test_fits_of_other_code_are_not_used(store, indometacin, tmp_path):
    store.get(indometacin)
    file = Path(tmp_path) / "indometacin.json"
    stored = json.loads(file.read_text())
    file.write_text(json.dumps(stored | {"code": "of yesterday"}))
    assert not FitStore(tmp_path).has(indometacin)


def test_failures_are_kept_and_raised(tmp_path, indometacin, monkeypatch):
    def broken(*arguments):
        raise FitFailed("Nothing fits.")

    monkeypatch.setattr(sys.modules[FitStore.__module__], "select", broken)
    with pytest.raises(FitFailed, match="Nothing fits"):
        FitStore(tmp_path, keep=True).get(indometacin)
    with pytest.raises(FitFailed, match="Nothing fits"):
        NlmeForecaster(FitStore(tmp_path)).selection(indometacin)


def test_a_damaged_store_is_named(tmp_path, indometacin):
    (tmp_path / "indometacin.json").write_text("{")
    with pytest.raises(AgmpkError, match="is not a file of fits"):
        FitStore(tmp_path).get(indometacin)
