"""The Ornstein-Uhlenbeck paths have the law they claim, on any grid."""

import math

import pytest
import torch

from agmpk.prior.laws import ou_from_noise, ou_paths, shared_at, shared_waves


def draw(n: int, seed: int = 0, sd: float = 0.3, scale: float = 2.0) -> torch.Tensor:
    times = torch.tensor([0.0, 0.1, 1.0, 1.0, 4.0, 24.0], dtype=torch.float64).expand(n, -1)
    return ou_paths(
        times,
        torch.full((n, 1), sd, dtype=torch.float64),
        torch.full((n,), scale, dtype=torch.float64),
        torch.Generator().manual_seed(seed),
    )[..., 0]


def test_mean_variance_and_autocorrelation():
    n = 200_000
    path = draw(n)
    assert path.mean(0).abs().max() < 5 * 0.3 / n**0.5
    assert torch.allclose(path.var(0), torch.full((6,), 0.09, dtype=torch.float64), rtol=0.02)
    correlation = torch.corrcoef(path.T)
    times = torch.tensor([0.0, 0.1, 1.0, 1.0, 4.0, 24.0], dtype=torch.float64)
    expected = torch.exp(-(times[:, None] - times).abs() / 2.0)
    assert torch.allclose(correlation, expected, atol=0.012)


def test_two_samples_at_the_same_time_are_the_same():
    path = draw(100)
    assert torch.equal(path[:, 2], path[:, 3])


def test_seed_contract():
    assert torch.equal(draw(5, seed=1), draw(5, seed=1))
    assert not torch.equal(draw(5, seed=1), draw(5, seed=2))


def sd_of_mean(hours: float, scale: float) -> float:
    """SD of the mean of a process of SD 1 over an interval (integrate its autocorrelation)."""
    a = hours / scale
    return math.sqrt(2 * (a - 1 + math.exp(-a))) / a


def on_grid(hours: float, points: int, scale: float, n: int = 40_000, shared: bool = False):
    """Mean over [0, hours] and value at its end, from ``points`` intervals, of n processes."""
    g = torch.Generator().manual_seed(7)
    times = (hours * torch.linspace(0, 1, points + 1, dtype=torch.float64).square()).expand(n, -1)
    one, time_scale = torch.ones((n, 1)).double(), torch.full((n,), scale).double()
    if shared:
        values, means = shared_at(*shared_waves(one, time_scale, g), times)
    else:
        noise = torch.randn((*times.shape, 2), generator=g, dtype=torch.float64)
        values, means = ou_from_noise(times, one, time_scale, noise)
    whole = (means[..., 0] * times.diff(dim=-1)).sum(-1) / hours
    return whole, values[:, -1, 0], values[:, 0, 0]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("points", [1, 3, 40])
@pytest.mark.parametrize("hours, scale", [(96.0, 1.0), (5.0, 2.0), (0.02, 3.0)])
def test_the_mean_over_an_interval_is_exact_on_coarse_and_fine_grids(hours, scale, points, shared):
    n = 10_000 if points == 40 else 40_000
    whole, end, start = on_grid(hours, points, scale, n, shared)
    sd, n, a = sd_of_mean(hours, scale), len(whole), hours / scale
    assert float(whole.std()) == pytest.approx(sd, rel=0.03)
    # Covariance of the mean with the value at either end: (1 - exp(-a)) / a.
    for value in (start, end):
        expected = -math.expm1(-a) / a
        error = math.sqrt((sd**2 + expected**2) / n)
        assert float((whole * value).mean()) == pytest.approx(expected, abs=5 * error + 0.01)
    if (hours, points) == (96.0, 1):
        ends = 0.5 * (start + end)  # what a solver must not take for the mean
        assert float(ends.std()) > 4 * float(whole.std()) and sd == pytest.approx(0.143, abs=0.001)


def test_a_point_between_changes_nothing():
    """Values at shared times and the mean of the mean's parts do not depend on further points."""
    g = torch.Generator().manual_seed(1)
    one, scale = torch.ones((50, 2)).double(), torch.full((50,), 2.0).double()
    waves = shared_waves(one, scale, g)
    coarse = torch.tensor([0.0, 3.0, 10.0]).double().expand(50, -1)
    fine = torch.tensor([0.0, 1.0, 3.0, 4.0, 10.0]).double().expand(50, -1)
    a, b = shared_at(*waves, coarse), shared_at(*waves, fine)
    assert torch.allclose(a[0], b[0][:, [0, 2, 4]])
    parts = (b[1] * fine.diff(dim=-1)[..., None]).unflatten(1, (2, 2)).sum(2)
    assert torch.allclose(a[1], parts / coarse.diff(dim=-1)[..., None])
