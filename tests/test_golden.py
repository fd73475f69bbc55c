"""Every shipped checkpoint still answers what it answered when it was shipped."""

import numpy as np
import pandas as pd
import pytest
import torch
from proof.shipped import FILE, golden_predictions, golden_studies

from agmpk.files import data_path
from agmpk.forecasting import generate, load_forecaster, model_names
from agmpk.forecasting.forecaster import AmortizedForecaster
from agmpk.models.registry import build_model
from agmpk.studies import Dose
from agmpk.training.config import load_training_config

CHECKPOINTS = [name for name in model_names() if name != "naive"]


def agree(found: pd.DataFrame, shipped: pd.DataFrame) -> bool:
    rows = ["study", "prefix", "TIME"]
    return (
        found[rows].to_numpy().tolist() == shipped[rows].to_numpy().tolist()
        and np.allclose(found.PRED, shipped.PRED, rtol=2e-3)
        and np.allclose(found[["Q05", "Q95"]], shipped[["Q05", "Q95"]], rtol=5e-3)
    )


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_golden_predictions(name):
    shipped = pd.read_csv(data_path("checkpoints", name, FILE))
    assert agree(golden_predictions(load_forecaster(name)), shipped)


def test_the_flow_ships():
    assert "flow" in CHECKPOINTS


def test_a_change_of_a_hundredth_of_the_weights_is_noticed(tmp_path):
    torch.manual_seed(3)
    model = build_model("set", load_training_config("set-tiny").model)
    before = golden_predictions(AmortizedForecaster(model)).round(6)
    before.to_csv(tmp_path / FILE, index=False)
    before = pd.read_csv(tmp_path / FILE)
    assert set(before.study) == {s.compound for s in golden_studies()}
    assert set(before.prefix) == {0, 1, 4} and len(before) == 3 * (11 + 10 + 7)
    assert agree(golden_predictions(AmortizedForecaster(model)), before)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape))
    assert not agree(golden_predictions(AmortizedForecaster(model)), before)


def test_the_golden_studies_hold_what_studies_hold():
    oral, infused, mixed = golden_studies()
    assert len({one.doses for one in oral}) == 1 and len({one.doses for one in infused}) == 8
    assert any(one.censored.any() for one in infused) and not any(o.censored.any() for o in oral)
    assert {one.doses[0].route for one in mixed} == {"oral", "iv_bolus"}


def test_twice_the_dose_is_about_twice_the_level_for_the_shipped_flow():
    study = golden_studies()[0]
    model = load_forecaster("flow")
    usual = generate(model, study, 60, seed=1)
    more = generate(model, study, 60, dose=Dose(0.0, 200.0, "oral"), seed=1)
    ratio = np.median(
        [b.concentrations / a.concentrations for a, b in zip(usual, more, strict=True)]
    )
    assert 1.6 < ratio < 2.5
