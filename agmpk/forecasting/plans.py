"""What if: an individual's future under other plans of doses.

Of a target with some samples shown, the future after the last of them is drawn under its past
doses plus those of each plan.  Every interval between two planned doses (the last one ends at the
next dose that would come) is summarized by

    TROUGH  the concentration at its end, before the next dose is given
    CMAX    the highest concentration
    AUC     the area under the concentration, by trapezoids
    HOURS   time inside a window of concentrations

and by how often the trough, and how often all of the interval, lie in the window.  The assay's
error, which would be another at every point of a fine grid, is averaged out along each drawn curve;
what is left is the law of the concentration itself.

This is research and no basis for dosing.  Shapes: S samples, T times.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from tqdm import tqdm

from agmpk.errors import AgmpkError, TableError
from agmpk.forecasting.forecaster import Forecast, Forecaster
from agmpk.studies.nonmem.layout import HEADER_REMEDY, refuse
from agmpk.studies.nonmem.read import Builder, Options
from agmpk.studies.nonmem.records import TableReader
from agmpk.studies.nonmem.rules import judge
from agmpk.studies.study import Array, Dose, Individual, Study
from agmpk.studies.units import Units

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTICE = "This is research: what is drawn here is no basis for dosing anybody."
POINTS, FEWEST_POINTS, MOST_POINTS = 24, 8, 240  # of an interval, at least; of a plan
SMOOTH = 2.5  # points over which a drawn curve's departures are smoothed
USUAL = 24.0  # h, length of an interval that nothing tells
LEVELS = (0.5, 0.05, 0.95)
FURTHER = "and where they apply ROUTE (or CMT), DUR or RATE, ADDL and II"


@dataclass(frozen=True)
class WhatIf:
    """The future under each plan.

    Attributes:
        target: the individual with the samples that were shown and its past doses (the plan's
            first, where nothing is past).
        forecasts: by plan, the drawn future on a fine grid after the last shown sample; as drawn,
            assay error included.
        doses: by plan, past and planned doses, one by one.
        table: one row a plan and interval: PLAN, START, END [h], then of each measure its median
            and its 5 and 95 % quantiles (TROUGH, TROUGH_Q05, TROUGH_Q95, CMAX ...; concentrations
            in the study's unit, AUC in that times h, HOURS in h), P_TROUGH and P_ALL, the
            probabilities that the trough and that all of the interval lie in the window.  Without
            a window there are no HOURS, P_TROUGH and P_ALL.
        window: (low, high) in the study's unit, or None.
        units: of the study.
    """

    target: Individual
    forecasts: dict[str, Forecast]
    doses: dict[str, tuple[Dose, ...]]
    table: pd.DataFrame
    window: tuple[float, float] | None
    units: Units

    def figure(self) -> Figure:
        """One panel a plan: median, 90 % band, the window, shown samples and doses."""
        from matplotlib.figure import Figure

        n = len(self.forecasts)
        figure = Figure(figsize=(1.0 + 3.4 * n, 3.6), layout="constrained")
        panels = figure.subplots(1, n, sharey=True, squeeze=False)[0]
        for panel, (name, forecast) in zip(panels, self.forecasts.items(), strict=True):
            low, middle, high = forecast.quantiles([0.05, 0.5, 0.95])
            if self.window:
                panel.axhspan(*self.window, color="0.88", lw=0, label="window")
            panel.fill_between(forecast.times, low, high, color="C0", alpha=0.3, lw=0, label="90 %")
            panel.plot(forecast.times, middle, color="C0", lw=1.5, label="median")
            for mark, below in (("o", False), ("v", True)):
                chosen = self.target.select(self.target.censored == below)
                label = "below the limit" if below else "shown"
                if len(chosen):
                    panel.plot(chosen.times, chosen.concentrations, f"k{mark}", ms=4, label=label)
            given = [dose.time for dose in self.doses[name]]
            first = min([*self.target.times, *self.table.loc[self.table.PLAN == name, "START"]])
            panel.plot([t for t in given if t >= first], [0] * sum(t >= first for t in given), "k|",
                       ms=9, clip_on=False, label="dose")  # fmt: skip
            panel.set(title=name, xlabel="time (h)")
        panels[0].set_ylim(bottom=0)  # at the end: it stops the axes from growing
        panels[0].set_ylabel(f"concentration ({self.units.concentration})")
        panels[-1].legend(frameon=False, fontsize="small")
        figure.supxlabel(NOTICE, fontsize="x-small", color="0.4")
        return figure


def whatif(
    forecaster: Forecaster,
    study: Study,
    target_id: str | None,
    observed: int,
    plans: Mapping[str, Dose | Sequence[Dose]],
    window: tuple[float, float] | None = None,
    samples: int = 400,
    seed: int = 0,
    until: float | None = None,
) -> WhatIf:
    """Draw the future of one individual under each plan.

    Args:
        forecaster: any model.
        study: the study of the individual; the others in it are the context.
        target_id: its ID; None asks about somebody new, with nothing observed.
        observed: how many first positive samples after the first dose are shown, and whatever was
            below its limit until then.  Doses until the last of them are past, and stay; later
            ones of the study give way to the plan's.  A planned dose at the very time of that
            sample comes after it, and takes the place of the study's.  With 0 nothing is past, and
            a plan's doses are all there are.
        plans: by name, the future doses.
        window: (low, high) of concentrations [the study's unit].
        samples: number of drawn curves S.
        seed: same seed, same numbers; all plans share the random numbers.
        until: end of the last interval of each plan [h]; by default one more interval after the
            last dose (``interval``, else as between the last two doses, else 24 h).

    Raises:
        AgmpkError: no such individual or window, a plan without a dose, or with one before the
            last shown sample, or the model cannot answer for it.
    """
    if window is not None:
        window = low, high = tuple(float(bound) for bound in window)
        if not 0 <= low < high:
            raise AgmpkError(
                f"The window from {low:g} to {high:g} is none: give two concentrations, the lower "
                "one first, such as 10:20."
            )
    if not plans:
        raise AgmpkError("There is no plan to ask about; give at least one, with its doses.")
    if target_id is None and observed:
        raise AgmpkError("Of somebody new no sample can be shown; name the target.")
    own = None if target_id is None else study[target_id]
    context = study if own is None else study.without(target_id)
    shown = _shown(own, observed)
    last = shown.times[-1] if len(shown) else -np.inf
    forecasts, doses, frames = {}, {}, []
    for name, given in tqdm(plans.items(), desc="plans", unit="plan", disable=None):
        plan = (given,) if isinstance(given, Dose) else tuple(given)
        past, planned = _doses(name, shown, plan, last)
        target = replace(shown, doses=(*past, *planned))
        bounds = _bounds(name, plan, past, planned, until)
        times, parts = _grid(bounds, last if past else None)
        try:
            found = forecaster.forecast(context, target, times, samples, seed)
        except AgmpkError as error:
            raise AgmpkError(f"Plan {name}: {error}") from error
        forecasts[name], doses[name] = found, target.doses
        frames.append(_summaries(name, found, bounds, parts, window))
    shown = replace(shown, doses=next(iter(doses.values())) if not len(shown) else shown.doses)
    table = pd.concat(frames, ignore_index=True)
    return WhatIf(shown, forecasts, doses, table, window, study.units)


def read_plans(path: str | os.PathLike[str], study: Study) -> dict[str, tuple[Dose, ...]]:
    """Read a table of plans: columns PLAN, TIME [h] and AMT, and where they apply ROUTE (or CMT),
    DUR or RATE, ADDL and II, as in a study (see :mod:`agmpk.studies.nonmem`).

    Args:
        path: the file.
        study: the study that they are for; where the table tells no route, the study's counts.

    Raises:
        TableError: the file cannot be used; one sentence per fault.
        AgmpkError: a column is missing or unknown, a plan holds no dose, the routes cannot be told,
            or the unit of the doses is not the study's.
    """
    reader = _plan_table(path, study)
    names = list(dict.fromkeys(reader.cells["ID"].texts))
    remedy = "write the doses of each plan together, in order of time, each once"
    refuse(reader.path, [
        # What helps a study does not help a plan.
        replace(one, remedy=remedy) if re.search("--occasion|together", one.remedy) else one
        for one in judge(reader)
    ])  # fmt: skip
    f, builder, plans = reader.f, Builder(reader, {}), {}
    steady = f["row"][f["dose"] & np.isin(f["SS"], [1, 2])].tolist()
    if steady:
        raise AgmpkError(
            f"{reader.path}, row {steady[0]}, column SS: a plan holds no steady state; "
            "write the future doses with ADDL and II."
        )
    for name in names:
        plans[name] = builder.given(np.flatnonzero(f["dose"] & (f["id"] == name)))
        if not plans[name]:
            raise AgmpkError(f"{reader.path}: plan {name} has no dose; give it one (AMT above 0).")
    return plans


class _PlanReader(TableReader):
    required = ("ID", "TIME", "AMT")  # plans hold no observations


def _plan_table(path: str | os.PathLike[str], study: Study) -> TableReader:
    """The columns and rows of a table of plans, doses by the study's route where it tells none."""
    try:
        reader = _PlanReader(path, Options(columns={"ID": "PLAN"}))
    except TableError as error:  # the format's remedy names the columns of a study
        remedy = "begin with a header that names at least PLAN, TIME, AMT"
        faults = [fault.replace(HEADER_REMEDY, remedy) for fault in error.faults]
        raise TableError(faults) from None
    header = {name.upper() for name in reader.table.header}
    for name in ("PLAN", "TIME", "AMT"):
        if name not in header:
            raise AgmpkError(
                f"{reader.path} has no column {name}: a table of plans has the columns PLAN, TIME "
                f"and AMT, {FURTHER}."
            )
    if "dose" in reader.given and reader.units.dose != study.units.dose:
        raise AgmpkError(
            f"{reader.path} gives doses in {reader.units.dose} and the study of {study.compound} "
            f"in {study.units.dose}: write both in one unit."
        )
    if not {"ROUTE", "CMT"} & header:
        reader.options = replace(reader.options, route=_route(study, reader.path))
    reader.columns()
    if reader.unused:
        raise AgmpkError(
            f"{reader.path} has columns that plans do not know ({', '.join(reader.unused)}): leave "
            f"them out; known are PLAN, TIME and AMT, {FURTHER}."
        )
    reader.choose_rows()
    return reader


def _route(study: Study, path: str) -> str | None:
    """What to take for the route of plans that do not tell it; None: what the reader takes."""
    routes = {dose.route for one in study for dose in one.doses}
    if "oral" not in routes:
        return "iv" if "iv_bolus" in routes else "iv_infusion"
    if routes == {"oral"}:
        return None  # an infusion where there is a duration, else oral
    raise AgmpkError(
        f"The study of {study.compound} has oral and intravenous doses, so {path} must say which "
        "its own are: add a column ROUTE (oral, iv_bolus, iv_infusion)."
    )


def _shown(own: Individual | None, observed: int) -> Individual:
    """The samples that are shown, see :meth:`Individual.shown`; the doses of nobody stand for
    those of the plan."""
    if observed < 0:
        raise AgmpkError(f"{observed} observations were asked for; give 0 or more.")
    if own is None or not observed:
        name = "virtual" if own is None else own.id
        return Individual(name, [], [], own.doses if own else (Dose(0.0, 1.0),))
    shown = own.after_dose(limits=True).shown(observed)
    if not len(shown):
        raise AgmpkError(
            f"Individual {own.id} has no positive sample after its first dose to show: ask with "
            "0 observed."
        )
    return shown


def _doses(
    name: str, shown: Individual, plan: Sequence[Dose], last: float
) -> tuple[list[Dose], list[Dose]]:
    """Past doses and the plan's, one by one."""
    planned = [one for dose in plan for one in dose.expand()]
    if not planned:
        raise AgmpkError(f"Plan {name} has no dose; give it one.")
    early = [dose.time for dose in planned if dose.time < last]
    if early:
        raise AgmpkError(
            f"Plan {name} has a dose at {min(early):g} h, before the last shown sample of "
            f"{shown.id} at {last:g} h: planned doses lie after it; show fewer samples or plan "
            "later."
        )
    starts = {dose.time for dose in planned}
    past = [d for d in shown.single_doses() if d.time <= last and d.time not in starts]
    return past, planned


def _bounds(
    name: str, plan: Sequence[Dose], past: list[Dose], planned: list[Dose], until: float | None
) -> Array:
    """Times of the planned doses and the end of the last interval [h]."""
    starts = np.unique([dose.time for dose in planned])
    if until is None:
        final = max(plan, key=lambda dose: dose.time + dose.additional * dose.interval)
        known = starts if len(starts) > 1 else np.unique([*(d.time for d in past), *starts])
        gap = float(known[-1] - known[-2]) if len(known) > 1 else USUAL
        until = starts[-1] + (final.interval if final.additional else gap)
    elif not until > starts[-1]:
        raise AgmpkError(
            f"Plan {name} has a dose at {starts[-1]:g} h, and the last interval would end at "
            f"{until:g} h: give a later end."
        )
    return np.append(starts, until)


def _grid(bounds: Array, last: float | None) -> tuple[Array, list[slice]]:
    """Times to ask for, and which of them belong to each interval.

    They are dense after a dose and end at the next one, before which it is a trough; times between
    the last shown sample and the first planned dose come before those of the intervals.
    """
    number = int(np.clip(MOST_POINTS // (len(bounds) - 1), FEWEST_POINTS, POINTS))
    part = (np.arange(1, number + 1) / number) ** 2
    before = np.array([])
    if last is not None and bounds[0] > last:
        before = last + (bounds[0] - last) * np.arange(1, 7) / 6
    inner = [a + (b - a) * part for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
    for points, end in zip(inner, bounds[1:], strict=True):
        points[-1] = end
    starts = len(before) + number * np.arange(len(inner))
    return np.concatenate([before, *inner]), [slice(k, k + number) for k in starts.tolist()]


def _smoothed(logs: Array, times: Array) -> Array:
    """Curves [S, T] whose departures from their mean curve are smoothed along time, by lines
    fitted to neighbouring points (so that the ends are not pulled inwards)."""
    mean, k = logs.mean(0), np.arange(len(times))
    weight = np.exp(-0.5 * ((k[:, None] - k) / SMOOTH) ** 2)
    away = times - times[:, None]
    s0, s1, s2 = (np.sum(weight * away**n, 1, keepdims=True) for n in range(3))
    smoother = weight * (s2 - s1 * away) / (s0 * s2 - s1**2)
    return mean + (logs - mean) @ smoother.T


def _summaries(
    name: str,
    forecast: Forecast,
    bounds: Array,
    parts: Sequence[slice],
    window: tuple[float, float] | None,
) -> pd.DataFrame:
    """The rows of a plan in the table of :class:`WhatIf`."""
    rows = []
    logs = np.log(forecast.samples)
    for start, end, part in zip(bounds[:-1], bounds[1:], parts, strict=True):
        t, y = forecast.times[part], np.exp(_smoothed(logs[:, part], forecast.times[part]))
        # Hours that each point stands for: the first also for the moments after the dose.
        steps = np.diff(t, prepend=start)
        hours = 0.5 * (steps + np.append(steps[1:], 0.0))
        hours[0] += 0.5 * steps[0]
        measures = {"TROUGH": y[:, -1], "CMAX": y.max(1), "AUC": y @ hours}
        row: dict[str, object] = {"PLAN": name, "START": start, "END": end}
        if window:
            inside = (y >= window[0]) & (y <= window[1])
            measures["HOURS"] = inside @ hours
        for measure, values in measures.items():
            middle, low, high = np.quantile(values, LEVELS, method="weibull")
            row |= {measure: middle, f"{measure}_Q05": low, f"{measure}_Q95": high}
        if window:
            row |= {"P_TROUGH": inside[:, -1].mean(), "P_ALL": inside.all(1).mean()}
        rows.append(row)
    return pd.DataFrame(rows)
