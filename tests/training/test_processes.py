"""Killed processes resume exactly; two processes on loopback compute what one does."""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from agmpk.models.registry import build_model
from agmpk.prior.config import load_prior
from agmpk.training.data import batches, part_generator, training_batch
from agmpk.training.folder import load_state
from agmpk.training.processes import Processes
from agmpk.training.run import Learner, part_weights, train

SCRIPT = Path(__file__).with_name("share.py")


def outcomes(folder: Path) -> list[str]:
    """The rows of steps.csv without their seconds."""
    rows = (folder / "steps.csv").read_text().splitlines()[1:]
    return [",".join(r.split(",")[:1] + r.split(",")[2:]) for r in rows]


@pytest.fixture(scope="module")
def config(recipe):
    return recipe("flow")


@pytest.fixture(scope="module")
def alone(config, tmp_path_factory):
    """An uninterrupted run of one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    train(config, folder, workers=0)
    return folder


@pytest.fixture(scope="module")
def elsewhere(config, tmp_path_factory):
    """The folder that ``share.py`` filled."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "config.yaml").write_text(config.to_yaml())
    with socket.socket() as free, socket.socket() as other:
        for one in (free, other):
            one.bind(("127.0.0.1", 0))
        ports = [str(one.getsockname()[1]) for one in (free, other)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder / "config.yaml"), str(folder), *ports],
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    codes = json.loads((folder / "codes.json").read_text())
    assert codes == [-signal.SIGKILL] * 4 + [0] * 5, done.stderr[-3000:]
    return folder


def test_a_run_killed_four_times_ends_like_an_uninterrupted_one(alone, elsewhere):
    found, about = load_state(elsewhere / "killed", "state")
    expected, also = load_state(alone, "state")
    also["records"] = about["records"]  # of tables with the seconds of each step
    assert found.keys() == expected.keys() and about == also
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    assert outcomes(elsewhere / "killed") == outcomes(alone)
    for name in ("validation.csv", "config.yaml", "prior.yaml"):
        assert (elsewhere / "killed" / name).read_bytes() == (alone / name).read_bytes()


def test_two_processes_give_the_gradients_of_one(config, elsewhere, tmp_path):
    gradients = runpy.run_path(str(SCRIPT))["gradients"]
    expected = gradients(config, tmp_path, Processes())
    found = load_file(elsewhere / "gradients.safetensors")
    assert found.keys() == expected.keys()
    assert float(found.pop("loss")) == pytest.approx(float(expected.pop("loss")), rel=1e-6)
    for name, value in expected.items():
        assert torch.allclose(found[name], value, rtol=1e-9, atol=1e-12), name
    assert max(value.abs().max() for value in expected.values()) > 1e-3


def test_two_processes_train_the_weights_of_one(config, alone, elsewhere):
    """Adam turns the last digit of a gradient near zero into a full step, so not every weight
    agrees to many digits; the movement as a whole does."""
    torch.manual_seed(config.seed)
    start = build_model("flow", config.model).state_dict()
    one, _ = load_state(alone, "state")
    two, _ = load_state(elsewhere / "shared", "state")

    def norm(a: dict, b: dict, prefix: str = "") -> float:
        return float(sum((a[f"average.{k}"] - b[prefix + k]).square().sum() for k in start) ** 0.5)

    assert norm(two, one, "average.") < 0.01 * norm(one, start)
    assert json.loads((elsewhere / "shared" / "environment.json").read_text())["processes"] == 2


def test_a_step_is_the_mean_over_all_curves_of_its_studies(config, tmp_path):
    """The weighted parts are the loss of one part that holds the whole step."""

    class Constant(torch.nn.Module):
        """Loss: the mean ln dose of the curves with something to predict."""

        def __init__(self) -> None:
            super().__init__()
            self.one = torch.nn.Parameter(torch.ones((), dtype=torch.float64))

        def loss(self, task, generator):
            scored = task.asked.any(-1)
            first = task.target.dose_amount[..., 0]
            return self.one * first[scored].double().log().mean()

    prior = load_prior(config.prior)
    found = []
    for parts in (1, 4):
        learner = Learner(config.with_changes(parts=parts), tmp_path, Processes())
        learner.model = Constant()
        learner.model.one.grad = torch.zeros((), dtype=torch.float64)
        learner.average, learner.optimizer.step = {}, lambda factor: None
        learner.average = {"one": torch.ones((), dtype=torch.float64)}
        batch = training_batch(learner.config, prior, 3)
        assert len(batch) == parts and sum(part_weights(batch)) == pytest.approx(1)
        found.append(learner.step(batch, part_weights(batch), 3))
    assert torch.allclose(found[0], found[1], rtol=1e-6)


def test_the_parts_of_a_step_have_noise_of_their_own():
    draws = {
        float(torch.rand((), generator=part_generator(seed, step, part), dtype=torch.float64))
        for seed in (0, 1)
        for step in (0, 1)
        for part in (0, 1)
    }
    assert len(draws) == 8


def test_workers_change_no_digit(config):
    prior, short = load_prior(config.prior), config.with_changes(steps=3)
    here, there = (list(batches(short, prior, 1, workers)) for workers in (0, 1))
    assert len(here) == len(there) == 2
    for one, other in zip(sum(here, []), sum(there, []), strict=True):
        for record in ("context", "target"):
            for name, value in vars(getattr(one, record)).items():
                assert torch.equal(value, vars(getattr(other, record))[name]), name
        assert torch.equal(one.prefix, other.prefix) and torch.equal(one.asked, other.asked)
        assert torch.equal(one.limit.nan_to_num(9e9), other.limit.nan_to_num(9e9))
    different = training_batch(short.with_changes(seed=1), prior, 1)[0]
    assert different.target.logs.shape != here[0][0].target.logs.shape or not torch.equal(
        different.target.logs, here[0][0].target.logs
    )


def test_bf16_is_close_to_single_precision_and_not_the_same(config, tmp_path):
    found, slopes = [], []
    for precision in ("fp32", "bf16"):
        learner = Learner(config.with_changes(precision=precision), tmp_path, Processes())
        learner.optimizer.step = lambda factor: None
        parts = training_batch(learner.config, load_prior(config.prior), 0)
        found.append(float(learner.step(parts, part_weights(parts), 0)[0]))
        slopes.append(torch.cat([p.grad.flatten() for p in learner.model.parameters()]))
    assert found[1] == pytest.approx(found[0], rel=2e-2) and found[0] != found[1]
    assert torch.cosine_similarity(*slopes, dim=0) > 0.99


def test_torchrun_on_two_addresses_gives_the_digits_of_one(alone, elsewhere):
    """Two machines as far as the launcher knows: each has an address of its own."""
    run = elsewhere / "launched"
    assert json.loads((run / "environment.json").read_text())["processes"] == 2
    assert outcomes(run) == outcomes(alone)
    assert (run / "validation.csv").read_bytes() == (alone / "validation.csv").read_bytes()
