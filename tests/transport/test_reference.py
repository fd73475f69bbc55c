"""The reference measure against direct formulas of Gaussian processes."""

import numpy as np
import torch

from agmpk.transport.reference import NUGGET, Reference, given_prefix, matern, unconditioned

D = torch.float64
U = torch.tensor([-2.0, -1.0, -0.4, 0.1, 0.8], dtype=D)
X = torch.tensor([0.5, -1.0, 0.0, 0.0, 0.0], dtype=D)
PREFIX = torch.tensor([True, True, False, False, False])


def test_given_the_prefix_it_is_the_textbook_gaussian_process():
    law = given_prefix(matern(U), X, PREFIX, ~PREFIX)
    k = matern(U).numpy()
    a, b = k[:2, :2], k[2:, :2]
    mean = b @ np.linalg.solve(a, X[:2].numpy())
    covariance = k[2:, 2:] - b @ np.linalg.solve(a, b.T)
    assert np.allclose(law.mean[2:], mean) and torch.equal(law.mean[:2], X[:2])
    found = (law.factor @ law.factor.T).numpy()
    assert np.allclose(found[2:, 2:], covariance, atol=1e-5) and np.all(found[:2] == 0)


def test_the_covariance_is_matern_three_halves():
    # Independent formula: (1 + sqrt(3) d / l) exp(-sqrt(3) d / l) at d = 1.5 = l.
    k = matern(torch.tensor([0.0, 1.5], dtype=D))
    assert np.isclose(float(k[0, 1]), (1 - NUGGET) * (1 + 3**0.5) * np.exp(-(3**0.5)))
    assert torch.allclose(k.diagonal(), torch.ones(2, dtype=D))


def test_unconditioned_it_keeps_its_covariance_on_the_free_points():
    law = unconditioned(matern(U), X, PREFIX, ~PREFIX)
    found = law.factor @ law.factor.T
    assert torch.equal(law.mean, X)
    assert torch.allclose(found[2:, 2:], matern(U)[2:, 2:], atol=1e-5) and bool(
        (found[:2] == 0).all()
    )


def test_padding_is_neither_drawn_nor_read():
    free = torch.tensor([False, False, True, True, False])
    law = given_prefix(matern(U), X, PREFIX, free)
    short = given_prefix(matern(U[:4]), X[:4], PREFIX[:4], free[:4])
    assert torch.allclose(law.mean[:4], short.mean) and torch.allclose(
        law.factor[:4, :4], short.factor
    )
    assert float(law.draw(torch.ones(3, 5, dtype=D))[:, 4].abs().max()) == 0


def test_the_precision_is_the_inverse_of_the_covariance():
    law = given_prefix(matern(U), X, PREFIX, ~PREFIX)
    y = torch.randn(7, 5, generator=torch.Generator().manual_seed(0), dtype=D)
    found = law.precision_times(y)
    covariance = (law.factor @ law.factor.T)[2:, 2:]
    assert torch.allclose(found[:, 2:], y[:, 2:] @ torch.linalg.inv(covariance), rtol=1e-8)
    assert bool((found[:, :2] == 0).all())


def test_draws_have_the_law():
    law = Reference(
        torch.tensor([1.0, -1.0], dtype=D), torch.tensor([[1.0, 0.0], [0.5, 2.0]], dtype=D)
    )
    g = torch.Generator().manual_seed(0)
    x = law.draw(torch.randn(100_000, 2, generator=g, dtype=D))
    assert torch.allclose(x.mean(0), law.mean, atol=0.03)
    assert torch.allclose(torch.cov(x.T), law.factor @ law.factor.T, atol=0.06)
