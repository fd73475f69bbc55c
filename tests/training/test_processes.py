"""Two processes on loopback compute what one does; the launcher is PyTorch's own."""

import os
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from agmpk.training.batches import part_generator, training_batch
from agmpk.training.step import gradients, part_loss, part_weights
from safetensors.torch import load_file

from agmpk.models.registry import build_model
from agmpk.models.transport_model import FlowConfig
from agmpk.prior.config import load_prior
from agmpk.training.config import TrainingConfig
from agmpk.training.processes import Processes
from agmpk.training.run import train

CONFIG = TrainingConfig(
    model=FlowConfig(16, 1, 1),
    steps=3,
    warmup=1,
    validate_every=3,
    save_every=3,
    validation_studies=2,
)

# Run by every process: float64 gradients of step 0, then the run itself in single precision.
SHARE = """
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from agmpk.models.registry import build_model
from agmpk.prior.config import load_prior
from agmpk.training.batches import training_batch
from agmpk.training.config import load_training_config
from agmpk.training.processes import joined
from agmpk.training.run import train
from agmpk.training.step import gradients

config, folder = load_training_config(sys.argv[1]), Path(sys.argv[2])
torch.manual_seed(7)
model = build_model(config.kind, config.model).double()
with joined("cpu") as processes:
    assert processes.number == 2
    parts = training_batch(config, load_prior(config.prior), 0)
    loss = gradients(config, model, parts, 0, processes)
    if processes.writes:
        found = {name: p.grad for name, p in model.named_parameters()}
        save_file(found | {"loss": torch.tensor(loss, dtype=torch.float64)}, folder / "gradients")
    train(config, folder / "run", workers=0)
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A folder with what two processes computed."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "config.yaml").write_text(CONFIG.to_yaml())
    (folder / "share.py").write_text(SHARE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--master-addr", "127.0.0.1", "--master-port", str(port), str(folder / "share.py")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(
        [*command, str(folder / "config.yaml"), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_two_processes_give_the_gradients_of_one(shared):
    torch.manual_seed(7)
    model = build_model("flow", CONFIG.model).double()
    parts = training_batch(CONFIG, load_prior(CONFIG.prior), 0)
    loss = gradients(CONFIG, model, parts, 0, Processes())
    found = load_file(shared / "gradients")
    assert float(found["loss"]) == pytest.approx(loss, rel=1e-12)
    for name, parameter in model.named_parameters():
        assert torch.allclose(found[name], parameter.grad, rtol=1e-9, atol=1e-12), name
    assert any(parameter.grad.abs().max() > 1e-3 for parameter in model.parameters())


def test_two_processes_train_the_weights_of_one(shared, tmp_path):
    """Adam turns the last digit of a gradient near zero into a full step, so not every weight
    agrees to many digits; the movement as a whole does."""
    alone = train(CONFIG, tmp_path, workers=0).state_dict()
    torch.manual_seed(CONFIG.seed)
    start = build_model("flow", CONFIG.model).state_dict()
    state = load_file(shared / "run" / "state.safetensors")

    def norm(one: dict, other: dict) -> float:
        return float(sum((one[name] - other[name]).square().sum() for name in one) ** 0.5)

    both = {name: state[f"average.{name}"] for name in alone}
    assert norm(both, alone) < 0.01 * norm(start, alone)


def test_a_step_is_the_mean_over_all_curves_of_its_block():
    """The weighted parts are the loss of one part that holds the whole block."""

    class Constant(torch.nn.Module):
        """Loss: the mean ln dose of the curves with something to predict."""

        def __init__(self) -> None:
            super().__init__()
            self.one = torch.nn.Parameter(torch.ones((), dtype=torch.float64))

        def loss(self, task, generator):
            scored = (task.target_mask & ~task.prefix_mask).any(-1)
            return self.one * task.target_dose[scored].mean()

    parts = training_batch(CONFIG, load_prior(CONFIG.prior), 3)
    whole = training_batch(replace(CONFIG, microbatches=1), load_prior(CONFIG.prior), 3)
    assert len(parts) == 4 and len(whole) == 1 and sum(part_weights(parts)) == pytest.approx(1)
    found = [gradients(CONFIG, Constant(), some, 3, Processes()) for some in (parts, whole)]
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_the_parts_of_a_step_have_noise_of_their_own():
    draws = {
        float(torch.rand((), generator=part_generator(seed, step, part), dtype=torch.float64))
        for seed in (0, 1)
        for step in (0, 1)
        for part in (0, 1)
    }
    assert len(draws) == 8


def test_bf16_is_close_to_single_precision_and_not_the_same():
    torch.manual_seed(3)
    model = build_model("flow", CONFIG.model)
    part = training_batch(CONFIG, load_prior(CONFIG.prior), 0)[0]
    losses, slopes = [], []
    for precision in ("fp32", "bf16"):
        model.zero_grad()
        loss = part_loss(replace(CONFIG, precision=precision), model, part, 0, 0)
        loss.backward()
        losses.append(float(loss.detach()))
        slopes.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert losses[1] == pytest.approx(losses[0], rel=2e-2) and losses[0] != losses[1]
    assert torch.cosine_similarity(*slopes, dim=0) > 0.99
