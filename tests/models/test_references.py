"""The laws a transport can start from."""

import numpy as np
import pytest
import torch

from agmpk.models.features import warp
from agmpk.models.frame import to_frame
from agmpk.models.from_study import task_from_study
from agmpk.models.references import SHRINKAGE, reference
from agmpk.transport.reference import NUGGET, matern

P = 3


@pytest.fixture(scope="module")
def known(toy_study):
    data = toy_study()
    target = data["2"]
    task = task_from_study(data.without("2"), target.prefix(P), target.times[P:])
    frame = to_frame(task)
    x = frame.encode(task.target_logs)
    return task, frame, x, task.target_mask & ~task.prefix_mask


def law(kind, known):
    task, frame, x, free = known
    found = reference(kind, task, frame, x, free)
    covariance = found.factor @ found.factor.transpose(-1, -2)
    return found.mean[0, 0], covariance[0, 0, P:, P:]


def conditioned(covariance, x):
    gain = np.linalg.solve(covariance[:P, :P], covariance[:P, P:]).T
    return gain @ x[:P], covariance[P:, P:] - gain @ covariance[:P, P:]


def test_white_and_unconditioned_laws_ignore_the_prefix(known):
    task, frame, x, _ = known
    u = warp(task.target_times / frame.time_scale)[0, 0, P:]
    for kind, expected in (("white", torch.eye(len(u)).double()), ("gp", matern(u))):
        mean, covariance = law(kind, known)
        assert torch.allclose(covariance, expected, atol=1e-5)
        assert not mean[P:].any() and torch.equal(mean[:P], x[0, 0, :P])


def test_the_default_is_conditioned_on_the_prefix(known):
    task, frame, x, _ = known
    u = warp(task.target_times / frame.time_scale)[0, 0]
    mean, covariance = conditioned(matern(u).numpy(), x[0, 0].numpy())
    found = law("gp_prefix", known)
    assert np.allclose(found[0][P:], mean) and np.allclose(found[1], covariance, atol=1e-5)


def test_the_context_gives_its_own_covariance(known):
    task, frame, x, _ = known
    u = warp(task.target_times / frame.time_scale)[0, 0]
    z = (frame.departures / frame.spread[:, None])[0, :, 0].numpy()
    n = len(z)
    prior = SHRINKAGE * matern(u).numpy()
    shrunk = (z.T @ z + prior) / (n + SHRINKAGE) + NUGGET * np.eye(len(u))
    mean, covariance = conditioned(shrunk, x[0, 0].numpy())
    found = law("context", known)
    assert np.allclose(found[0][P:], mean) and np.allclose(found[1], covariance, atol=1e-5)
    assert float((found[1] - law("gp_prefix", known)[1]).abs().max()) > 0.05
