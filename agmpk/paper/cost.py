"""What a run costs on a GPU before it is run: an estimate, with its assumptions in the open.

    agmpk paper costs flow-paper --peak 989e12 --utilisation 0.1 --workers 8

Over real steps, PyTorch counts the floating-point operations, forward and backward, and the number
of operators called; the simulation of its studies is timed on one core of this machine.  A step
then takes the longest of three things that overlap:

    arithmetic   floating-point operations / (peak rate * the share of it that is used)
    launches     operators * LAUNCH seconds each; what binds small networks on large GPUs
    simulation   seconds a step / workers

Peak, share, seconds a launch and workers are assumptions; nothing here was measured on a GPU.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from agmpk.models.registry import build_model
from agmpk.models.task import Task
from agmpk.prior.config import load_prior
from agmpk.training.config import TrainingConfig
from agmpk.training.data import part_generator, training_batch
from agmpk.training.run import part_weights

# Dense bf16 tensor-core rate of one NVIDIA H100 SXM (data sheet), operations a second.
H100 = 989e12
LAUNCH = 10e-6  # s an operator, eager PyTorch


@dataclass(frozen=True)
class Cost:
    """parameters; of one step: flops, operators, seconds of simulation on one core; and what the
    whole run takes if bound by one thing alone: ``hours`` of arithmetic, launches, simulation,
    which overlap, so that the longest counts."""

    parameters: int
    flops: float
    operators: float
    simulation: float
    hours: dict[str, float]


class OperatorCounter(TorchDispatchMode):
    """Counts the operators called."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.number += 1
        return function(*arguments, **(keywords or {}))


def expected_cost(
    config: TrainingConfig,
    peak: float = H100,
    utilisation: float = 0.1,
    workers: int = 8,
    steps: int = 2,
) -> Cost:
    """The cost of a run on one GPU; means over its first ``steps`` steps.

    What the update itself takes (the optimizer, the averages) is left out.
    """
    prior = load_prior(config.prior)
    model = build_model(config.kind, config.model)
    flops = operators = seconds = 0.0
    for step in range(steps):
        began = time.process_time()
        parts = training_batch(config, prior, step)
        seconds += (time.process_time() - began) / steps
        # The plain kernel, whose matrix products the counter sees on any device.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            _gradients(config, model, parts, step)
        flops += counter.get_total_flops() / steps
        with OperatorCounter() as called:
            _gradients(config, model, parts, step)
        operators += called.number / steps
    hours = {
        "arithmetic": flops / (peak * utilisation),
        "launches": operators * LAUNCH,
        "simulation": seconds / workers,
    }
    hours = {name: value * config.steps / 3600 for name, value in hours.items()}
    parameters = sum(p.numel() for p in model.parameters())
    return Cost(parameters, flops, operators, seconds, hours)


def _gradients(config: TrainingConfig, model: nn.Module, parts: list[Task], step: int) -> None:
    """Forward and backward of one step, as a run does them."""
    model.zero_grad()
    for index, (part, weight) in enumerate(zip(parts, part_weights(parts), strict=True)):
        # A copy, as on the way to a GPU: the frame of reference is computed there.
        part = part.to("cpu")
        loss = model.loss(part, part_generator(config.seed, step, index))
        (weight * loss).backward()


def in_words(
    recipe: str,
    config: TrainingConfig,
    cost: Cost,
    peak: float,
    utilisation: float,
    workers: int,
) -> str:
    """The cost and its assumptions, for a terminal."""
    studies = config.studies * config.steps
    bound, longest = max(cost.hours.items(), key=lambda one: one[1])
    lines = [
        f"{recipe}: {cost.parameters / 1e6:.1f} M parameters, {studies / 1e6:.1f} M studies; "
        f"a step: {cost.flops / 1e12:.2f} TFLOP, "
        f"{cost.operators:.0f} operators, {cost.simulation:.2f} s of simulation on one core",
        *(f"  {name}: {hours:.1f} h" for name, hours in cost.hours.items()),
        f"about {longest:.1f} h, bound by {bound}, if {utilisation:.0%} of "
        f"{peak / 1e12:.0f} TFLOP/s are used, an operator takes {LAUNCH * 1e6:.0f} us to launch "
        f"and {workers} workers simulate",
    ]
    return "\n".join(lines)
