"""What fewer sampling steps cost, on a tiny network with random weights."""

import pytest
import torch

from agmpk.errors import AgmpkError
from agmpk.models.registry import build_model
from agmpk.paper.speed import steps_benchmark
from agmpk.prior import load_prior
from agmpk.training.config import load_training_config


def network(kind):
    torch.manual_seed(0)
    config = load_training_config(f"{kind}-tiny")
    model = build_model(config.kind, config.model).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.1 * torch.randn_like(weights))  # away from layers that start at 0
    return model


def test_the_steps_benchmark_finds_what_fewer_steps_cost():
    prior = load_prior("clinic")
    table = steps_benchmark(network("flow"), prior, 3, samples=20, steps=(1, 16, 64))
    assert list(table.steps) == [1, 16, 64] and (table.seconds > 0).all()
    first, second, last = table.distance
    assert first > second > last == 0
    assert table.lost_rmse.iloc[-1] == 0 and table.log_rmse.between(0.05, 5).all()
    with pytest.raises(AgmpkError, match="sampled at once"):
        steps_benchmark(network("transformer"), prior)
