"""A study, and how its table was read, in a few lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from agmpk.studies.nonmem.columns import KNOWN, REQUIRED
from agmpk.studies.study import Dose, Individual, Study

if TYPE_CHECKING:
    from agmpk.studies.nonmem.read import Reading

_ORDER = ("ID", "TIME", "DV", "AMT", *(name for name in KNOWN if name not in REQUIRED))
MOST_NAMES = 12
MOST_SCHEDULES = 4
WORDS = {"oral": "oral", "iv_bolus": "intravenous bolus", "iv_infusion": "intravenous infusion"}


def describe(study: Study) -> str:
    """Return what a study holds: individuals, samples, limits, doses, units."""
    units = study.units
    lines = [f"{study.compound}: {_people(study)}"]
    lines.append(f"  samples   {_samples(study)}")
    schedules = Counter(_schedule(one) for one in study)
    amounts = {key: [] for key in schedules}
    for one in study:
        amounts[_schedule(one)] += [dose.amount for dose in one.doses]
    for key, count in schedules.most_common(MOST_SCHEDULES):
        who = "everybody" if count == len(study) else f"{count} individual(s)"
        lines.append(f"  doses     {who}: {key.format(_range(amounts[key]), units.dose)}")
    if len(schedules) > MOST_SCHEDULES:
        rest = len(study) - sum(count for _, count in schedules.most_common(MOST_SCHEDULES))
        more = len(schedules) - MOST_SCHEDULES
        lines.append(f"  doses     {rest} individual(s): {more} further schedules")
    lines.append(f"  units     time h, concentration {units.concentration}, dose {units.dose}")
    return "\n".join(lines)


def describe_reading(reading: Reading) -> str:
    """Return what a table holds and how it was read; see :meth:`Reading.describe`."""
    lines = [reading.path]
    absent = [kind for kind in ("concentration", "dose", "time") if kind not in reading.given]
    assumed = f" (assumed: {', '.join(absent)}; --units)" if absent else ""
    for key, study in reading.studies.items():
        head, *rest = describe(study).splitlines()
        lines += [head if key == study.compound else f"{key}: {head}", *rest]
        lines[-1] += assumed
    named = [
        name if name == actual.upper() else f"{name} from {actual}"
        for name, actual in sorted(reading.used.items(), key=lambda item: _ORDER.index(item[0]))
    ]
    lines.append(f"  columns   {', '.join(named)}")
    lines.append(f"  not used  {_some(reading.unused) or 'none'}")
    lines += [f"  note      {note}" for note in reading.notes]
    skipped = list(reading.skipped.items())
    lines += [f"  skipped   {id}: {reason}" for id, reason in skipped[:MOST_NAMES]]
    if len(skipped) > MOST_NAMES:
        names = _some([id for id, _ in skipped[MOST_NAMES:]])
        lines.append(f"  skipped   also {names}")
    return "\n".join(lines)


def _people(study: Study) -> str:
    text = f"{len(study)} individual(s)"
    people = len(study.people)
    return text if people == len(study) else f"{text}, occasions of {people} person(s)"


def _samples(study: Study) -> str:
    counts = [len(one) for one in study]
    total, times = sum(counts), [one.times for one in study if len(one)]
    if not total:
        return "none"
    every = np.concatenate(times)
    values = np.concatenate([one.concentrations for one in study])
    below = np.concatenate([one.censored for one in study])
    text = f"{total}, {_range(counts)} each, at {_range(every)} h"
    if below.any():
        limits = _range(values[below])
        text += f"; {int(below.sum())} below the limit of {limits}"
    elif study.lloq is not None:
        text += f"; none below the limit of {study.lloq:g}"
    if zeros := int((values == 0).sum()):
        text += f"; {zeros} zero(s)"
    return text


def _schedule(one: Individual) -> str:
    """Words for the doses of an individual, with places for amounts and their unit."""
    singles = sum(dose.additional + 1 for dose in one.doses)
    routes = list(dict.fromkeys(dose.route for dose in one.doses))
    words = " and ".join(WORDS[route] for route in routes)
    lasting = sorted({dose.duration for dose in one.doses if dose.duration})
    length = f" over {_range(lasting)} h" if lasting else ""
    if singles == 1:
        start = one.doses[0].time
        return f"one {words} dose of {{}} {{}}{length}" + (f" at {start:g} h" if start else "")
    gaps = _gaps(one.doses)
    every = f" every {gaps:g} h" if gaps else ""
    return f"{singles} {words} doses of {{}} {{}}{length}{every}"


def _gaps(doses: tuple[Dose, ...]) -> float | None:
    """The time between any two doses, if it is always the same."""
    gaps, last = set(), None
    for dose in doses:
        if last is not None:
            gaps.add(round(dose.time - last, 3))
        if dose.additional:
            gaps.add(round(dose.interval, 3))
        last = dose.time + dose.additional * dose.interval
    return gaps.pop() if len(gaps) == 1 else None


def _range(values: Iterable[float]) -> str:
    found = list(values)
    low, high = min(found), max(found)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _some(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - MOST_NAMES} more" if len(found) > MOST_NAMES else ""
    return ", ".join(found[:MOST_NAMES]) + more
