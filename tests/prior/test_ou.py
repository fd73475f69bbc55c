"""The Ornstein-Uhlenbeck paths have the law they claim."""

import torch

from agmpk.prior.ou import ou_paths


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
