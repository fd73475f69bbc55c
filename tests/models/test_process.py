"""The reference process against scipy's multivariate normal and the textbook conditional."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from agmpk.models.transport import (
    JITTER,
    Kernel,
    correlation,
    factor,
    negative_log_likelihood,
    normal,
)

D = torch.float64
U = torch.tensor([-2.0, -1.0, -0.4, 0.1, 0.8, 5.0], dtype=D)
PREFIX = torch.tensor([True, True, False, False, False, False])
FREE = torch.tensor([False, False, True, True, True, False])
KERNEL = Kernel.from_raw(torch.tensor([0.3, 0.5, -0.4], dtype=D))


def matern(u):
    """Independent formula, with level and nugget of the kernel, and the jitter."""
    length, level, nugget = (float(x) for x in (KERNEL.length, KERNEL.level, KERNEL.nugget))
    d = np.sqrt(3) * np.abs(u[:, None] - u[None]) / length
    k = level + (1 - level - nugget) * (1 + d) * np.exp(-d)
    return k + (nugget + JITTER) * np.eye(len(u))


def test_given_the_prefix_it_is_the_textbook_conditional_in_unit_variance():
    k = matern(U.numpy())[:5, :5]
    a, b = k[:2, :2], k[2:, :2]
    covariance = k[2:, 2:] - b @ np.linalg.solve(a, b.T)
    sd = np.sqrt(np.diag(covariance))
    found = correlation(KERNEL, U, PREFIX, FREE)
    assert np.allclose(found[2:5, 2:5], covariance / np.outer(sd, sd), atol=1e-10)
    rest = found.clone()
    rest[2:5, 2:5] = torch.eye(3, dtype=D)
    assert torch.allclose(rest, torch.eye(6, dtype=D))


def test_without_a_prefix_it_is_the_kernel():
    none, every = torch.zeros(6, dtype=torch.bool), torch.ones(6, dtype=torch.bool)
    found = correlation(KERNEL, U, none, every)
    assert np.allclose(found, matern(U.numpy()) / (1 + JITTER), atol=1e-10)


def test_what_else_is_asked_changes_no_marginal_and_no_pair():
    few = torch.tensor([False, False, True, False, True, False])
    found, all_ = correlation(KERNEL, U, PREFIX, few), correlation(KERNEL, U, PREFIX, FREE)
    assert torch.allclose(found[2, 4], all_[2, 4]) and torch.allclose(found[2, 2], all_[4, 4])


def test_the_copula_likelihood_is_that_of_scipy():
    z = torch.randn(7, 6, generator=torch.Generator().manual_seed(0), dtype=D)
    law = correlation(KERNEL, U, PREFIX, FREE)
    expected = 0.0
    cut = ((law + JITTER * torch.eye(6, dtype=D)) / (1 + JITTER))[2:5, 2:5].numpy()
    for row in z[:, 2:5].numpy():
        joint = multivariate_normal(np.zeros(3), cut).logpdf(row)
        expected -= joint - multivariate_normal(np.zeros(3), np.eye(3)).logpdf(row)
    free = FREE.expand(7, -1)
    found = negative_log_likelihood(z, law.expand(7, -1, -1), free)
    assert np.isclose(float(found), expected / 21, rtol=1e-9)


def test_independent_numbers_have_no_copula():
    z = torch.randn(4, 6, generator=torch.Generator().manual_seed(1), dtype=D)
    found = negative_log_likelihood(z, torch.eye(6, dtype=D).expand(4, -1, -1), FREE.expand(4, -1))
    assert abs(float(found)) < 1e-12


def test_draws_have_the_law():
    law = correlation(KERNEL, U, PREFIX, FREE)
    g = torch.Generator().manual_seed(0)
    z = normal((100_000, 6), g, law) @ factor(law).T
    assert torch.allclose(torch.cov(z.T), law, atol=0.02)


@pytest.mark.parametrize("size", [-9.0, 9.0])
def test_no_kernel_is_singular(size):
    """The network's three numbers at both ends, samples a minute apart."""
    u = torch.log(torch.linspace(1.0, 1.05, 12, dtype=torch.float32))
    every = torch.ones(12, dtype=torch.bool)
    for raw in torch.cartesian_prod(*[torch.tensor([-size, 0.0, size])] * 3):
        prefix = torch.arange(12) < 4
        root = factor(correlation(Kernel.from_raw(raw), u, prefix, every & ~prefix))
        assert bool(torch.isfinite(root).all())
