"""A study in some thirty numbers, by which it is compared with simulated ones
(:mod:`agmpk.evaluation.familiar`).

They do not depend on the units of concentration and dose, except level and clearance, which are
left out where those units cannot be brought to mg and L.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agmpk.config import load_yaml
from agmpk.errors import AgmpkError
from agmpk.studies import conversion_factor
from agmpk.studies.study import Array, Individual, Study

STATISTICS: Mapping[str, tuple[str, str, str]] = load_yaml(Path(__file__).with_suffix(".yaml"))
"""What is compared: meaning, unit and scale (log, share or plain)."""

OWN = tuple(name for name in STATISTICS if name.startswith("own_"))
"""The statistics of a target and its samples."""

KIND = ("oral", "repeated", "rich")
BINS, UNIQUE = 12, 24
PROMINENT = 0.25  # ln: a rise that counts as a peak of its own
KG = 70.0  # body weight for doses per kg


def statistics(study: Study, prefix: Individual | None = None) -> dict[str, float]:
    """Return the ``STATISTICS`` (NaN where a study says too little) and its ``KIND`` (0 or 1), of a
    context and of the samples that a target has shown, or None."""
    out = dict.fromkeys(STATISTICS, np.nan)
    people = [_Person(one) for one in study]
    seen = [one for one in people if len(one.y)]
    doses = [dose for one in study for dose in one.doses]
    out["oral"] = float(any(dose.route == "oral" for dose in doses))
    out["repeated"] = float(any(len(one.single_doses()) > 1 for one in study))
    out["rich"] = float(bool(seen) and np.median([len(one.y) for one in seen]) >= 5)
    if not seen:
        return out
    counted = sum(one.counted for one in people)
    out["below"] = sum(one.censored for one in people) / counted
    _single_curves(out, seen, _per_litre(study))
    pooled = _Pooled([(one.since, one.y) for one in seen])
    _spreads(out, seen, pooled)
    _mean_curve(out, [x for x in map(_Person.longest_stretch, seen) if len(x[0]) >= 3])
    if prefix is not None:
        _target(out, _Person(prefix), seen, pooled)
    return out


def kind_number(found: Mapping[str, Any] | pd.DataFrame) -> Any:
    """The number of a study's kind from its :func:`statistics`; [N] from columns of those."""
    return sum((found[name] > 0.5) * 2**place for place, name in enumerate(KIND))


class _Person:
    """Quantified samples after the first dose: time, time since the last dose and its number,
    ln(concentration / amount of that dose)."""

    def __init__(self, one: Individual) -> None:
        doses = one.single_doses()
        starts, amounts = np.array([(d.time, d.amount) for d in doses]).T
        number = np.searchsorted(starts, one.times, side="left") - 1
        after = number >= 0
        self.counted, self.censored = int(after.sum()), int(one.censored[after].sum())
        keep = after & ~one.censored & (one.concentrations > 0)
        self.number = number[keep]
        self.time, self.since = one.times[keep], one.times[keep] - starts[self.number]
        self.y = np.log(one.concentrations[keep] / amounts[self.number])
        self.dose, self.doses, self.amounts = float(np.log(amounts[0])), starts, amounts

    def longest_stretch(self) -> tuple[Array, Array]:
        """Times since dose and values of the dosing interval with most samples (the last such)."""
        numbers, counts = np.unique(self.number[::-1], return_counts=True)
        best = self.number == numbers[::-1][counts[::-1].argmax()]
        return self.since[best], self.y[best]


def _per_litre(study: Study) -> float:
    """ln of the factor that brings concentration per dose to 1/L; NaN if there is none."""
    dose = study.units.dose
    try:
        per_kg = "kg" in dose.partition("/")[2]
        amount = conversion_factor(dose, "mg/kg" if per_kg else "mg") * (KG if per_kg else 1.0)
        return float(np.log(conversion_factor(study.units.concentration, "mg/L") / amount))
    except AgmpkError:
        return np.nan


def _single_curves(out: dict[str, float], seen: list[_Person], per_litre: float) -> None:
    """Statistics that are medians or shares of single curves."""
    out["level"] = per_litre + _median([one.y.max() for one in seen])
    stretches = [(*one.longest_stretch(), len(one.doses) == 1) for one in seen]
    found = pd.DataFrame([_curve(*one) for one in stretches if len(one[0]) >= 3])
    for name, values in found.items():
        shares = name in ("tail", "peaks", "peak_place")
        out[name] = float(np.mean(values.to_numpy())) if shares else _median(values)
    out["clearance"] -= per_litre
    out["peak_spread"] = _sd(found.get("peak_time", []))
    out["first_time"] = _median([_log_time(one.since.min()) for one in seen])
    out["last_time"] = _median([_log_time(one.since.max()) for one in seen])
    out["last_spread"] = _sd([_log_time(one.time[-1]) for one in seen])
    # A curve that all people share bends too; differences of neighbouring bends cancel most of it.
    rich = [(t, y) for t, y, _ in stretches if len(t) >= 4]
    rough = [x for one in rich for x in np.diff(bends(*one)) / np.sqrt(2)]
    if len(rough) >= 10:
        out["roughness"] = float(np.median(np.abs(rough)) / 0.6745)


def _curve(t: Array, y: Array, single: bool) -> dict[str, float]:
    """Statistics of one person's log-curve of at least three samples after one dose."""
    top, slopes = int(y.argmax()), np.diff(y) / np.diff(t).clip(1e-3)
    falling, slope, bend = slopes[top:], np.nan, np.nan
    if len(falling) > 1:
        x = t[-3:] - t[-3:].mean()
        slope = -float(x @ y[-3:]) / float(x @ x)
        bend = (falling[-1] - falling[0]) / np.abs(falling).max(initial=1e-9)
    area = np.trapezoid(np.exp(y), t) if single and len(y) >= 5 else np.nan
    return {
        "clearance": -np.log(area) if area > 0 else np.nan,
        "peak_time": _log_time(t[top]),
        "slope": np.log(slope) if slope > 0 else np.nan,
        "fall": y[top] - y[-1],
        "tail": float(y[-1] > y[-2]),
        "rise": y[top] - y[0],
        "peak_place": top / (len(y) - 1),
        "dips": _dip(y),
        "asymmetry": np.log(max(slopes.max(), 1e-3) / max(-slopes.min(), 1e-3)),
        "bend": bend,
        "early": float(np.mean(t - t[0] <= (t[-1] - t[0]) / 3)),
        "peaks": float(_peaks(y)),
    }


def _dip(y: Array) -> float:
    """How far a value lies below the highest before and the highest after it, at most."""
    before, after = np.maximum.accumulate(y), np.maximum.accumulate(y[::-1])[::-1]
    return float(np.max(np.minimum(before, after) - y))


def _peaks(y: Array) -> int:
    """Number of maxima that stand ``PROMINENT`` above what lies between them."""
    count, low, high, rising = 0, y[0], y[0], True
    for value in y[1:]:
        if rising:
            high = max(high, value)
            if value < high - PROMINENT:
                count, rising, low = count + 1, False, value
        else:
            low = min(low, value)
            if value > low + PROMINENT:
                rising, high = True, value
    return count + rising


def bends(t: Array, y: Array) -> Array:
    """How far samples [T - 2] of a curve [T] leave the line between their neighbours in time, in
    units of the noise of single samples: sqrt(1 + a^2 + (1 - a)^2) times its SD at weights a and
    1 - a of the neighbours."""
    with np.errstate(divide="ignore", invalid="ignore"):
        a = (t[1:-1] - t[:-2]) / (t[2:] - t[:-2])
    return (y[1:-1] - (1 - a) * y[:-2] - a * y[2:]) / np.sqrt(1 + a**2 + (1 - a) ** 2)


class _Pooled:
    """The mean curve of dose-normalized log-concentrations by time since dose, and each person's
    distance from it, fitted in turn."""

    def __init__(self, curves: list[tuple[Array, Array]]) -> None:
        n = len(curves)
        who = np.repeat(np.arange(n), [len(y) for _, y in curves])
        since, y = (np.concatenate(x) for x in zip(*curves, strict=True))
        places = np.unique(np.round(since, 2))
        if len(places) > UNIQUE:
            places = np.unique(np.quantile(since, np.linspace(0, 1, BINS + 1)))
            bins = np.clip(np.searchsorted(places, since, side="right") - 1, 0, len(places) - 2)
        else:
            bins = np.searchsorted(places, np.round(since, 2))
        used, bins = np.unique(bins, return_inverse=True)
        self.count = np.bincount(bins)
        self.at = np.bincount(bins, since) / self.count
        order = np.argsort(self.at)
        levels = np.zeros(n)
        for _ in range(4):
            curve = np.bincount(bins, y - levels[who]) / self.count
            residual = y - np.interp(since, self.at[order], curve[order])
            # One sample in a bin of its own says nothing about the person: shrink a little.
            sums = np.bincount(who, residual, n)
            levels = sums / (np.bincount(who, minlength=n) + 0.2)
            levels -= np.median(levels)
        self.at, self.curve, self.count = self.at[order], curve[order], self.count[order]
        self.who, self.since, self.levels = who, since, levels
        self.residual = residual - levels[who]


def _spreads(out: dict[str, float], seen: list[_Person], pooled: _Pooled) -> None:
    """Statistics of the differences between people."""
    if len(seen) < 3:
        return
    levels = pooled.levels
    away = np.abs(levels - np.median(levels))
    out["spread"], out["outlier"] = _sd(levels), float(away.max())
    out["lone"] = float(away.max() / (1.4826 * np.median(away) + 0.05))
    if len(pooled.residual) >= 3 * len(seen):
        out["shape"] = float(np.sqrt(np.mean(pooled.residual**2)))
    doses = np.array([one.dose for one in seen])
    if doses.std() > 0.1:
        out["dose_effect"] = float(np.mean((doses - doses.mean()) * levels) / doses.std())
    number = np.concatenate([one.number for one in seen])
    if len(np.unique(number)) > 1:
        x = np.log1p(number)
        # Within people, so that those who were seen late do not count as a drift.
        inner = x - (np.bincount(pooled.who, x) / np.bincount(pooled.who))[pooled.who]
        if np.sum(inner**2) > 0.5:
            rest = pooled.residual + levels[pooled.who]
            out["drift"] = float(np.sum(inner * rest) / np.sum(inner**2))


def _mean_curve(out: dict[str, float], curves: list[tuple[Array, Array]]) -> None:
    """Statistics of the mean curve within one dosing interval of each person."""
    if len(curves) < 2:
        return
    pooled = _Pooled(curves)
    y = pooled.curve[pooled.count >= max(2, 0.3 * len(curves))]
    if len(y) >= 4:
        noise = np.sqrt(np.mean(pooled.residual**2) / len(curves))
        out["dip"] = _dip(y)
        out["dip_lone"] = out["dip"] / (0.02 + noise)


def _target(out: dict[str, float], one: _Person, seen: list[_Person], pooled: _Pooled) -> None:
    """Statistics of the target's own samples against the context."""
    out["own_dose"] = one.dose - _median([other.dose for other in seen])
    if not len(one.y):
        return
    away = one.y - np.interp(one.since, pooled.at, pooled.curve)
    out["own_level"] = float(abs(away.mean()))
    out["own_place"] = out["own_level"] / (out["spread"] + 0.05)
    if len(away) > 1:
        out["own_change"] = float(away[-1] - away[0])
    first = _median([_log_time(other.since[0]) for other in seen])
    out["own_time"] = _log_time(one.since[0]) - first


def _log_time(hours: float) -> float:
    """ln of a time; a sample at the very dose counts as a few seconds later."""
    return float(np.log(max(hours, 1e-3)))


def _finite(values) -> Array:
    values = np.asarray(values, float)
    return values[np.isfinite(values)]


def _median(values) -> float:
    values = _finite(values)
    return float(np.median(values)) if len(values) else np.nan


def _sd(values) -> float:
    values = _finite(values)
    return float(values.std(ddof=1)) if len(values) >= 3 else np.nan
