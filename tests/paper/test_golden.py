"""Every shipped checkpoint still answers what it answered when it was shipped."""

import numpy as np
import pandas as pd
import pytest

from agmpk.forecasting import generate, load_forecaster, model_names
from agmpk.paper.golden import FILE, golden_predictions, golden_study
from agmpk.paths import data_path
from agmpk.studies import Dose

CHECKPOINTS = [name for name in model_names() if name != "naive"]


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_golden_predictions(name):
    shipped = pd.read_csv(data_path("checkpoints", name, FILE))
    found = golden_predictions(load_forecaster(name))
    assert np.allclose(found.PRED, shipped.PRED, rtol=2e-3)
    assert np.allclose(found[["Q05", "Q95"]], shipped[["Q05", "Q95"]], rtol=5e-3)


def test_the_flow_ships():
    assert "flow" in CHECKPOINTS


def test_twice_the_dose_is_about_twice_the_level_for_the_shipped_flow():
    study = golden_study()
    model = load_forecaster("flow")
    usual = generate(model, study, 60, seed=1)
    more = generate(model, study, 60, dose=Dose(0.0, 200.0, "oral"), seed=1)
    ratio = np.median(
        [b.concentrations / a.concentrations for a, b in zip(usual, more, strict=True)]
    )
    assert 1.6 < ratio < 2.5
