"""One training or forecasting task as tensors: some individuals of a study as targets, the rest as
their context.

An individual is a record: its samples (a value, or "below a limit") and its own list of doses.
Simulated and real studies become the same tensors here, and nothing else of a study is ever seen.

Shapes: B studies, J context individuals, R targets per study, N individuals (J or R), T samples,
D doses; padded behind, real ones in front and in order of time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

if TYPE_CHECKING:
    from agmpk.models.features import Features, Packing
    from agmpk.models.frame import Frame
    from agmpk.studies import Individual, Study

T = TypeVar("T")
DOSES = ("dose_time", "dose_amount", "dose_duration", "dose_oral", "dosed")
FAR_BELOW = 0.2  # of the limit: lower values below it are not told apart in training
NO_PREFIX = 0.2  # share of simulated targets of which nothing is seen
IDLE = 1.0  # how far in ln a limit must lie above the study's highest mean value to say nothing
SILENT = 0.5  # share of simulated studies with a limit whose record only lacks what is below it


class Tensors:
    """Something whose parts (fields, or attributes where it is no dataclass) are tensors, tuples,
    other ``Tensors``, or anything else, which stays as it is."""

    def each(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same with every tensor changed."""
        names = [f.name for f in fields(self)] if is_dataclass(self) else list(vars(self))
        changed = object.__new__(type(self))  # others than dataclasses compute their parts
        vars(changed).update({name: _each(getattr(self, name), change) for name in names})
        return changed

    def __getitem__(self, rows: Any) -> Self:
        return self.each(lambda values: values[rows])

    def to(self, *args: Any) -> Self:
        """The same on another device, or in another precision (marks and numbers of places stay
        what they are)."""
        kinds = [a for a in args if isinstance(a, torch.dtype)]
        others = [a for a in args if not isinstance(a, torch.dtype)]

        def move(values: Tensor) -> Tensor:
            if kinds and values.is_floating_point():
                values = values.to(kinds[0])
            return values.to(*others, non_blocking=True) if others else values

        return self.each(move)


@dataclass(frozen=True)
class Record(Tensors):
    """Individuals of B studies.

    times [B, N, T] h since the individual's first dose; logs [B, N, T] ln concentration, or where
    ``below`` ln of the limit it is below of; mask [B, N, T] a real sample, value or below;
    dose_time [B, N, D] h since the first dose; dose_amount [B, N, D]; dose_duration [B, N, D] h, 0
    unless infused; dose_oral [B, N, D]; dosed [B, N, D] a real dose.  The unit of the amounts and
    that of the concentrations are the study's, any.
    """

    times: Tensor
    logs: Tensor
    mask: Tensor
    below: Tensor
    dose_time: Tensor
    dose_amount: Tensor
    dose_duration: Tensor
    dose_oral: Tensor
    dosed: Tensor

    @property
    def quantified(self) -> Tensor:
        """Which samples [B, N, T] have a value."""
        return self.mask & ~self.below

    def trimmed(self) -> Record:
        """The same without samples, doses and individuals that are padding everywhere.

        Individuals keep their places.
        """
        N, T, D = (_last(self.mask, 1), _last(self.mask, 2), _last(self.dosed, 2))
        N = max(N, _last(self.dosed, 1))
        sizes = {f.name: D if f.name in DOSES else T for f in fields(self)}
        return Record(**{name: getattr(self, name)[:, :N, :size] for name, size in sizes.items()})


@dataclass(frozen=True)
class Task(Tensors):
    """What the models see.

    context [B, J, ...] and target [B, R, ...]; prefix [B, R, T] the target's samples that are
    shown; asked [B, R, T] those to be forecast, whose ``target.logs`` only the loss reads; limit
    [B] ln of the study's limit of quantification where its record states one, else NaN.
    """

    context: Record
    target: Record
    prefix: Tensor
    asked: Tensor
    limit: Tensor

    @cached_property
    def frame(self) -> Frame:
        """The frame of reference of the task (see ``agmpk.models.frame``), computed once."""
        from agmpk.models.frame import Frame

        return self._told(Frame)

    @cached_property
    def features(self) -> Features:
        """What the networks are told of the task (see ``agmpk.models.features``), computed once."""
        from agmpk.models.features import Features

        return self._told(Features)

    def _told(self, kind: Callable[[Task], Any]) -> Any:
        """Something made of the task in its own precision, through which no gradient passes."""
        with torch.no_grad(), torch.autocast(self.limit.device.type, enabled=False):
            return kind(self)

    @cached_property
    def packing(self) -> Packing | None:
        """Where the real samples, doses and asked points are, if this task is packed."""
        return None

    def packed(self) -> Task:
        """This task, whose padding the networks leave out (see ``agmpk.models.features``)."""
        from agmpk.models.features import Packing

        return self.knowing(packing=Packing(self))

    @cached_property
    def longest_prefix(self) -> int:
        """The largest number of samples shown of any target, at least 1."""
        return max(1, int(self.prefix.sum(-1).max()))

    @cached_property
    def any_mixed(self) -> bool:
        """Whether some study has both oral and intravenous doses."""
        return bool(self.mixed_routes.any())

    @property
    def mixed_routes(self) -> Tensor:
        """Which studies [B] have both oral and intravenous doses."""
        oral = vein = torch.zeros_like(self.limit, dtype=torch.bool)
        for record in (self.context, self.target):
            oral = oral | (record.dosed & record.dose_oral).flatten(1).any(1)
            vein = vein | (record.dosed & ~record.dose_oral).flatten(1).any(1)
        return oral & vein

    def knowing(self, **values: Any) -> Task:
        """This task, which need not compute its cached properties named here."""
        vars(self).update(values)
        return self

    def __len__(self) -> int:
        return len(self.limit)

    def to(self, *args: Any) -> Task:
        """The task on another device, or in another precision."""
        # Looked up before the move: asking a GPU for a number waits for all it has to do.
        looked_up = {"longest_prefix": self.longest_prefix, "any_mixed": self.any_mixed}
        moved = super().to(*args).knowing(**looked_up)
        if any(isinstance(a, torch.dtype) for a in args):
            return moved
        # What was computed before, as by the processes that simulate, goes along.
        computed = {name: vars(self).get(name) for name in ("frame", "features", "packing")}
        return moved.knowing(**{name: known.to(*args) for name, known in computed.items() if known})

    def trimmed(self) -> Task:
        """The same task without padding that nobody needs."""
        target = self.target.trimmed()
        R, T = target.mask.shape[1:]
        return Task(
            self.context.trimmed(),
            target,
            self.prefix[:, :R, :T],
            self.asked[:, :R, :T],
            self.limit,
        )


def concatenate(parts: Sequence[T]) -> T:
    """One of several, below each other; smaller ones get zeros behind in every other axis."""
    first = parts[0]
    if not isinstance(first, Tensor):
        names = [f.name for f in fields(first)]
        joined = {name: concatenate([getattr(part, name) for part in parts]) for name in names}
        return type(first)(**joined)
    shape = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    padded = [part.new_zeros((len(part), *shape)) for part in parts]
    for whole, part in zip(padded, parts, strict=True):
        whole[tuple(slice(size) for size in part.shape)] = part
    return torch.cat(padded)


def tasks_from_simulation(
    studies: Any, targets: int, max_prefix: int, generator: torch.Generator
) -> Task:
    """Turn simulated studies into tasks: some individuals are targets, the others the context.

    The first ``targets`` individuals of a study (their order is random by construction) are the
    targets, at most half of a small study, but always one.  Each shows a prefix: nothing in one
    case of five, else 1 to ``max_prefix`` samples, and always short enough to leave one to predict.
    A target without any context shows at least one sample: without, nothing tells its level.

    In a ``SILENT`` share of the studies that have a limit of quantification, values below it are
    simply missing, as in most published tables; in the others they are marked, and a target's
    unseen value below the limit counts in the loss as what it would have been.

    Args:
        studies: a ``SimulatedStudies`` batch of the prior.
    """
    silent = torch.rand(len(studies.lloq), generator=generator, dtype=torch.float64) < SILENT
    marked = (studies.lloq > 0) & ~silent
    limit = torch.where(marked, studies.lloq.log(), torch.nan)
    times, logs, mask, below = _recorded(studies, marked)
    reported = torch.where(below, limit[:, None, None], logs)

    number = (studies.present.sum(-1, keepdim=True) // 2).clamp(1, targets)
    is_target = (torch.arange(mask.shape[1]) < number)[..., None]
    of_context, of_targets = mask & ~is_target, (mask & is_target)[:, :targets]
    lonely = ~of_context.any((1, 2))[:, None]
    count = of_targets.sum(-1)
    draw = torch.rand(count.shape, generator=generator, dtype=torch.float64)
    length = 1 + torch.floor((draw - NO_PREFIX) / (1 - NO_PREFIX) * max_prefix).long()
    length = torch.where((draw < NO_PREFIX) & ~lonely, 0, length.clamp(min=1))
    length = torch.minimum(length, (count - 1).clamp(min=0))
    # One sample of a lonely target can neither be shown nor be asked.
    of_targets = of_targets & ~(lonely & (length == 0))[..., None]
    prefix = of_targets & (torch.arange(mask.shape[-1]) < length[..., None])

    def record(keep: Tensor, logs: Tensor, people: slice) -> Record:
        doses = {name: getattr(studies, name)[:, people] for name in DOSES}
        there = (keep.any(-1) & studies.present[:, people])[..., None]
        doses["dosed"] = doses["dosed"] & there
        logs = torch.where(keep, logs, 0.0)
        return Record(times[:, people], logs, keep, below[:, people] & keep, **doses)

    first, others = slice(targets), slice(min(int(number.min()), mask.shape[1] - 1), None)
    target = record(of_targets, torch.where(prefix, reported[:, first], logs[:, first]), first)
    context = record(of_context[:, others], reported[:, others], others)
    return Task(context, target, prefix, of_targets & ~prefix, limit).trimmed()


def _recorded(studies: Any, marked: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Samples that records hold, where ``marked`` [S] those below the limit, too: times, ln of what
    an assay without a limit would report, which are real (in front), which below; [S, I, T]."""
    below = studies.below & marked[:, None, None]
    mask, order = (studies.quantified | below).int().sort(dim=-1, descending=True, stable=True)
    mask = mask.bool()
    parts = studies.times, studies.concentration, studies.true, below
    times, value, true, below = (values.gather(-1, order) for values in parts)
    value = torch.where(value > 0, value, true)  # a negative reading has no logarithm
    value = torch.maximum(value, (FAR_BELOW * studies.lloq)[:, None, None]).clamp(min=1e-30)
    return torch.where(mask, times, 0.0), torch.where(mask, value.log(), 0.0), mask, below


def task_from_study(context: Study, prefix: Individual, times: NDArray[np.float64]) -> Task:
    """One task (B = R = 1), float64, times counted from each individual's first dose.

    Samples below a limit that is far above all that was seen are left out: they say nothing.

    Args:
        context: the study's other individuals; values that are neither positive nor censored are
            left out.
        prefix: doses, past and planned, and the shown samples of the target.
        times: float64[T] [h on the target's clock], to be forecast.
    """
    others = [one for one in context if len(_samples(one)[0])]
    people = (*others, prefix)
    values = np.concatenate([one.concentrations for one in people])
    below = np.concatenate([one.censored for one in people])
    limits = [*values[below], *([context.lloq] if context.lloq else [])]
    # What one sample fell below may be above what another one showed; the study's limit is not.
    lowest = values[(values > 0) & ~below].min(initial=np.inf)
    limit = np.log(min(np.median(limits), lowest)) if limits else np.nan
    task = _task(others, prefix, times, limit)
    if not below.any():
        return task
    # No study of the prior has idle limits, so a network may take them for anything.  The page to
    # try leaves them out by the same rule: ``withoutIdleLimits`` in book/try/task.js.
    highest = float(torch.exp(task.frame.highest + IDLE))
    idle = [one.censored & (one.concentrations > highest) for one in people]
    if not any(marks.any() for marks in idle):
        return task
    *others, prefix = (one.select(~marks) for one, marks in zip(people, idle, strict=True))
    left = any(one.censored.any() for one in (*others, prefix))
    return _task(others, prefix, times, limit if left else np.nan)


def _task(
    others: Sequence[Individual], prefix: Individual, times: NDArray[np.float64], limit: float
) -> Task:
    seen, logs, below = _samples(prefix)
    query = np.asarray(times, dtype=float) - prefix.doses[0].time
    shown = np.arange(len(seen) + len(query)) < len(seen)
    target = (
        np.append(seen, query),
        np.append(logs, 0 * query),
        np.append(below, np.zeros(len(query), bool)),
    )
    return Task(
        context=_record(others, [_samples(one) for one in others]),
        target=_record([prefix], [target]),
        prefix=torch.from_numpy(shown)[None, None],
        asked=torch.from_numpy(~shown)[None, None],
        limit=torch.tensor([limit], dtype=torch.float64),
    )


def _samples(one: Individual) -> tuple[NDArray, NDArray, NDArray]:
    usable = one.concentrations > 0
    times = one.times[usable] - one.doses[0].time
    return times, np.log(one.concentrations[usable]), one.censored[usable]


def _record(people: Sequence[Individual], samples: list[tuple[NDArray, ...]]) -> Record:
    def padded(rows: Iterable[Any], dtype: type = float) -> Tensor:
        # With a row [0], so that there is room for one individual, one sample and one dose.
        rows = [torch.from_numpy(np.asarray(row, dtype)) for row in (*rows, [0])]
        return pad_sequence(rows, batch_first=True)[None, : max(1, len(people))]

    times, logs, below = zip(*samples, strict=True) if samples else ((), (), ())
    doses = [one.single_doses() for one in people]
    return Record(
        times=padded(times),
        logs=padded(logs),
        mask=padded((np.ones(len(row)) for row in times), bool),
        below=padded(below, bool),
        dose_time=padded([dose.time - given[0].time for dose in given] for given in doses),
        dose_amount=padded([dose.amount for dose in given] for given in doses),
        dose_duration=padded([dose.duration for dose in given] for given in doses),
        dose_oral=padded(([dose.route == "oral" for dose in given] for given in doses), bool),
        dosed=padded((np.ones(len(given)) for given in doses), bool),
    )


def _each(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_each(part, change) for part in value)
    return value.each(change) if isinstance(value, Tensors) else value


def _last(mask: Tensor, axis: int) -> int:
    """One more than the last place along ``axis`` where anything is marked, at least 1."""
    other = [a for a in range(mask.ndim) if a != axis]
    places = mask.any(other[0], keepdim=True).any(other[1], keepdim=True).flatten().nonzero()
    return int(places.max()) + 1 if len(places) else 1
