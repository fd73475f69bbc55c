"""AICMET: its latent variables, their divergence, and what they do to an answer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import Independent, kl_divergence
from torch.distributions import Normal as Reference

from agmpk.models.aicmet import AicmetConfig, AicmetModel, Normal
from agmpk.models.frame import TRIM
from agmpk.models.task import Task

SIZE = dict(width=96, sample_width=32, encoder_layers=1, decoder_layers=1, latent=4)


@pytest.fixture(scope="module")
def model(moved) -> AicmetModel:
    torch.manual_seed(1)
    return moved(AicmetModel(AicmetConfig(**SIZE)))


@pytest.fixture(scope="module")
def task(make_task) -> Task:
    return make_task(studies=3, targets=3)


def test_the_divergence_is_that_of_normals():
    g = torch.Generator().manual_seed(0)
    a, b = (
        Normal(torch.randn(5, 3, generator=g), torch.rand(5, 3, generator=g) + 0.1)
        for _ in range(2)
    )
    expected = kl_divergence(*(Independent(Reference(one.mean, one.sd), 1) for one in (a, b)))
    assert torch.allclose(a.divergence(b), expected, atol=1e-5)
    assert torch.allclose(a.divergence(a), torch.zeros(5))


def test_the_loss_is_the_weighted_bound_less_the_free_nats(model, task):
    """Written again, curve by curve, from the laws."""
    loss = model.loss(task, torch.Generator().manual_seed(0))
    frame, net = task.frame, model.network
    free = task.asked & ~(frame.lonely[:, None] & ~task.prefix.any(-1))[..., None]
    known = net.encode(task)
    whole = net.encode_target(task, task.prefix | free)[0][:, :, 0]
    state = net.decode(task, known)
    S, (B, R), Z = 2, free.shape[:2], 4
    g = torch.Generator().manual_seed(0)
    noise = torch.randn(S, B, R + 1, Z, generator=g, dtype=torch.float64)
    code = model.study(known.study.flatten(1))
    prior_s, post_s = model.study_effect(code), model._study_posterior(code, whole, free)
    nats = {"s": [], "i": []}
    curves, count = [], 0
    with torch.no_grad():
        z_s = post_s.draw(noise[:, :, 0])
        prior_i, post_i = model._individual(known.own[:, :, 0], z_s), model._individual(whole, z_s)
        mean, sd = model._decode(state, z_s, post_i.draw(noise[:, :, 1:]))
        kl_s, kl_i = post_s.divergence(prior_s), post_i.divergence(prior_i)
        x = frame.encode(task.target.logs).clamp(-TRIM, TRIM)
        for b in range(B):
            asked = [r for r in range(R) if free[b, r].any()]
            nats["s"] += [float(kl_s[b])] * bool(asked)
            for r in asked:
                at = free[b, r]
                law = Reference(mean[:, b, r, at], sd[:, b, r, at])
                nll = -law.log_prob(x[b, r, at]).sum(-1).mean() - at.sum() * np.log(2 * np.pi) / 2
                weight = frame.spread[b, r, at].square().mean().sqrt() / at.sum()
                nats["i"].append(float(kl_i[:, b, r].mean()))
                curves.append(
                    [float(v * weight) for v in (nll, kl_s[b] / len(asked), kl_i[:, b, r].mean())]
                )
                count += 1
    share = [max(0.0, 1 - 0.25 / np.mean(nats[k])) for k in ("s", "i")]
    expected = (np.sum(curves, 0) @ [1, *share]) / count
    assert np.isclose(float(loss.detach()), expected, rtol=1e-9)


def test_free_nats_cost_nothing_and_more_do(task, moved):
    torch.manual_seed(1)
    models = [moved(AicmetModel(AicmetConfig(**SIZE, free_nats=nats)), 0.05) for nats in (0.0, 1e6)]
    models[1].load_state_dict(models[0].state_dict())
    charged, free = (m.loss(task, torch.Generator().manual_seed(0)) for m in models)
    assert charged > free


def test_the_order_of_targets_means_nothing_to_the_study(model, task):
    turned = replace(
        task, target=task.target[:, [2, 0, 1]],
        prefix=task.prefix[:, [2, 0, 1]], asked=task.asked[:, [2, 0, 1]],
    )  # fmt: skip

    def posterior(task):
        free = task.asked
        whole = model.network.encode_target(task, task.target.mask)[0][:, :, 0]
        code = model.study(model.network.encode(task).study.flatten(1))
        return model._study_posterior(code, whole, free)

    one, two = posterior(task), posterior(turned)
    assert torch.allclose(one.mean, two.mean, atol=1e-9)
    assert torch.allclose(one.sd, two.sd, atol=1e-9)


def test_both_effects_reach_the_answer(model, task):
    known = model.network.encode(task)
    state = model.network.decode(task, known)
    z_s = torch.zeros(1, len(task), 4, dtype=torch.float64)
    z_i = torch.zeros(1, *task.prefix.shape[:2], 4, dtype=torch.float64)
    base, _ = model._decode(state, z_s, z_i)
    for effects in ((z_s + 1, z_i), (z_s, z_i + 1)):
        assert (model._decode(state, *effects)[0] != base).all()


def test_targets_of_a_draw_share_its_study(model, task):
    """Of two targets known alike, the draws go together; only study effects can do that."""
    same = [0, 0]
    twins = replace(
        task, target=task.target[:, same], prefix=task.prefix[:, same], asked=task.asked[:, same]
    )
    loud = AicmetModel(model.config).double()
    loud.load_state_dict(model.state_dict())
    with torch.no_grad():
        half = loud.study_effect.out.bias.shape[0] // 2
        loud.study_effect.out.bias[half:] = 5.0
    with torch.no_grad():
        g = torch.Generator().manual_seed(0)
        noise = torch.randn(400, len(task), 3, 4, generator=g, dtype=torch.float64)
        mean, _ = loud._laws(loud.condition(twins), twins.frame, noise)
    for b in range(len(task)):
        if task.asked[b, 0].any():
            t = int(task.asked[b, 0].int().argmax())
            assert torch.corrcoef(mean[:, b, :, t].T)[0, 1] > 0.3


def test_effects_are_drawn_before_anything_that_depends_on_what_is_asked(model, task, asking):
    """One draw of the generator gives the same individuals, however many times are asked."""
    B, R, _ = task.target.times.shape
    times = torch.tensor([2.0, 9.0], dtype=torch.float64).expand(B, R, -1)
    quiet = AicmetModel(model.config).double()
    quiet.load_state_dict(model.state_dict())
    with torch.no_grad():
        quiet.decoder.out.weight[1] = 0.0
        quiet.decoder.out.bias[1] = -40.0  # the smallest residual SD, 0.02
    one, two = (
        quiet.sample(asking(task, t), 50, torch.Generator().manual_seed(0))
        for t in (times[..., :1], times)
    )
    spread = one[..., -1].std(0)
    assert bool(
        (
            (one[..., -1] - two[..., -2]).std(0) < 0.05 * task.frame.spread.amax() + 0.1 * spread
        ).all()
    )
    assert bool((spread > 0).all())
