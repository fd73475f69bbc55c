"""Blocks of any size, and several views of a simulated study."""

import torch

from agmpk.prior import load_prior
from agmpk.prior.simulate import BLOCK, simulate_block
from agmpk.training.config import TrainingConfig
from agmpk.training.data import block_tasks, training_batch

PRIOR = load_prior("clinic")


def people(task, study):
    """The first time and value of everybody with a sample, targets first."""
    found = []
    for record in (task.target, task.context):
        there = record.mask[study].any(-1)
        first = torch.stack([record.times[study, :, 0], record.logs[study, :, 0]], -1)
        found.append({tuple(one) for one in first[there].tolist()})
    return found


def test_shuffled_studies_keep_their_people():
    plain = simulate_block(PRIOR, 3, 0, 24)
    other = plain.shuffled(torch.Generator().manual_seed(0))
    assert len(plain) == 24 and torch.equal(plain.present, other.present)
    assert torch.equal(plain.lloq, other.lloq)
    for name in ("weight", "poor", "dose_amount", "times"):
        a, b = (vars(one)[name].double().reshape(24, plain.present.shape[1], -1).sum(-1)
                for one in (plain, other))  # fmt: skip
        assert torch.equal(a.sort(1).values, b.sort(1).values)
    assert not torch.equal(plain.times, other.times)


def test_views_ask_about_other_individuals_of_the_same_studies():
    config = TrainingConfig(block=16, views=3, targets=2, seed=5)
    tasks = block_tasks(config, PRIOR, 0)
    assert [len(task) for task in tasks] == [16] * 3
    changed = 0
    for study in range(16):
        targets, everybody = [], []
        for task in tasks:
            own, others = people(task, study)
            targets.append(own)
            everybody.append(len(own) + len(others))
        assert max(everybody) - min(everybody) <= 2  # who has no sample to forecast is no target
        changed += targets[0] != targets[1]
    assert changed > 8


def test_a_step_sees_all_views_and_a_plain_one_is_as_it_was():
    config = TrainingConfig(block=8, blocks=2, views=2, targets=2, parts=2)
    assert config.studies == 16
    assert sum(len(part) for part in training_batch(config, PRIOR, 0)) == 32
    assert TrainingConfig().studies == BLOCK
    assert TrainingConfig(views=2).stream != TrainingConfig().stream
    first = block_tasks(TrainingConfig(targets=2), PRIOR, 1)[0]
    again = block_tasks(TrainingConfig(targets=2, views=2), PRIOR, 1)[0]
    assert torch.equal(first.target.logs, again.target.logs)
