"""Continuum attention: sampling a curve more densely somewhere does not shift the answer."""

import numpy as np
import pytest
import torch

from agmpk.models.attention import attend
from agmpk.models.flow import FlowConfig, FlowModel
from agmpk.models.from_study import task_from_study
from agmpk.models.quadrature import log_weights
from agmpk.studies import Individual, Study

D = torch.float64


def test_weights_are_the_trapezoidal_rule():
    u = torch.tensor([[0.0, 0.5, 2.0, 3.0, 9.0]], dtype=D)
    mask = torch.tensor([[True, True, True, True, False]])
    y = torch.tensor([1.0, -2.0, 0.5, 4.0], dtype=D)
    weight = log_weights(u, mask).exp()[0]
    assert np.isclose(float(weight[:4] @ y), np.trapezoid(y.numpy(), u[0, :4].numpy()))
    assert float(weight[4]) == 1
    assert log_weights(u, mask & (torch.arange(5) < 1)).exp().tolist() == [[1.0] * 5]


def attention(u: torch.Tensor, continuum: bool) -> float:
    """One query over a smooth curve, key 2 sin u and value u^2, sampled at ``u``."""
    key, value = (2 * torch.sin(u))[None, None, :, None], u.square()[None, None, :, None]
    bias = (
        log_weights(u, torch.ones_like(u, dtype=torch.bool)) if continuum else torch.zeros_like(u)
    )
    query = torch.ones(1, 1, 1, 1, dtype=D)
    return float(attend(query, key, value, bias[None, None, None]))


def test_attention_becomes_an_integral():
    from scipy.integrate import quad

    top = quad(lambda u: np.exp(2 * np.sin(u)) * u**2, -3, 1)[0]
    exact = top / quad(lambda u: np.exp(2 * np.sin(u)), -3, 1)[0]
    even = torch.linspace(-3, 1, 60, dtype=D)
    dense = torch.cat([torch.linspace(-3, -2.5, 400, dtype=D), even[even > -2.5]])
    assert abs(attention(even, True) - exact) < 0.005 * exact
    assert abs(attention(dense, True) - exact) < 0.005 * exact
    assert abs(attention(dense, False) - exact) > 0.2 * exact


def test_a_point_taken_twice_counts_once():
    u = torch.linspace(-3, 1, 20, dtype=D)
    twice = torch.cat([u, u[4:7]]).sort().values
    assert abs(attention(twice, True) - attention(u, True)) < 1e-5
    assert abs(attention(twice, False) - attention(u, False)) > 1e-2


def network(attention: str) -> FlowModel:
    torch.manual_seed(3)
    model = FlowModel(FlowConfig(16, 2, 2, attention=attention)).double().eval()
    for parameter in model.parameters():
        parameter.data.add_(0.15 * torch.randn(parameter.shape, dtype=D))
    return model


@pytest.fixture
def shift(toy_study):
    """How far a forecast moves when the context's late log-curves are sampled thrice as densely."""
    data = toy_study()
    target = data["2"]

    def denser(one: Individual) -> Individual:
        late = one.times[one.times > np.median(one.times)]
        more = np.concatenate([late[:-1] + f * np.diff(late) for f in (1 / 3, 2 / 3)])
        times = np.sort(np.concatenate([one.times, more]))
        logs = np.interp(times, one.times, np.log(one.concentrations))
        return Individual(one.id, times, np.exp(logs), one.doses)

    def of(model: FlowModel) -> float:
        draws = []
        for people in (data.without("2"), [denser(one) for one in data.without("2")]):
            context = Study("toy", tuple(people))
            task = task_from_study(context, target.prefix(3), target.times[3:])
            draws.append(model.sample(task, 8, torch.Generator().manual_seed(0)))
        return float((draws[1] - draws[0]).abs().mean())

    return of


def test_denser_sampling_moves_a_continuum_network_less(shift):
    assert shift(network("continuum")) < 0.5 * shift(network("standard"))
