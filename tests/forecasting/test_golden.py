"""Every shipped checkpoint still answers what it answered when it was shipped."""

import numpy as np
import pandas as pd
import pytest

from agmpk.forecasting import load_forecaster, model_names
from agmpk.paths import data_path
from agmpk.training.golden import FILE, golden_predictions

CHECKPOINTS = [name for name in model_names() if name != "naive"]


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_golden_predictions(name):
    shipped = pd.read_csv(data_path("checkpoints", name, FILE))
    found = golden_predictions(load_forecaster(name))
    assert np.allclose(found.PRED, shipped.PRED, rtol=2e-3)
    assert np.allclose(found[["Q05", "Q95"]], shipped[["Q05", "Q95"]], rtol=5e-3)


def test_the_flow_ships():
    assert "flow" in CHECKPOINTS
