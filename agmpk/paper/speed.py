"""How fast simulator, training step and forecast are on a CPU (``agmpk paper speed``);
what a run would cost on a GPU (``costs``).

Times are of the processor, on one thread, so that a busy machine does not change them much; what is
compared gets the same studies in one run.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from agmpk.errors import AgmpkError
from agmpk.evaluation.scores import mean_scores
from agmpk.forecasting.cohort import generate
from agmpk.forecasting.forecaster import Forecaster
from agmpk.models.features import Packing
from agmpk.models.registry import build_model
from agmpk.models.task import Task
from agmpk.prior.config import PriorConfig, load_prior
from agmpk.prior.laws import Streams
from agmpk.prior.problem import Problem
from agmpk.prior.reference import by_scipy, by_torchdiffeq, largest_relative_error
from agmpk.prior.simulate import BLOCK, draw_trial, problems, simulate_block
from agmpk.studies import Study
from agmpk.training.config import TrainingConfig
from agmpk.training.data import part_generator, training_batch, validation_task
from agmpk.training.optimizer import Optimizers
from agmpk.training.run import part_weights

TOLERANCES = tuple(10.0**-k for k in range(3, 11))
GOALS = (1e-3, 1e-6)  # largest relative errors that are allowed
PLAIN = {"dosing": {"repeated_probability": 0.0}, "disposition": {"saturable_probability": 0.0}}
FLOOR = 1e-4  # of amounts above this fraction of the individual's largest one


def compare_solvers(
    config: PriorConfig, seed: int = 0, individuals: int = 40, repeats: int = 3
) -> pd.DataFrame:
    """Individuals per second of three solvers on a block's single-dose, linear studies.

    scipy's and torchdiffeq's tolerance is the loosest that keeps the largest relative error below
    each of ``GOALS``, found on ``individuals`` individuals against LSODA at 1e-10; scipy, a loop,
    is timed on these alone.  Ours has one accuracy, that of float64.
    """
    problem = single_doses(config, seed)
    few, layout = problem[:individuals], problem.layout
    exact = by_scipy(few, rtol=1e-10, atol=1e-13)

    def error(states: Any) -> float:
        return largest_relative_error(states[: len(few)], exact, layout, FLOOR)

    def lsoda(tolerance: float) -> Any:
        return by_scipy(few, "LSODA", tolerance, 1e-2 * tolerance)

    def dopri5(tolerance: float) -> Any:
        return by_torchdiffeq(problem, tolerance, 1e-2 * tolerance)

    @functools.cache
    def reached(solver: Callable, tolerance: float) -> float:
        return error(solver(tolerance))

    ours = error(problem.states())
    rows = [("exact steps", np.nan, ours, len(problem) / seconds(problem.states, repeats))]
    others = ("scipy LSODA, a loop over individuals", lsoda, len(few)), (
        "torchdiffeq dopri5, batched", dopri5, len(problem))  # fmt: skip
    for goal in GOALS:
        for name, solver, number in others:
            found = next((t for t in TOLERANCES if reached(solver, t) < goal), TOLERANCES[-1])
            rate = number / seconds(functools.partial(solver, found), repeats)
            rows.append((name, found, reached(solver, found), rate))
    names = ["relative tolerance", "largest relative error", "individuals per second"]
    table = pd.DataFrame(rows, columns=["solver", *names]).set_index("solver")
    speed = table["individuals per second"]
    table["times slower than ours"] = speed.iloc[0] / speed
    return table


def whole_blocks(*configs: PriorConfig, seed: int = 0, repeats: int = 3) -> pd.DataFrame:
    """Studies per second of the whole simulator, draws and assay included, one row a prior."""

    def speed(config: PriorConfig) -> float:
        two = lambda: [simulate_block(config, seed, block) for block in range(2)]  # noqa: E731
        simulate_block(config, seed, 0)
        return 2 * BLOCK / seconds(two, repeats)

    found = {
        "studies per second": [speed(config) for config in configs],
        "single doses, linear kinetics": [speed(one.replace(**PLAIN)) for one in configs],
    }
    names = pd.Index([config.name for config in configs], name="prior")
    return pd.DataFrame(found, index=names)


def training_step(config: TrainingConfig, steps: int = 3) -> pd.DataFrame:
    """Where the time of a step on the CPU goes: processor seconds per part, with the network on all
    of the padded arrays and on their real tokens alone (see :mod:`agmpk.models.features`).

    Both see the same studies and random numbers, so ``loss`` is the same up to rounding: an equal
    number of steps learns the same.  ``arithmetic``: seconds that the network's operations would
    take if all were large matrix products; a network near it gains only by fewer operations.
    """
    prior, model = load_prior(config.prior), build_model(config.kind, config.model)
    optimizers, rate = Optimizers(model, config), matrix_rate()
    rows = []
    for step in range(steps + 1):
        parts, simulated = timed(lambda step=step: training_batch(config, prior, step, True))
        each = {}
        for name, packed in (("padded", False), ("packed", True)):
            for part in parts:
                part.knowing(packing=Packing(part) if packed else None)
            found = timed(lambda step=step, parts=parts: _learn(config, model, parts, step))
            each[name] = *found[::-1], _flops(config, model, parts, step) / rate
        updated = timed(lambda: optimizers.step(1.0))[1]
        if step:  # the first warms up
            rows += [(name, simulated, *found, updated) for name, found in each.items()]
    columns = ["network computes", "simulate, frame", "network", "loss", "arithmetic", "update"]
    table = pd.DataFrame(rows, columns=columns).groupby("network computes").mean()
    taken = table[["simulate, frame", "network", "update"]].sum(axis=1)
    table["studies per second"] = config.studies / taken
    return table.loc[["padded", "packed"]]


def matrix_rate(size: int = 1024) -> float:
    """Floating-point operations a processor second in large matrix products, on as many threads as
    PyTorch has: what a processor can do at best."""
    a = torch.randn(size, size)
    _ = a @ a  # warms up
    return 2 * size**3 / seconds(lambda: a @ a, 3)


def _flops(config: TrainingConfig, model: nn.Module, parts: list[Task], step: int) -> float:
    """Floating-point operations of a step, forward and backward, as PyTorch counts them: matrix
    products, with the plain kernel of attention, in which the counter sees them on any device."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        _learn(config, model, parts, step)
    return float(counter.get_total_flops())


def _learn(config: TrainingConfig, model: nn.Module, parts: list[Task], step: int) -> float:
    """Forward and backward of one step, as a run does them; the loss."""
    model.zero_grad()
    total = 0.0
    for index, (part, weight) in enumerate(zip(parts, part_weights(parts), strict=True)):
        loss = weight * model.loss(part, part_generator(config.seed, step, index))
        loss.backward()
        total += float(loss.detach())
    return total


def single_doses(config: PriorConfig, seed: int) -> Problem:
    """The largest kind of the single-dose, linear studies of the first block, as an initial value
    problem."""
    config = config.replace(**PLAIN)
    streams = Streams(seed, 0)
    kinds = problems(config, draw_trial(config, streams), streams)
    return max((problem for _, _, problem in kinds), key=len)


def seconds(run: Callable[[], Any], repeats: int) -> float:
    """Processor time of a run like one before, which warmed up: the mean of ``repeats``, or of a
    tenth of a second's worth where that is more."""
    count, start = 0, time.process_time()
    while count < repeats or time.process_time() - start < 0.1:
        run()
        count += 1
    return (time.process_time() - start) / count


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What ``work`` returns, and its processor seconds."""
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


# Dense bf16 tensor-core rate of one NVIDIA H100 SXM (data sheet), operations a second.
H100 = 989e12
LAUNCH = 10e-6  # s an operator, eager PyTorch


@dataclass(frozen=True)
class Cost:
    """Of one step: flops and operators; and what the whole run takes if bound by one thing alone:
    ``hours`` of arithmetic, launches, simulation, which overlap, so that the longest counts;
    ``text``: all that with its assumptions."""

    flops: float
    operators: float
    hours: dict[str, float]
    text: str


class OperatorCounter(TorchDispatchMode):
    """Counts the operators called."""

    number = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.number += 1
        return function(*arguments, **(keywords or {}))


def expected_cost(
    name: str, config: TrainingConfig, peak=H100, utilisation=0.1, workers=8, steps=2
) -> Cost:
    """The cost of a run of the recipe ``name`` on one GPU; means over its first ``steps`` steps.

    PyTorch counts the floating-point operations, forward and backward, and the operators called;
    the simulation is timed on one core of this machine. A step then takes the longest of three
    things that overlap: arithmetic, operations / (``peak`` rate * its share that is used,
    ``utilisation``); launches, operators * LAUNCH seconds, which bind small networks on large GPUs;
    simulation, seconds a step / ``workers``. All of these are assumptions: nothing here was
    measured on a GPU. What the update itself takes (the optimizer, the averages) is left out.
    """
    prior, model = load_prior(config.prior), build_model(config.kind, config.model)
    flops = operators = simulation = 0.0
    for step in range(steps):
        parts, seconds = timed(lambda step=step: training_batch(config, prior, step))
        simulation += seconds / steps
        # Copies, as on the way to a GPU: the frame of reference is computed there.
        flops += _flops(config, model, [part.to("cpu") for part in parts], step) / steps
        with OperatorCounter() as called:
            _learn(config, model, [part.to("cpu") for part in parts], step)
        operators += called.number / steps
    hours = {
        "arithmetic": flops / (peak * utilisation),
        "launches": operators * LAUNCH,
        "simulation": simulation / workers,
    }
    hours = {thing: value * config.steps / 3600 for thing, value in hours.items()}
    parameters = sum(p.numel() for p in model.parameters())
    bound, longest = max(hours.items(), key=lambda one: one[1])
    lines = [
        f"{name}: {parameters / 1e6:.1f} M parameters, {config.studies * config.steps / 1e6:.1f} M "
        f"studies; a step: {flops / 1e12:.2f} TFLOP, {operators:.0f} operators, "
        f"{simulation:.2f} s of simulation on one core",
        *(f"  {thing}: {value:.1f} h" for thing, value in hours.items()),
        f"about {longest:.1f} h, bound by {bound}, if {utilisation:.0%} of "
        f"{peak / 1e12:.0f} TFLOP/s are used, an operator takes {LAUNCH * 1e6:.0f} us to launch "
        f"and {workers} workers simulate",
    ]
    return Cost(flops, operators, hours, "\n".join(lines))


STEPS = (1, 2, 4, 8, 16, 100)


def steps_benchmark(
    model: nn.Module, prior: PriorConfig, studies=16, samples=200, prefix=4, steps=STEPS
) -> pd.DataFrame:
    """What accuracy fewer sampling steps cost on simulated studies of ``prior`` (validation stream,
    never the 20 compounds, so that the number can be chosen by it): one row a number of steps.

    Columns: steps; seconds per forecast of one individual; log_rmse, crps, coverage_90; distance:
    root mean square over samples and points of ln y against the largest number of steps from the
    same noise; mean_distance: the same for the mean forecast; lost_rmse and lost_crps against the
    largest number of steps.

    Raises:
        AgmpkError: the model is not sampled in steps.
    """
    if "steps" not in inspect.signature(model._draws).parameters:
        raise AgmpkError(f"A {model.kind} is sampled at once, not in steps: nothing to compare.")
    task = validation_task(prior, 1, prefix, targets=1)
    task = task[task.asked.any(-1)[:, 0]][:studies]
    alone = [task[b : b + 1].trimmed() for b in range(len(task))]
    free = task.asked[:, 0].numpy()
    truth, target = task.target.logs[:, 0].numpy()[free], np.nonzero(free)[0]
    found = {}
    for number in tqdm(steps, desc="steps", disable=None):
        drawn, seconds = timed(lambda number=number: [*_draws(model, alone, samples, number)])
        draws = np.zeros((samples, *free.shape))
        for b, one in enumerate(drawn):
            draws[:, b, : one.shape[-1]] = one.numpy()
        found[number] = draws[:, free], seconds / len(task)
    best = found[max(steps)][0]
    rows = [
        {
            "steps": number,
            "seconds": seconds,
            **mean_scores(draws, truth, target),
            "distance": float(np.sqrt(np.square(draws - best).mean())),
            "mean_distance": float(np.sqrt(np.square(draws.mean(0) - best.mean(0)).mean())),
        }
        for number, (draws, seconds) in found.items()
    ]
    table = pd.DataFrame(rows)
    reference = table[table.steps == max(steps)].iloc[0]
    table["lost_rmse"] = table.log_rmse - reference.log_rmse
    table["lost_crps"] = table.crps - reference.crps
    return table


def _draws(model: nn.Module, alone: list[Task], samples: int, steps: int) -> Iterator[Tensor]:
    """Samples [S, T] of the target of each study."""
    generator = torch.Generator().manual_seed(0)
    for one in alone:
        yield model.sample(one, samples, generator, steps=steps)[:, 0, 0]


def cohort_seconds(forecaster: Forecaster, study: Study, n: int = 100) -> float:
    """Processor seconds to generate ``n`` virtual individuals, the better of two calls."""
    return min(timed(lambda: generate(forecaster, study, n))[1] for _ in range(2))
