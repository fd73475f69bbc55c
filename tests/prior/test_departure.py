"""Departures from compartments: off by default, and of the law that their quantities say."""

import torch

from agmpk.prior import load_prior
from agmpk.prior.laws import Law, Streams
from agmpk.prior.simulate import EARLY, depart, draw_trial, simulate_block

CONFIG = load_prior("clinic").replace(design={"caps": (16,)})
SHARED, OWN, LENGTH = 0.3, 0.4, 0.8


def always(shared: float, own: float):
    return CONFIG.replace(
        departure={
            "departure_probability": 1.0,
            "sd_shared": Law(shared, shared),
            "sd_own": Law(own, own),
            "departure_length": Law(LENGTH, LENGTH),
        }
    )


def test_it_changes_the_concentrations_alone():
    without, with_it = (simulate_block(c, 3, 0) for c in (CONFIG, always(SHARED, OWN)))
    solved = without.true > 0
    assert (without.true[solved] != with_it.true[solved]).float().mean() > 0.99
    for name in ("times", "present", "dose_time", "dose_amount", "dosed", "weight"):
        assert torch.equal(getattr(without, name), getattr(with_it, name))
    for config in (CONFIG, CONFIG.replace(departure={"departure_probability": 0.0})):
        assert torch.equal(simulate_block(config, 3, 0).concentration, without.concentration)


def test_its_law_is_the_one_that_is_stated():
    """Variance, share of it that is the study's, and Gaussian autocorrelation, over 640 studies."""
    config = always(SHARED, OWN)
    same, across, apart, wanted = [], [], [], []
    for block in range(10):
        streams = Streams(5, block)
        trial = draw_trial(config, streams)
        trial.doses.dosed[..., 1:] = False  # times are then times since the dose
        logs = depart(config.departure, trial, streams).log()
        longest = torch.where(trial.exists, trial.times, 0.0).amax((1, 2), keepdim=True)
        place = torch.log(trial.times / longest.clamp(min=1e-3) + EARLY)
        both = trial.exists[..., :2].all(-1)
        first, second = logs[..., 0][both], logs[..., 1][both]
        same.append(first.square())
        apart.append(first * second)
        gap = (place[..., 0] - place[..., 1])[both]
        wanted.append((SHARED**2 + OWN**2) * torch.exp(-0.5 * (gap / LENGTH).square()))
        two = trial.exists[:, 0, 0] & trial.exists[:, 1, 0]
        near = (place[:, 0, 0] - place[:, 1, 0]).abs() < 0.05
        across.append((logs[:, 0, 0] * logs[:, 1, 0])[two & near])
    variance = SHARED**2 + OWN**2
    assert abs(torch.cat(same).mean() / variance - 1) < 0.1
    assert abs(torch.cat(apart).mean() / torch.cat(wanted).mean() - 1) < 0.1
    assert abs(torch.cat(across).mean() / SHARED**2 - 1) < 0.25
