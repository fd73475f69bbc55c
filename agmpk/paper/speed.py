"""How fast the simulator and a training step are (``agmpk paper speed``).

Times are of the processor, on one thread, so that a busy machine does not change them much; what is
compared gets the same studies in one run.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from agmpk.models.features import Packing
from agmpk.models.registry import build_model
from agmpk.prior.config import PriorConfig, load_prior
from agmpk.prior.laws import Streams
from agmpk.prior.problem import Problem
from agmpk.prior.reference import by_scipy, by_torchdiffeq, largest_relative_error
from agmpk.prior.simulate import BLOCK, draw_trial, problems, simulate_block
from agmpk.training.config import TrainingConfig
from agmpk.training.data import part_generator, training_batch
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
    few, layout = problem.first(individuals), problem.layout
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

    rows = [("exact steps", np.nan, error(problem.states()), len(problem), problem.states)]
    for goal in GOALS:
        for name, solver, number in (
            ("scipy LSODA, a loop over individuals", lsoda, len(few)),
            ("torchdiffeq dopri5, batched", dopri5, len(problem)),
        ):
            found = next((t for t in TOLERANCES if reached(solver, t) < goal), TOLERANCES[-1])
            solve = functools.partial(solver, found)
            rows.append((name, found, reached(solver, found), number, solve))
    table = pd.DataFrame(
        [
            {
                "solver": name,
                "relative tolerance": tolerance,
                "largest relative error": largest,
                "individuals per second": number / seconds(solve, repeats),
            }
            for name, tolerance, largest, number, solve in rows
        ]
    ).set_index("solver")
    speed = table["individuals per second"]
    table["times slower than ours"] = speed.iloc[0] / speed
    return table


def whole_blocks(*configs: PriorConfig, seed: int = 0, repeats: int = 3) -> pd.DataFrame:
    """Studies per second of the whole simulator, draws and assay included, one row a prior."""

    def speed(config: PriorConfig) -> float:
        def two() -> None:
            for block in range(2):
                simulate_block(config, seed, block)

        return 2 * BLOCK / seconds(two, repeats)

    rows = {
        config.name: {
            "studies per second": speed(config),
            "single doses, linear kinetics": speed(config.replace(**PLAIN)),
        }
        for config in configs
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("prior")


def training_step(config: TrainingConfig, steps: int = 3) -> pd.DataFrame:
    """Where the time of a step on the CPU goes: processor seconds per part, with the network on all
    of the padded arrays and on their real tokens alone (see :mod:`agmpk.models.features`).

    Both see the same studies and random numbers, so ``loss`` is the same up to rounding: an equal
    number of steps learns the same.
    """
    prior, model = load_prior(config.prior), build_model(config.kind, config.model)
    optimizers = Optimizers(model, config)
    rows = []
    for step in range(steps + 1):
        began = time.process_time()
        parts = training_batch(config, prior, step)
        for part in parts:
            _ = part.features
        simulated = time.process_time() - began
        each = {}
        for name, packed in (("padded", False), ("packed", True)):
            for part in parts:
                part.__dict__["packing"] = Packing.of(part) if packed else None
            model.zero_grad()
            began = time.process_time()
            losses = [
                weight * model.loss(part, part_generator(config.seed, step, index))
                for index, (part, weight) in enumerate(zip(parts, part_weights(parts), strict=True))
            ]
            sum(losses).backward()
            each[name] = time.process_time() - began, float(sum(losses).detach())
        began = time.process_time()
        optimizers.step(1.0)
        updated = time.process_time() - began
        if step:  # the first warms up
            rows += [(name, simulated, *found, updated) for name, found in each.items()]
    columns = ["network computes", "simulate, frame", "network", "loss", "update"]
    table = pd.DataFrame(rows, columns=columns).groupby("network computes").mean()
    seconds = table[["simulate, frame", "network", "update"]].sum(axis=1)
    table["studies per second"] = config.studies / seconds
    return table.loc[["padded", "packed"]]


def single_doses(config: PriorConfig, seed: int) -> Problem:
    """The largest kind of the single-dose, linear studies of the first block, as an initial value
    problem."""
    config = config.replace(**PLAIN)
    streams = Streams(seed, 0)
    kinds = problems(config, draw_trial(config, streams), streams)
    return max((problem for _, _, problem in kinds), key=len)


def seconds(run: Callable[[], Any], repeats: int) -> float:
    """Processor time of a run, after one to warm up: the mean of ``repeats``, or of a tenth of a
    second's worth where that is more."""
    run()
    count, start = 0, time.process_time()
    while count < repeats or time.process_time() - start < 0.1:
        run()
        count += 1
    return (time.process_time() - start) / count
