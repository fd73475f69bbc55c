"""What the tests of training share: tiny recipes on a prior whose blocks cost little."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agmpk.training.config import TrainingConfig, load_training_config

PRIOR = Path(__file__).with_name("prior.yaml")


def tiny(kind: str = "flow", **changes) -> TrainingConfig:
    """The tiny recipe of a kind on the tests' own prior: 6 steps, a state every 2."""
    usual = {"prior": str(PRIOR), "steps": 6, "validate_every": 3}
    return load_training_config(f"{kind}-tiny").with_changes(**(usual | changes))


@pytest.fixture(scope="session")
def recipe() -> Callable[..., TrainingConfig]:
    """``tiny``."""
    return tiny
