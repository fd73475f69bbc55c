"""The expected cost of a run counts real operations."""

from dataclasses import replace

import pytest

from agmpk.paper.cost import expected_cost, in_words
from agmpk.training.config import load_training_config


def test_the_expected_cost_counts_real_operations():
    small = load_training_config("flow-tiny")
    cost = expected_cost(small, peak=1e12, utilisation=0.5, workers=1, steps=1)
    double = {name: 2 * getattr(small.model, name) for name in ("width", "sample_width")}
    model = replace(small.model, **double)
    wide = expected_cost(small.with_changes(model=model), steps=1)
    assert 1.5 < wide.flops / cost.flops < 4  # products grow with the width squared, others less
    assert wide.operators == pytest.approx(cost.operators, rel=0.05)
    hours = cost.flops * small.steps / 0.5e12 / 3600
    assert cost.hours["arithmetic"] == pytest.approx(hours)
    words = in_words("mine", small.with_changes(blocks=3, steps=10_000), cost, 1e12, 0.5, 1)
    assert "1.9 M studies" in words and f"about {max(cost.hours.values()):.1f} h" in words
