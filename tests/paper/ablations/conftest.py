"""A training and a scoring of seconds, and stored variants with known errors."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agmpk.evaluation import development_studies
from agmpk.paper.ablations import run as running
from agmpk.paper.ablations.run import DEFAULT, Stored, find, save, settings

SMALL = Path(__file__).parents[2] / "training" / "prior.yaml"  # its blocks cost little


@pytest.fixture(scope="session")
def three_cohorts():
    return dict(list(development_studies().items())[::9][:3])


@pytest.fixture
def few(monkeypatch, three_cohorts):
    """Two steps on a prior of few people; two individuals of three cohorts and ten simulated
    studies instead of the whole scoring."""
    small = {"prior": str(SMALL), "parts": 1, "steps": 2, "validate_every": 2}
    recipe = running.shipped("recipe") | small | {"validation_studies": 1}
    monkeypatch.setattr(running, "shipped", lambda name: copy.deepcopy(recipe))
    changes = {"samples": 8, "individuals": 2, "studies": 10, "targets": 1}
    for key, value in changes.items():
        monkeypatch.setitem(running.SCORING, key, value)
    monkeypatch.setattr(running, "development_studies", lambda: three_cohorts)


def stored_variant(name, shift=0.0, n=30):
    """A stored variant whose log-RMSE is that of the individual plus ``shift``."""
    own = np.random.default_rng(5).uniform(0.2, 0.6, n)
    rows = pd.DataFrame(
        {
            "studies": "development",
            "compound": np.where(np.arange(n) % 2, "phenacetin", "captopril"),
            "individual": [str(k) for k in range(n)],
            "n_target": 5,
            "log_rmse": own + shift,
            "crps": own / 2 + shift,
            "crps_curve": own / 3 + shift,
            "coverage_90": 0.9,
            "log_rmse_naive": own + 0.1,
            "seconds": 0.01,
        }
    )
    return Stored(settings(find(name)), rows)


@pytest.fixture
def made():
    return stored_variant


@pytest.fixture
def folder(tmp_path):
    for name, shift in ((DEFAULT, 0.0), ("seed-1", 0.01), ("seed-2", -0.01), ("no-context", 0.2)):
        one = stored_variant(name, shift)
        save(tmp_path, name, one.settings, {}, one.individuals)
    return tmp_path
