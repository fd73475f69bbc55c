"""Random studies for the tests of the networks: every individual has its own doses, samples and
parameters, some samples are below a limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from agmpk.models.task import Record, Task


def one_compartment(times, doses, ka, ke) -> np.ndarray:
    """Amount per unit of dose in the central compartment, dose by dose (Gibaldi & Perrier)."""
    y = np.zeros_like(times)
    for time, amount, duration, oral in doses:
        since = times - time
        s = np.clip(since, 0, None)
        if oral:
            one = ka / (ka - ke) * (np.exp(-ke * s) - np.exp(-ka * s))
        elif duration > 0:
            rise = np.minimum(s, duration)
            one = (1 - np.exp(-ke * rise)) / (ke * duration) * np.exp(-ke * (s - rise))
        else:
            one = np.exp(-ke * s)
        y = y + np.where(since > 0, amount * one, 0.0)
    return y


def random_record(g, study, people: int, samples: int, doses: int, shared: bool) -> dict:
    """One study's individuals as arrays (see ``Record``); ``study``: ln ka, ln ke, ln V, ln dose,
    limit, the shared list of doses."""
    ka0, ke0, v0, dose0, limit, given0 = study
    out = {n: np.zeros((people, samples)) for n in ("times", "logs")}
    out |= {n: np.zeros((people, samples), bool) for n in ("mask", "below")}
    out |= {f"dose_{n}": np.zeros((people, doses)) for n in ("time", "amount", "duration")}
    out |= {n: np.zeros((people, doses), bool) for n in ("dose_oral", "dosed")}
    for n in range(people):
        given = given0 if shared else random_doses(g, dose0, doses)
        count = int(g.integers(1, samples + 1))
        t = np.sort(g.uniform(0.2, 24, count))
        ka, ke = np.exp(ka0 + 0.3 * g.normal()), np.exp(ke0 + 0.2 * g.normal())
        y = one_compartment(t, given, ka, ke) / np.exp(v0 + 0.2 * g.normal())
        logs = np.log(np.clip(y, 1e-12, None)) + 0.1 * g.normal(size=count)
        below = logs < limit
        out["times"][n, :count], out["mask"][n, :count] = t, True
        out["logs"][n, :count] = np.where(below, limit, logs)
        out["below"][n, :count] = below
        for d, one in enumerate(given):
            for name, value in zip(("time", "amount", "duration", "oral"), one, strict=True):
                out[f"dose_{name}"][n, d] = value
            out["dosed"][n, d] = True
    return out


def random_doses(g, dose0: float, most: int) -> list[tuple]:
    """One to ``most`` doses (time, amount, duration, oral), the first at 0."""
    count = int(g.integers(1, most + 1))
    times = np.concatenate([[0.0], np.sort(g.uniform(2, 20, count - 1))])
    oral = bool(g.integers(2))
    duration = 0.0 if oral or g.integers(2) else float(g.uniform(0.2, 2))
    return [(t, float(np.exp(dose0 + 0.3 * g.normal())), duration, oral) for t in times]


def random_task(
    studies: int = 5,
    context: int = 5,
    targets: int = 2,
    samples: int = 9,
    doses: int = 3,
    seed: int = 0,
    shared: bool = False,
    limits: bool = True,
) -> Task:
    """Float64; ``shared``: all of a study have the same doses."""
    g = np.random.default_rng(seed)
    parts, limit = [], []
    for b in range(studies):
        v0, dose0 = g.normal(3, 1), g.normal(3, 1)
        floor = dose0 - v0 - 3.0 if limits and b % 2 else -np.inf
        study = (g.normal(0.3, 0.5), g.normal(-1.8, 0.5), v0, dose0, floor)
        study = (*study, random_doses(g, dose0, doses))
        sizes = (context if b else max(1, context - 2), targets)
        part = [random_record(g, study, n, samples, doses, shared) for n in sizes]
        if b == 0:  # padded individuals
            pad = context - sizes[0]
            part[0] = {
                k: np.concatenate([v, np.zeros((pad, *v.shape[1:]), v.dtype)])
                for k, v in part[0].items()
            }
        parts.append(part)
        limit.append(floor if np.isfinite(floor) else np.nan)
    records = [
        Record(**{k: torch.from_numpy(np.stack([p[i][k] for p in parts])) for k in parts[0][i]})
        for i in (0, 1)
    ]
    mask = records[1].mask
    length = torch.from_numpy(g.integers(0, 5, mask.shape[:2]))
    length = torch.minimum(length, mask.sum(-1) - 1)
    prefix = mask & (torch.arange(samples) < length[..., None])
    target = replace(records[1], below=records[1].below & prefix)
    return Task(records[0], target, prefix, mask & ~prefix, torch.tensor(limit))


@pytest.fixture(scope="session")
def make_task() -> Callable[..., Task]:
    """``random_task``."""
    return random_task


def weight(model: torch.nn.Module, size: float = 0.1) -> torch.nn.Module:
    """The model in float64 with every weight moved: blocks begin as the identity."""
    torch.manual_seed(1)
    model = model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(size * torch.randn(parameter.shape, dtype=torch.float64))
    return model


@pytest.fixture(scope="session")
def moved() -> Callable[..., torch.nn.Module]:
    """``weight``."""
    return weight


def ask(task: Task, times: torch.Tensor) -> Task:
    """The same targets, prefixes and context, asked at ``times`` [B, R, Q] instead."""
    P = max(1, int(task.prefix.sum(-1).max()))
    shown = task.prefix[..., :P]
    new = torch.ones_like(times, dtype=torch.bool)

    def join(old, more):
        return torch.cat(
            [torch.where(shown, old[..., :P], torch.zeros_like(old[..., :P])), more], -1
        )

    target = replace(
        task.target,
        times=join(task.target.times, times),
        logs=join(task.target.logs, 0 * times),
        mask=torch.cat([shown, new], -1),
        below=join(task.target.below, ~new),
    )
    prefix, asked = torch.cat([shown, ~new], -1), torch.cat([~shown & shown, new], -1)
    return replace(task, target=target, prefix=prefix, asked=asked)


@pytest.fixture(scope="session")
def asking() -> Callable[..., Task]:
    """``ask``."""
    return ask
