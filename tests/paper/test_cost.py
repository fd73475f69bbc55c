"""The expected cost of a run counts real operations."""

from dataclasses import replace

import pytest

from agmpk.paper.speed import expected_cost
from agmpk.training.config import load_training_config


def test_the_expected_cost_counts_real_operations():
    small = load_training_config("flow-tiny").with_changes(block=16)
    cost = expected_cost("mine", small, peak=1e12, utilisation=0.5, workers=1, steps=1)
    double = {name: 2 * getattr(small.model, name) for name in ("width", "sample_width")}
    model = replace(small.model, **double)
    wide = expected_cost("wide", small.with_changes(model=model), steps=1)
    assert 1.5 < wide.flops / cost.flops < 4  # products grow with the width squared, others less
    assert wide.operators == pytest.approx(cost.operators, rel=0.05)
    hours = cost.flops * small.steps / 0.5e12 / 3600
    assert cost.hours["arithmetic"] == pytest.approx(hours)
    studies = f"{small.studies * small.steps / 1e6:.1f} M studies"
    assert "mine: " in cost.text and studies in cost.text
    assert f"about {max(cost.hours.values()):.1f} h" in cost.text
