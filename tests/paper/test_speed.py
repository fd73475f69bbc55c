"""The speed benchmark compares like with like."""

import pytest

from agmpk.paper.speed import GOALS, compare_solvers, training_step, whole_blocks
from agmpk.prior import load_prior
from agmpk.training.config import load_training_config

CONFIG = load_prior("extended").replace(design={"individuals": (2,)})


@pytest.mark.slow
def test_all_solvers_reach_the_same_accuracy():
    table = compare_solvers(CONFIG, individuals=4, repeats=1)
    error = table["largest relative error"]
    assert len(table) == 5 and (error[:3] < GOALS[0]).all() and (error[3:] < GOALS[1]).all()
    assert error.iloc[0] < GOALS[1]
    # Ours is the fastest by far; the factor itself depends on the machine.
    assert (table["times slower than ours"].iloc[1:] > 2).all()


@pytest.mark.slow
def test_tables_of_speed():
    assert (whole_blocks(CONFIG, repeats=1) > 0).all(axis=None)


def test_packing_changes_the_time_of_a_step_and_not_its_loss():
    step = training_step(load_training_config("flow-tiny").with_changes(block=16), steps=1)
    assert step.loss["packed"] == pytest.approx(step.loss["padded"], rel=1e-5)
    assert (step["studies per second"] > 0).all()
    # Padding is computed, too, so there is more of it to compute.
    assert step.arithmetic["padded"] > step.arithmetic["packed"] > 0
