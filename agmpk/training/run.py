"""Train models: simulate, step, validate, average, save, resume.

Several models can share one stream of simulated studies: what costs most, drawing the studies and
the frame in which they are seen, is done once, and all are trained on the same.

A step's loss is the mean over all scored curves of its studies: each part's mean, weighted by its
share of the curves.  Processes add up the gradients of their parts, so their number changes nothing
but the order of summation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from agmpk.errors import AgmpkError
from agmpk.evaluation.scores import mean_scores
from agmpk.files import atomic_path, only_one
from agmpk.models.registry import MODELS, build_model, load_checkpoint
from agmpk.models.task import Task
from agmpk.prior import PriorConfig
from agmpk.prior.config import load_prior
from agmpk.prior.simulate import BLOCK
from agmpk.training.config import STREAM, TrainingConfig, rate_factor
from agmpk.training.data import VALIDATION_SEED, batches, part_generator, validation_task
from agmpk.training.folder import (
    STEPS,
    VALIDATION,
    Table,
    check_records,
    load_state,
    prepare,
    records,
    run_config,
    save_state,
    settle,
    start_folder,
)
from agmpk.training.optimizer import Optimizers
from agmpk.training.processes import Processes, joined

Report = Callable[[int, float], None]
STATE, PLATEAU = "state", "plateau"
PREFIXES = (4, 1)  # samples shown in validation
SAMPLES = 32


class Learner:
    """One model of a run: network, averaged weights, optimizer, tables, folder."""

    def __init__(self, config: TrainingConfig, folder: Path, processes: Processes) -> None:
        self.config, self.folder, self.processes = config, folder, processes
        torch.manual_seed(config.seed)
        self.model = build_model(config.kind, config.model).to(processes.device)
        for parameter in self.model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self._begin()
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = Optimizers(self.model, config)
        self.cool_from = round(config.steps * (1 - config.cooldown))
        self.end = config.steps
        self.start = self._resume()
        self.steps = Table(folder / STEPS, self.start, every=True)
        self.validation = Table(folder / VALIDATION, self.start)
        self.cooled = self.start >= self.cool_from > 0

    def _resume(self) -> int:
        """Load the saved state: the last one, or where the run was cooled down for fewer steps
        than are wanted now, that at the end of its plateau.

        Raises:
            AgmpkError: it is damaged, or of another model, or goes beyond what is wanted.
        """
        if not (self.folder / f"{STATE}.json").exists():
            return 0
        tensors, about = load_state(self.folder, STATE)
        same_length = about.get("steps", self.end) == self.end
        if same_length:  # a run of limited minutes may have cooled down before its time
            self.cool_from, self.end = about["cool_from"], about["end"]
        elif about["step"] > about["cool_from"]:
            if not (self.folder / f"{PLATEAU}.json").exists():
                raise AgmpkError(f"{self.folder} has no state before its cool-down: start afresh.")
            tensors, about = load_state(self.folder, PLATEAU)
        if not same_length and about["step"] > self.cool_from:
            plateau = 1 - self.config.cooldown
            more = f"at least {round(about['step'] / plateau)} in all" if plateau else "a plateau"
            raise AgmpkError(
                f"{self.folder} has done {about['step']} steps at full rate: ask for {more}."
            )
        try:
            self.model.load_state_dict(_under("model.", tensors))
            for key, value in _under("average.", tensors).items():
                self.average[key].copy_(value)
            self.optimizer.load(_under("optimizer.", tensors), about["step"])
        except (RuntimeError, KeyError) as error:
            raise AgmpkError(f"{self.folder} holds a state of another model: {error}.") from None
        check_records(self.folder, about)
        return about["step"]

    def _begin(self) -> None:
        """Take over the averaged weights of a run or checkpoint where names and shapes agree.

        Raises:
            AgmpkError: there are none, or not all those of the parts that are frozen.
        """
        if not self.config.start:
            return
        folder = start_folder(self.config.start)
        if (folder / f"{STATE}.json").exists():
            found = _under("average.", load_state(folder, STATE)[0])
        else:
            found = load_checkpoint(folder).state_dict()
        own = self.model.state_dict()
        shared = {k: v for k, v in found.items() if k in own and own[k].shape == v.shape}
        if not shared:
            raise AgmpkError(f"The model in {folder} shares no weights with a {self.config.kind}.")
        self.model.load_state_dict(own | shared)
        for key, value in self.model.state_dict().items():
            self.average[key].copy_(value)
        frozen = set(self.config.frozen)
        parts = dict.fromkeys(name.split(".")[0] for name, _ in self.model.named_parameters())
        if unknown := sorted(frozen - set(parts)):
            raise AgmpkError(
                f"A {self.config.kind} has no part {', '.join(unknown)} to be frozen: it has "
                f"{', '.join(parts)}."
            )
        if frozen == set(parts):
            raise AgmpkError("All parts are frozen, which leaves nothing to train: freeze fewer.")
        for name, parameter in self.model.named_parameters():
            if name.split(".")[0] not in frozen:
                continue
            if name not in shared:
                raise AgmpkError(
                    f"The model in {folder} has no weights of the size of {name}, which is frozen: "
                    "give the model its sizes, or freeze another part."
                )
            parameter.requires_grad_(False)
            parameter.grad = None

    def keep(self, done: int, last: bool, held_out: dict[int, Task]) -> None:
        """Whatever is due after ``done`` steps: snapshot, validation, state."""
        if done == self.cool_from:
            self.save(done, PLATEAU)
        if done in self.config.snapshots:
            self.snapshot(done)
        if last or done % self.config.validate_every == 0:
            scores = {}
            for prefix, task in held_out.items():
                found = validate(self.averaged(), task, VALIDATION_SEED)
                tail = f"_prefix{prefix}" if scores else ""
                scores |= {f"{name}{tail}": value for name, value in found.items()}
            self.validation.add(done, **scores)
        if last or done % self.config.save_every == 0:
            self.save(done)

    def save(self, done: int, name: str = STATE) -> None:
        """Write the state after ``done`` steps."""
        # The tables first: a state without its rows could not be told from a whole run.
        self.steps.flush()
        self.validation.flush()
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        tensors |= {f"optimizer.{k}": v for k, v in self.optimizer.tensors().items()}
        about = {
            "step": done,
            "steps": self.config.steps,
            "cool_from": self.cool_from,
            "end": self.end,
            "records": records(self.folder, done),
        }
        save_state(self.folder, name, tensors, about)

    def step(self, parts: list[Task], weights: list[float], step: int) -> Tensor:
        """Forward, backward and update on one step's studies; loss and gradient norm [2]."""
        config, device = self.config, self.processes.device
        torch._foreach_zero_([parameter.grad for parameter in self.trained])
        total = torch.zeros((), device=device)
        half = config.precision == "bf16"
        for index, (part, weight) in enumerate(zip(parts, weights, strict=True)):
            if index % self.processes.number != self.processes.rank or not weight:
                continue
            generator = part_generator(config.seed, step, index, device.split(":")[0])
            with torch.autocast(device.split(":")[0], torch.bfloat16, enabled=half):
                loss = weight * self.model.loss(part, generator)
            loss.backward()
            total += loss.detach()
        self.processes.add_up([p.grad for p in self.trained])
        self.processes.add_up([total])
        norm = torch.nn.utils.clip_grad_norm_(self.trained, config.clip)
        for parameter in self.trained:
            # One study beyond the range of single precision must not end a run: then clipping left
            # nothing else.  Asking whether the norm is finite would wait for the GPU.
            parameter.grad.nan_to_num_(0.0, 0.0, 0.0)
        self.optimizer.step(rate_factor(config, step, self.cool_from, self.end))
        decay = min(config.ema, (step + 1) / (step + 10))
        with torch.no_grad():
            now = self.model.state_dict()
            torch._foreach_lerp_(
                list(self.average.values()), [now[k] for k in self.average], 1 - decay
            )
        return torch.stack([total, norm])

    def averaged(self) -> nn.Module:
        """A copy of the model with the averaged weights, on its device."""
        model = build_model(self.config.kind, self.config.model).to(self.processes.device)
        model.load_state_dict(self.average)
        return model.eval()

    def snapshot(self, done: int) -> None:
        """Keep the averaged weights of this moment, half precision."""
        weights = {k: v.detach().half().cpu().contiguous() for k, v in self.average.items()}
        with atomic_path(self.folder / f"snapshot-{done}.safetensors") as temporary:
            save_file(weights, temporary)


def train(
    config: TrainingConfig,
    folder: Path,
    report: Report | None = None,
    device: str = "cpu",
    workers: int = 1,
    minutes: float | None = None,
) -> nn.Module:
    """Run or resume the training in ``folder`` and return the model with its averaged weights.

    The folder holds config.yaml, prior.yaml, environment.json, the state, steps.csv (step, seconds,
    loss, gradient norm) and validation.csv.  Interrupted at any moment, the same call goes on from
    the last saved state and ends with the weights of an uninterrupted run.  ``report(step, loss)``
    is called after every step.  Studies are simulated on the CPU whatever the ``device`` of the
    network, by ``workers`` processes beside the training (0: in it).  Started by ``torchrun``,
    several processes share each step.  With ``minutes`` the run ends after that time, its cool-down
    included, and can go on from its plateau later.

    Raises:
        AgmpkError: the folder holds a run with other settings or another prior, or its files are
            damaged, or another process trains in it, or there is no such device.
    """
    train_together({Path(folder): config}, report, device, workers, minutes)
    return trained_model(folder)


def train_together(
    runs: Mapping[Path, TrainingConfig],
    report: Report | None = None,
    device: str = "cpu",
    workers: int = 1,
    minutes: float | None = None,
) -> None:
    """Train several models on one stream of studies, each in its folder; else as ``train``.

    Raises:
        AgmpkError: as ``train``; the runs do not share a stream, or stand at different steps.
    """
    if len({config.stream for config in runs.values()}) != 1:
        raise AgmpkError(
            f"These recipes do not share a stream of studies: their {', '.join(STREAM[:-1])} and "
            f"{STREAM[-1]} must agree."
        )
    first = next(iter(runs.values()))
    prior = load_prior(first.prior)
    with joined(device) as processes, ExitStack() as held:
        if processes.writes:
            for folder, config in runs.items():
                Path(folder).mkdir(parents=True, exist_ok=True)
                held.enter_context(only_one(folder, "a model is being trained"))
                prepare(config, prior, Path(folder), processes.device, processes.number)
        processes.wait()
        if first.precision == "tf32":
            torch.backends.cuda.matmul.allow_tf32 = True
        learners = [Learner(config, Path(folder), processes) for folder, config in runs.items()]
        _agree(learners)
        for learner in learners if processes.writes else []:
            settle(learner.config, learner.folder)
        _train(learners, prior, report, workers, minutes)


def _agree(learners: list[Learner]) -> None:
    """Where a run was killed between the saves of two models, one stands behind: it catches up, on
    the schedule of the one in front.

    Raises:
        AgmpkError: their schedules differ.
    """
    front = max(learners, key=lambda one: one.start)
    for one in learners:
        if one.start <= min(one.cool_from, front.cool_from):
            one.cool_from, one.end = front.cool_from, front.end
        if (one.cool_from, one.end) != (front.cool_from, front.end):
            raise AgmpkError("These runs stand at different steps: resume each by itself.")


def trained_model(folder: Path) -> nn.Module:
    """The model of a run with the averaged weights of its last saved state, on the CPU."""
    config = run_config(folder)
    model = build_model(config.kind, config.model)
    tensors, about = load_state(Path(folder), STATE)
    check_records(Path(folder), about)
    model.load_state_dict(_under("average.", tensors))
    return model.eval()


def _train(
    learners: list[Learner],
    prior: PriorConfig,
    report: Report | None,
    workers: int,
    minutes: float | None,
) -> None:
    one, processes = learners[0], learners[0].processes
    config, device = one.config, processes.device
    processes.wait()
    studies, held_out = config.validation_studies, {}
    for prefix in PREFIXES:
        task = validation_task(prior, -(-studies // BLOCK), prefix)[:studies]
        held_out[prefix] = task.to(torch.float32).to(device)
    began, waiting = time.monotonic(), _Waiting()
    start = min(learner.start for learner in learners)
    study = any(MODELS[learner.config.kind].sees_study for learner in learners)
    for step, parts in enumerate(batches(config, prior, start, workers, device, study), start):
        if step >= one.end:
            break
        weights = part_weights(parts)
        parts = [part.to(device) for part in parts]
        active = [learner for learner in learners if learner.start <= step]
        waiting.rows.append([learner.step(parts, weights, step) for learner in active])
        done, spent = step + 1, 0.0
        if minutes:
            spent = processes.first(time.monotonic() - began)
            _cool_in_time(learners, done, done - start, spent, 60 * minutes)
        if done == one.cool_from:
            for learner in learners:
                learner.cooled = True
        last = done == one.end or bool(minutes and spent >= 60 * minutes)
        if processes.writes:
            # Asking a GPU for a number waits for all it has to do; so tables are filled in groups,
            # and before a state is saved or another learner joins.
            due = device == "cpu" or last or done == one.cool_from
            due = due or any(done % n == 0 for n in (10, config.save_every, config.validate_every))
            if due or any(learner.start == done for learner in learners):
                waiting.write(active, done, report)
            for learner in active:
                learner.keep(done, last, held_out)
        if last:
            break
    processes.wait()


def _cool_in_time(
    learners: list[Learner], done: int, taken: int, spent: float, seconds: float
) -> None:
    """Begin to cool down where the last share of the ``seconds`` begins; it has room for as many
    steps as the rate so far says, ``taken`` in the ``spent`` seconds."""
    config, one = learners[0].config, learners[0]
    if one.end != config.steps or one.cooled or spent < seconds * (1 - config.cooldown):
        return
    left = (seconds - spent) * 0.97 * taken / spent
    for learner in learners:
        learner.cool_from = done
        learner.end = min(config.steps, done + max(1, int(left)))


class _Waiting:
    """Loss and gradient of steps, by learner, that no table has yet."""

    def __init__(self) -> None:
        self.rows: list[list[Tensor]] = []
        self.since = time.monotonic()

    def write(self, learners: list[Learner], done: int, report: Report | None) -> None:
        """Into the tables of the ``learners``, up to step ``done``."""
        now = time.monotonic()
        each = (now - self.since) / len(self.rows)
        for number, learner in enumerate(learners):
            values = torch.stack([row[number] for row in self.rows]).tolist()
            for step, (loss, norm) in enumerate(values, done - len(values) + 1):
                learner.steps.add(step, seconds=each, loss=loss, gradient=norm)
        if report:
            report(done, float(self.rows[-1][0][0]))
        self.rows, self.since = [], now


def part_weights(parts: list[Task]) -> list[float]:
    """Each part's share of the curves with something to predict."""
    curves = torch.stack([part.asked.any(-1).sum() for part in parts]).tolist()
    return [number / max(1, sum(curves)) for number in curves]


@torch.no_grad()
def validate(model: nn.Module, task: Task, seed: int, chunk: int = 64) -> dict[str, float]:
    """Mean over held-out simulated targets of log-RMSE, CRPS and 90 % coverage, with the naive
    forecast's log-RMSE."""
    generator = torch.Generator().manual_seed(seed)
    draws, naive, truth, points = [], [], [], []
    for rows in range(0, len(task), chunk):
        part = task[rows : rows + chunk].trimmed()
        if not model.generates:
            part = replace(part, asked=part.asked & part.prefix.any(-1, keepdim=True))
        free, frame = part.asked, part.frame
        draws.append(model.sample(part, SAMPLES, generator)[:, free])
        naive.append((frame.naive + frame.reference[:, None, None])[None, free])
        truth.append(part.target.logs[free])
        points.append(free.sum(-1)[free.any(-1)])
    x, n, y = (torch.cat(values, -1).double().cpu().numpy() for values in (draws, naive, truth))
    counts = torch.cat(points).cpu().numpy()
    owner = np.repeat(np.arange(len(counts)), counts)

    found = mean_scores(x, y, owner)
    error = mean_scores(n, y, owner)["log_rmse"]
    return {"log_rmse": found.pop("log_rmse"), "log_rmse_naive": error, **found}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
