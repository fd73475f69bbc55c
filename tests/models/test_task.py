"""Tasks from simulated and from real studies: who is a target, what is shown, which clock."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from agmpk.models.features import first
from agmpk.models.task import Record, Task, concatenate, task_from_study, tasks_from_simulation
from agmpk.prior.config import load_prior
from agmpk.prior.simulate import simulate_block
from agmpk.studies import Dose, Individual, Study


@pytest.fixture(scope="module")
def studies():
    return simulate_block(load_prior("clinic"), 5, 0)


def tasks(studies, seed: int = 0, targets: int = 3, max_prefix: int = 8) -> Task:
    return tasks_from_simulation(studies, targets, max_prefix, torch.Generator().manual_seed(seed))


def people(studies, keep: torch.Tensor):
    """The same studies of fewer individuals."""
    parts = {f.name: getattr(studies, f.name) for f in fields(studies)}
    parts["present"] = studies.present & keep
    for name in ("quantified", "below"):
        parts[name] = parts[name] & keep[:, None]
    return type(studies)(**parts)


def test_everybody_is_target_or_context(studies):
    task = tasks(studies)
    values = task.target.mask.sum((1, 2)) + task.context.mask.sum((1, 2))
    samples = studies.quantified | studies.below
    assert torch.all(values <= samples.sum((1, 2)))
    assert torch.all(values >= studies.quantified.sum((1, 2)) - 1)
    assert torch.equal(task.target.mask, task.prefix | task.asked)
    assert not (task.prefix & task.asked).any()


def test_small_studies_keep_a_context(studies):
    for size in (1, 2, 3, 5, 9):
        few = torch.arange(studies.present.shape[1]) < size
        task = tasks(people(studies, few))
        full = studies.present.sum(-1) >= size
        targets = task.target.dosed.any(-1).sum(-1)[full]
        context = task.context.dosed.any(-1).sum(-1)[full]
        most = min(3, max(1, size // 2))
        assert int(targets.max()) == most and int(context.max()) == size - most


def test_a_target_without_context_shows_a_point(studies):
    first = torch.arange(studies.present.shape[1]) < 1
    task = tasks(people(studies, first))
    asked = task.asked.any(-1)
    assert asked.any() and bool(task.prefix.any(-1)[asked].all())
    assert not bool(task.context.mask.any())


def test_prefixes_are_short_enough_and_one_in_five_is_empty(studies):
    lengths = []
    for seed in range(20):
        task = tasks(studies, seed)
        count, prefix = task.target.mask.sum(-1), task.prefix.sum(-1)
        assert torch.all(prefix[count > 0] < count[count > 0]) and int(prefix.max()) <= 8
        lengths.append(prefix[count > 8])
    lengths = torch.cat(lengths)
    assert len(lengths) > 500
    assert abs(float((lengths == 0).double().mean()) - 0.2) < 0.04
    assert abs(float((lengths == 5).double().mean()) - 0.1) < 0.04


def test_values_doses_and_limits_are_those_of_the_study(studies):
    """Looked up by time in the simulated record: every sample and every dose is that of its
    individual, and a sample below the limit stands at the limit where it is shown."""
    task = tasks(studies)
    checked = 0
    for b in range(len(task)):
        lloq = float(studies.lloq[b])
        for r in range(task.target.mask.shape[1]):
            at = task.target.mask[b, r]
            if not at.any():
                continue
            D = int(task.target.dosed[b, r].sum())
            assert D == int(studies.dosed[b, r].sum())
            for name in ("dose_time", "dose_amount", "dose_duration", "dose_oral"):
                found = getattr(task.target, name)[b, r, :D]
                assert torch.equal(found, getattr(studies, name)[b, r, :D]), name
            sampled = studies.quantified[b, r] | studies.below[b, r]
            index = {float(t): k for k, t in enumerate(studies.times[b, r]) if sampled[k]}
            for t in torch.where(at)[0]:
                k = index[float(task.target.times[b, r, t])]
                value = float(studies.concentration[b, r, k])
                below, shown = bool(studies.below[b, r, k]), bool(task.prefix[b, r, t])
                assert bool(task.target.below[b, r, t]) == below
                logs = float(task.target.logs[b, r, t])
                if below and shown:
                    assert np.isclose(logs, np.log(lloq))
                elif not below:
                    assert np.isclose(logs, np.log(value))
                else:
                    assert logs <= np.log(lloq) + 1e-12
                checked += 1
    assert checked > 500
    stated = ~task.limit.isnan()
    assert torch.allclose(task.limit[stated], studies.lloq[stated].log())
    silent = (studies.lloq > 0) & ~stated
    assert 0.2 < float(silent.sum() / (studies.lloq > 0).sum()) < 0.8
    # What a silent record lacks nobody sees; a stated limit marks what is below it.
    assert not task.context.below[~stated].any() and not task.target.below[~stated].any()
    assert task.context.below.any()


def test_trimming_and_joining_lose_nothing(studies):
    task = tasks(studies)
    parts = [task[:7].trimmed(), task[7:30].trimmed(), task[30:].trimmed()]
    joined = concatenate(parts)
    for name in ("target", "context"):
        one, two = getattr(task, name), getattr(joined, name)
        for f in fields(Record):
            a, b = getattr(one, f.name), getattr(two, f.name)
            mask = one.dosed if f.name.startswith("dose") else one.mask
            other = two.dosed if f.name.startswith("dose") else two.mask
            assert torch.equal(a[mask], b[other]), f.name
    assert torch.equal(joined.limit.isnan(), task.limit.isnan())
    assert int(joined.asked.sum()) == int(task.asked.sum())


def test_precision_moves_values_and_not_marks(studies):
    small = tasks(studies).to(torch.float32)
    assert small.target.logs.dtype == small.limit.dtype == torch.float32
    assert small.target.below.dtype == small.prefix.dtype == torch.bool


def person(name: str, *doses: Dose, below: tuple[int, ...] = ()) -> Individual:
    times = np.array([1.0, 5.0, 7.0, 13.0, 20.0])
    values = np.exp(-0.1 * times)
    marks = np.isin(np.arange(5), below)
    return Individual(name, times, np.where(marks, 0.2, values), doses, marks)


THRICE = Dose(0.0, 2.0, "oral", additional=2, interval=6.0)
ONE_BY_ONE = tuple(Dose(6.0 * k, 2.0, "oral") for k in range(3))


def test_a_schedule_is_the_same_however_it_is_written():
    found = []
    for doses in ((THRICE,), ONE_BY_ONE):
        context = Study("toy", (person("1", *doses),))
        found.append(task_from_study(context, person("2", *doses).prefix(1), np.array([9.0])))
    for f in fields(Record):
        for record in ("context", "target"):
            one, two = (getattr(getattr(t, record), f.name) for t in found)
            assert torch.equal(one, two), f.name
    assert found[0].target.dose_time.flatten().tolist() == [0.0, 6.0, 12.0]


def test_everybody_has_doses_of_its_own():
    context = Study("toy", (
        person("1", Dose(0.0, 2.0), Dose(8.0, 5.0, "iv_infusion", 1.5)),
        person("2", Dose(0.0, 3.0, "iv_bolus")),
    ))  # fmt: skip
    target = person("3", *ONE_BY_ONE)
    task = task_from_study(context, target.prefix(2), np.array([9.0, 30.0]))
    assert task.context.dosed.tolist() == [[[True, True], [True, False]]]
    assert task.context.dose_amount.tolist() == [[[2.0, 5.0], [3.0, 0.0]]]
    assert task.context.dose_duration.tolist() == [[[0.0, 1.5], [0.0, 0.0]]]
    assert task.context.dose_oral.tolist() == [[[True, False], [False, False]]]
    assert task.target.times.flatten().tolist() == [1.0, 5.0, 9.0, 30.0]
    assert task.prefix.flatten().tolist() == [True, True, False, False]
    assert task.asked.flatten().tolist() == [False, False, True, True]


def test_time_is_counted_from_the_first_dose_of_each():
    """A later start on the study's clock changes nothing that the networks see."""

    def later(one: Individual, hours: float) -> Individual:
        doses = tuple(replace(d, time=d.time + hours) for d in one.doses)
        return Individual(one.id, one.times + hours, one.concentrations, doses, one.censored)

    one, target = person("1", THRICE), person("2", *ONE_BY_ONE)
    here = task_from_study(Study("toy", (one,)), target.prefix(2), np.array([9.0]))
    there = task_from_study(
        Study("toy", (later(one, 4.0),)), later(target, 2.5).prefix(2), np.array([11.5])
    )
    for f in fields(Record):
        for record in ("context", "target"):
            a, b = (getattr(getattr(t, record), f.name) for t in (here, there))
            assert torch.allclose(a.double(), b.double()), f.name


def test_a_sample_at_the_time_of_a_dose_is_its_trough():
    """What is answered at 12 h is the same whether or not a dose follows at that very time."""
    context = Study("toy", (person("1", THRICE), person("2", THRICE)))
    six = Dose(0.0, 2.0, "oral", additional=1, interval=6.0)
    fitted = []
    for doses in ((six,), (six, Dose(12.0, 2.0))):
        target = person("3", *doses)
        task = task_from_study(context, target.prefix(1), np.array([12.0, 12.5]))
        fitted.append(task.frame.fitted[0, 0, 1:])
    assert torch.allclose(fitted[0][0], fitted[1][0]) and fitted[1][1] > fitted[0][1] + 0.01


def test_limits_are_read_from_the_record():
    doses = (Dose(0.0, 2.0),)
    one, two = person("1", *doses, below=(4,)), person("2", *doses).prefix(4)
    task = task_from_study(Study("toy", (one, two)), two.prefix(1), np.array([9.0]))
    assert np.isclose(float(task.limit), np.log(0.2))
    assert task.context.below.sum() == 1 and task.context.below[0, 0, 4]
    assert np.isclose(float(task.context.logs[0, 0, 4]), np.log(0.2))
    # Where somebody showed less than that, the study's limit is no higher.
    lower = person("3", *doses)
    task = task_from_study(Study("toy", (one, lower)), two.prefix(1), np.array([9.0]))
    assert np.isclose(float(task.limit), np.log(lower.concentrations[-1]))
    none = task_from_study(Study("toy", (two,)), two.prefix(1), np.array([9.0]))
    assert bool(none.limit.isnan())
    stated = task_from_study(Study("toy", (two,), lloq=0.05), two.prefix(1), np.array([9.0]))
    assert np.isclose(float(stated.limit), np.log(0.05))


def test_values_that_are_neither_positive_nor_censored_are_left_out():
    zero = Individual("1", np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0, 2.0]), (Dose(0.0, 2.0),))
    empty = Individual("2", np.array([0.0]), np.array([0.0]), (Dose(0.0, 2.0),))
    task = task_from_study(Study("toy", (zero, empty)), zero.prefix(0), np.array([9.0]))
    assert task.context.times.tolist() == [[[1.0, 2.0]]]


def test_a_limit_far_above_all_that_was_seen_says_nothing():
    """The task is that of the study without such samples; a limit that says something stays."""
    dose = (Dose(0.0, 100.0),)
    times, values = [1.0, 2.0, 4.0, 8.0], np.array([5.0, 4.0, 3.0, 2.0])

    def person(name: str, limit: float | None) -> Individual:
        below = np.array([False, limit is not None, False, False])
        return Individual(name, times, np.where(below, limit or 0.0, values), dose, below)

    for limit, idle in ((100.0, True), (6.0, False)):
        context = Study("x", (person("1", limit), person("2", None)))
        target = person("3", limit)
        task = task_from_study(context, target, np.array([10.0, 12.0]))
        assert task.context.below.any() != idle and bool(task.limit.isnan()) == idle
        assert int(task.prefix.sum()) == 4 - idle
        if idle:
            seen = [one.select(~one.censored) for one in (*context, target)]
            without = task_from_study(Study("x", tuple(seen[:2])), seen[2], np.array([10.0, 12.0]))
            for name, value in vars(without.target).items():
                assert torch.equal(getattr(task.target, name), value)
            for name, value in vars(without.context).items():
                assert torch.equal(getattr(task.context, name), value)
            assert torch.equal(task.prefix, without.prefix)


def test_places_are_put_back_in_the_precision_of_what_was_computed():
    """As on a GPU under autocast: a norm answers in single precision to half-precision tokens."""
    mask = torch.tensor([[True, False, True], [False, True, False]])
    x = torch.arange(6.0).view(2, 3, 1).bfloat16()
    places = first(mask)
    y = places.put(places.take(x).float() + 10, torch.zeros_like(x))
    assert y.dtype == torch.float32
    assert torch.equal(y[..., 0][mask], x[..., 0].float()[mask] + 10)
