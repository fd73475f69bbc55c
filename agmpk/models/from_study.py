"""From studies of the data model to the tensors of the networks."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agmpk.errors import AgmpkError
from agmpk.models.task import Task, route_one_hot
from agmpk.studies import Dose, Individual, Study

SAME = 0.01  # intervals between doses that differ relatively by less are one interval


def regimen(individual: Individual, compound: str) -> Dose:
    """The individual's schedule as one ``Dose``: its first dose with ``additional`` equal ones.

    Raises:
        AgmpkError: the doses differ, or are not given at equal intervals.
    """
    doses = individual.single_doses()
    first, times = doses[0], np.array([dose.time for dose in doses])
    alike = {(dose.amount, dose.route, dose.duration) for dose in doses}
    gaps = np.diff(times)
    if len(alike) > 1 or (len(gaps) and np.ptp(gaps) > SAME * gaps.mean()):
        raise AgmpkError(
            f"Individual {individual.id} of the study of {compound} has {len(doses)} doses that "
            "differ or are not evenly spaced, and this model knows equal doses at equal "
            "intervals only: give such a schedule, or a single dose."
        )
    interval = float(gaps.mean()) if len(gaps) else 0.0
    return Dose(first.time, first.amount, first.route, first.duration, len(gaps), interval)


def _check_shared(one: Individual, its: Dose, target: Individual, dose: Dose) -> None:
    if its.route != dose.route:
        raise AgmpkError(
            f"Individual {one.id} was dosed {its.route} and the target {target.id} "
            f"{dose.route}: this model needs one route per study."
        )
    off = abs(its.interval - dose.interval) > SAME * dose.interval
    if its.additional != dose.additional or off:
        raise AgmpkError(
            f"Individual {one.id} was given {_schedule(its)} and the target {target.id} "
            f"{_schedule(dose)}: this model needs one schedule per study."
        )


def _schedule(dose: Dose) -> str:
    if not dose.additional:
        return "a single dose"
    return f"{dose.additional + 1} doses every {dose.interval:g} h"


def task_from_study(context: Study, prefix: Individual, times: NDArray[np.float64]) -> Task:
    """One task (B = R = 1), float64, times counted from each individual's first dose.

    Raises:
        AgmpkError: doses that are unequal or unevenly spaced, or a route or schedule that differs
            between the target and its context.
    """
    dose = regimen(prefix, context.compound)
    others = [(one, regimen(one, context.compound)) for one in context]
    for one, its in others:
        _check_shared(one, its, prefix, dose)
    rows = [(one.times - its.time, np.log(one.concentrations / its.amount)) for one, its in others]
    context_times, context_logs, context_mask = _pad(rows)
    seen, logs = prefix.times - dose.time, np.log(prefix.concentrations / dose.amount)
    query = np.asarray(times) - dose.time
    target_times = torch.from_numpy(np.concatenate([seen, query]))
    points, p = len(target_times), len(seen)
    return Task(
        context_times=context_times[None],
        context_logs=context_logs[None],
        context_mask=context_mask[None],
        context_dose=torch.tensor(
            [[np.log(its.amount) for _, its in others] or [0.0]], dtype=torch.float64
        ),
        target_times=target_times.view(1, 1, points),
        target_logs=torch.from_numpy(np.concatenate([logs, np.zeros_like(query)]))[None, None],
        target_mask=torch.ones(1, 1, points, dtype=torch.bool),
        prefix_mask=(torch.arange(points) < p)[None, None],
        target_dose=torch.tensor([[np.log(dose.amount)]], dtype=torch.float64),
        route=route_one_hot(torch.tensor([dose.route == "oral"]), torch.tensor([dose.duration])),
        duration=torch.tensor([dose.duration], dtype=torch.float64),
        interval=torch.tensor([dose.interval], dtype=torch.float64),
        additional=torch.tensor([dose.additional]),
    )


def _pad(rows: list[tuple[NDArray, NDArray]]) -> tuple[Tensor, Tensor, Tensor]:
    J, K = max(1, len(rows)), max([1, *(len(t) for t, _ in rows)])
    times, logs = np.zeros((J, K)), np.zeros((J, K))
    mask = np.zeros((J, K), bool)
    for j, (t, y) in enumerate(rows):
        times[j, : len(t)], logs[j, : len(t)], mask[j, : len(t)] = t, y, True
        times[j, len(t) :] = t[-1] if len(t) else 0.0
    return torch.from_numpy(times), torch.from_numpy(logs), torch.from_numpy(mask)
