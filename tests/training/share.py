"""What tests/training/test_processes.py runs outside of the tests' own process, where processes can
be forked and killed:

    python share.py CONFIG.yaml FOLDER PORT PORT
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import torch
import torch._dynamo  # the first optimizer of a process imports it: once here, not in every fork
from safetensors.torch import save_file
from torch.distributed import run as torchrun
from torch.distributed.launcher.api import elastic_launch

from agmpk.cli import cli
from agmpk.prior.config import load_prior
from agmpk.training import folder as run_folder
from agmpk.training.config import TrainingConfig, load_training_config
from agmpk.training.data import training_batch
from agmpk.training.folder import prepare
from agmpk.training.processes import Processes, joined
from agmpk.training.run import Learner, part_weights, train


def gradients(config: TrainingConfig, folder: Path, processes: Processes) -> dict:
    """Float64 gradients of the first step, clipped, and its loss (single precision)."""
    prior = load_prior(config.prior)
    if processes.writes:
        prepare(config, prior, folder, "cpu", processes.number)
    processes.wait()
    learner = Learner(config, folder, processes)
    learner.model.double()
    learner.average = {k: v.double() for k, v in learner.average.items()}
    learner.optimizer.step = lambda factor: None
    parts = training_batch(config, prior, 0)
    loss, _ = learner.step(parts, part_weights(parts), 0)
    grads = {name: p.grad.clone() for name, p in learner.model.named_parameters()}
    return grads | {"loss": loss.clone()}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(step: int) -> Callable[[TrainingConfig, Path], None]:
    """A run that dies after ``step`` steps, before their state is written."""

    def work(config: TrainingConfig, folder: Path) -> None:
        train(config, folder, lambda done, loss: die() if done == step else None, workers=0)

    return work


def killed_in_the_index(config: TrainingConfig, folder: Path) -> None:
    """A run that dies when the tensors of its next state are written, and its index is not."""
    write = run_folder._write

    def dying(path: Path, text: str) -> None:
        if path.name == "state.json":
            die()
        write(path, text)

    run_folder._write = dying
    train(config, folder, workers=0)


def to_the_end(config: TrainingConfig, folder: Path) -> None:
    train(config, folder, workers=0)


def shared(rank: int, port: str) -> Callable[[TrainingConfig, Path], None]:
    """One of two processes: gradients of step 0, then the run itself."""

    def work(config: TrainingConfig, folder: Path) -> None:
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo"}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        with joined("cpu") as processes:
            assert processes.number == 2
            found = gradients(config, folder / "gradients", processes)
            if processes.writes:
                save_file(found, folder / "gradients.safetensors")
            train(config, folder / "shared", workers=0)

    return work


def command(*words: str) -> None:
    """The command line, in a process that the launcher starts."""
    cli.main(words, prog_name="agmpk", standalone_mode=False)


def launched(rank: int, port: str, settings: str) -> Callable[[TrainingConfig, Path], None]:
    """``torchrun`` on one of two machines, as far as it knows, with an address of its own; what it
    launches is forked, too."""
    words = ["--nnodes", "2", "--nproc-per-node", "1", "--node-rank", str(rank)]
    words += ["--master-addr", "127.0.0.1", "--master-port", port, "--start-method", "fork"]
    words += ["--local-addr", f"127.0.0.{rank + 1}", "--no-python", "--", "agmpk"]
    words += ["train", "--recipe", settings, "--workers", "0", "--run"]

    def work(config: TrainingConfig, folder: Path) -> None:
        os.environ |= {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
        asked = torchrun.parse_args([*words, str(folder / "launched")])
        how, program, arguments = torchrun.config_from_args(asked)
        assert program == "agmpk"
        elastic_launch(how, command)(*arguments)

    return work


def start(work: Callable[[TrainingConfig, Path], None], config: TrainingConfig, run: Path) -> int:
    """A process that does ``work``; its id."""
    process = os.fork()
    if process:
        return process
    failed = 0
    try:
        work(config, run)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        failed = 1
    os._exit(failed)


def ended(process: int) -> int:
    """How it ended: 0, a failure, or the signal that killed it, negative."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


if __name__ == "__main__":
    torch.set_num_threads(1)
    settings, place = load_training_config(sys.argv[1]), Path(sys.argv[2])
    lives = [killed_at(1), killed_at(3), killed_in_the_index, killed_at(5), to_the_end]
    codes = [ended(start(life, settings, place / "killed")) for life in lives]
    both = [start(shared(rank, sys.argv[3]), settings, place) for rank in (0, 1)]
    codes += [ended(process) for process in both]
    both = [start(launched(rank, sys.argv[4], sys.argv[1]), settings, place) for rank in (0, 1)]
    codes += [ended(process) for process in both]
    (place / "codes.json").write_text(json.dumps(codes))
