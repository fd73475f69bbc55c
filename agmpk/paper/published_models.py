"""Studies simulated from published population models, whose truth is known to be theirs.

Each model of ``data/poppk/models.csv`` gives studies of the designs that clinics and trials use:
a single rich dose, dose arms, repeated doses sampled late, sparse monitoring; with an assay's
limit. The drugs are split once and for all: ``choosing`` serves decisions about prior, model and
calibration, ``reporting`` is only reported. The split is by drug, so that no drug is in both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from agmpk.errors import AgmpkError
from agmpk.files import data_path, write_csv
from agmpk.paper.published_curves import (
    Array,
    Given,
    PublishedModel,
    curves,
    draw_people,
    observe,
    published_models,
    typical_person,
)
from agmpk.studies import Dose, Individual, Study, Units, write_study

Rng = np.random.Generator
Plan = tuple[list[tuple[list[Dose], Array]], float]
"""Doses and sampling times [h] of each person, and when the second occasion begins."""

SPLITS = ("choosing", "reporting")
SPLIT_SEED, STORED_SEED = 13, 2026
SHOWN = (2, 4)  # samples of an individual, of the stored results on these studies

KINDS = ("single", "arms", "repeated", "monitoring")
CHANCES = {False: (0.4, 0.2, 0.25, 0.15), True: (0.2, 0.1, 0.35, 0.35)}
"""Chances of the ``KINDS``, for models of single doses and for models of repeated ones only."""

# fmt: off
NOMINAL = np.array([
    1/60, 1/30, 0.05, 1/12, 1/6, 0.25, 1/3, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6,
    7, 8, 10, 12, 14, 16, 20, 24, 30, 36, 48, 60, 72, 96, 120, 144, 168, 216, 264, 336,
]).round(4)
# fmt: on
INTERVALS = (6.0, 8.0, 12.0, 24.0, 48.0, 168.0)
LONGEST = 336.0  # h, after a single dose
AREA = 0.95  # share of the area under the curve at which sampling ends: about 4 half-lives
SHORTEST = 4.0  # h; faster drugs are not given as repeated single doses


class Drawn(NamedTuple):
    """A simulated study and what it does not tell: its ``model``; ``limit`` [its unit] below which
    nothing was reported, whether it says so or not; when the ``second_occasion`` begins [h]."""

    model: PublishedModel
    study: Study
    limit: float
    second_occasion: float


def published_studies(split: str, seed: int) -> dict[str, Study]:
    """Simulate a study of every published model of a split ("choosing" or "reporting"), keyed
    "author_year_drug-kind-1"; doses in mg, times in h. The same seed gives the same studies.

    Raises:
        AgmpkError: there is no such split.
    """
    return {name: drawn.study for name, drawn in drawn_studies(split, seed).items()}


def drawn_studies(split: str, seed: int) -> dict[str, Drawn]:
    """The :func:`published_studies` with the truth behind them.

    Raises:
        AgmpkError: there is no such split.
    """
    if split not in SPLITS:
        raise AgmpkError(f"There is no split {split!r} of the published models; use {SPLITS}.")
    parts = split_table().set_index("drug")["split"]
    studies = {}
    for m, model in enumerate(published_models()):
        if parts[model.drug] == split:
            rng = np.random.default_rng([seed, m, 0])
            kind = draw_kind(model, rng)
            studies[f"{model.name}-{kind}-1"] = draw_study(model, kind, rng)
    return studies


@lru_cache
def split_table() -> pd.DataFrame:
    """Return ``data/poppk/split.csv``: columns ``drug`` and ``split``."""
    return pd.read_csv(data_path("poppk", "split.csv"))


def draw_split(seed: int = SPLIT_SEED) -> pd.DataFrame:
    """Split the drugs: every third of each kind (healthy or not, oral or not) is for reporting."""
    first = {model.drug: model for model in reversed(published_models())}
    kinds: dict[tuple[bool, bool], list[str]] = {}
    for drug, model in sorted(first.items()):
        kinds.setdefault((model.healthy, bool(model.paths)), []).append(drug)
    rng = np.random.default_rng(seed)
    mixed = [drugs[k] for _, drugs in sorted(kinds.items()) for k in rng.permutation(len(drugs))]
    rows = sorted((drug, SPLITS[place % 3 == 2]) for place, drug in enumerate(mixed))
    return pd.DataFrame(rows, columns=["drug", "split"])


def write_published(folder: Path) -> None:
    """Write the split and the stored studies into ``folder`` (``data/poppk``)."""
    write_csv(draw_split(), folder / "split.csv")
    split_table.cache_clear()
    for split in SPLITS:
        target = folder / "studies" / split
        target.mkdir(parents=True, exist_ok=True)
        for old in target.glob("*.csv"):
            old.unlink()
        for name, study in published_studies(split, STORED_SEED).items():
            write_study(study, target / f"{name}.csv")


@lru_cache
def typical_profile(model: PublishedModel) -> tuple[float, float, float]:
    """Return (Cmax [mg/L], Tmax [h], end [h]) of the typical person after one typical dose.

    The end is where ``AREA`` of the area under the curve has passed, at most two weeks.
    Intravenous doses are boluses here.
    """
    grid = np.geomspace(0.002, 6 * LONGEST, 120)
    dose = Given(0, 0.0, model.dose, oral=bool(model.paths))
    (curve,) = curves(typical_person(model), [dose], [grid])
    area = np.cumsum(np.diff(grid) * (curve[1:] + curve[:-1]) / 2)
    end = grid[1:][area >= AREA * area[-1]][0]
    top = int(curve.argmax())
    return float(curve[top]), float(grid[top]), float(min(end, LONGEST))


def draw_kind(model: PublishedModel, rng: Rng) -> str:
    """Draw one of the ``KINDS`` of design that suits a model."""
    chances = np.array(CHANCES[model.repeated])
    if typical_profile(model)[2] < SHORTEST:
        chances[[KINDS.index("repeated"), KINDS.index("monitoring")]] = 0.0
    return str(rng.choice(KINDS, p=chances / chances.sum()))


def draw_study(model: PublishedModel, kind: str, rng: Rng) -> Drawn:
    """Draw one study of a model with a design of one of the ``KINDS``."""
    _, tmax, end = typical_profile(model)
    draw = dict(zip(KINDS, (_single, _arms, _repeated, _monitoring), strict=True))[kind]
    plan, second_occasion = draw(model, tmax, end, rng)
    times = [np.unique(np.round(taken, 4)) for _, taken in plan]
    people = draw_people(model, len(plan), rng)
    given = [
        Given(n, one.time, one.amount, one.route == "oral", one.duration)
        for n, (doses, _) in enumerate(plan)
        for dose in doses
        for one in dose.expand()
    ]
    measured = [observe(model, y, rng) for y in curves(people, given, times, second_occasion)]
    study, limit = _assay(model, [doses for doses, _ in plan], times, measured, rng)
    return Drawn(model, study, limit, second_occasion)


def _single(model: PublishedModel, tmax: float, end: float, rng: Rng) -> Plan:
    """Everybody gets one dose (one in five trials: by body weight) and gives many samples."""
    plan, nominal = [], nominal_times(tmax, end, int(rng.integers(9, 17)))
    by_weight, deviates = rng.random() < 0.2, rng.random() < 0.4
    dose = _doser(model, end, rng)
    for _ in range(int(rng.integers(8, 25))):
        factor = np.exp(0.2 * rng.standard_normal()) if by_weight else 1.0
        plan.append(([dose(0.0, factor)], _taken(nominal, deviates, rng)))
    return plan, np.inf


def _arms(model: PublishedModel, tmax: float, end: float, rng: Rng) -> Plan:
    """Two to four arms of different doses; of both routes where both were studied."""
    plan, nominal = [], nominal_times(tmax, end, int(rng.integers(8, 14)))
    factors = [(0.5, 1.0, 2.0), (0.3, 1.0, 3.0, 10.0), (1.0, 2.0), (0.25, 0.5, 1.0)]
    arms = factors[rng.integers(len(factors))]
    both = bool(model.paths) and model.intravenous
    for a, factor in enumerate(arms):
        dose = _doser(model, end, rng, oral=bool(a % 2) if both else None)
        for _ in range(int(rng.integers(4, 9))):
            plan.append(([dose(0.0, factor)], _taken(nominal, False, rng)))
    return plan, np.inf


def _repeated(model: PublishedModel, tmax: float, end: float, rng: Rng) -> Plan:
    """Repeated doses: sampled in the last interval only, in the first and last, or with troughs."""
    tau = dosing_interval(end)
    count = int(rng.integers(3, max(4, min(9, int(480 / tau)))))
    last = (count - 1) * tau
    plan, dose = [], _doser(model, end, rng)
    late = nominal_times(tmax, min(end, 2 * tau), int(rng.integers(6, 10)))
    before = last - 0.05 * min(tau, 10.0)
    sampling = rng.choice(["late", "both", "troughs"])
    times = np.concatenate([[before], last + late])
    if sampling == "both":
        times = np.concatenate([nominal_times(tmax, 0.95 * tau, 5), times])
    elif sampling == "troughs":
        troughs = np.arange(1, count - 1) * tau - 0.05 * min(tau, 10.0)
        times = np.concatenate([troughs[-4:], times])
    loading = 2.0 if rng.random() < 0.2 else 1.0
    for _ in range(int(rng.integers(8, 21))):
        missed = int(rng.integers(1, count)) if rng.random() < 0.1 else None
        if loading == 1 and missed is None:
            doses = [dose(0.0, 1.0, count, tau)]
        else:
            kept = [k for k in range(count) if k != missed]
            doses = [dose(k * tau, loading if k == 0 else 1.0) for k in kept]
        plan.append((doses, _taken(times, False, rng)))
    return plan, last


def _monitoring(model: PublishedModel, tmax: float, end: float, rng: Rng) -> Plan:
    """One to four samples a person, troughs and peaks, under doses of each person's own."""
    tau, dose, plan = dosing_interval(end), _doser(model, end, rng), []
    for _ in range(int(rng.integers(12, 41))):
        count = int(rng.integers(4, max(5, min(11, int(480 / tau)))))
        factor = rng.choice([0.5, 0.75, 1.0, 1.0, 1.0, 1.25, 1.5])
        changed = int(rng.integers(2, count - 1)) if rng.random() < 0.3 else count
        doses = [dose(0.0, factor, changed, tau)]
        if changed < count:
            other = factor * rng.choice([0.5, 0.75, 1.5, 2.0])
            doses.append(dose(changed * tau, other, count - changed, tau))
        samples = []
        for _ in range(int(rng.integers(1, 4))):
            at = tau * int(rng.integers(1, count))
            samples.append(at - tau * rng.uniform(0.01, 0.1))
            if rng.random() < 0.4:
                samples.append(at + min(tmax * rng.uniform(0.8, 2.5) + 0.05, 0.8 * tau))
        plan.append((doses, np.round(samples, 2 if tau > 4 else 4)))
    return plan, 4 * tau


def _doser(
    model: PublishedModel, end: float, rng: Rng, oral: bool | None = None
) -> Callable[..., Dose]:
    """Makes doses of one route: a typical amount times a factor, once or every ``tau`` hours."""
    oral = bool(model.paths) if oral is None else oral
    infused = not oral and "infusion" in model.routes
    route = "oral" if oral else "iv_infusion" if infused else "iv_bolus"
    duration = min(float(rng.choice([0.5, 1.0, 2.0])), end / 6) if infused else 0.0

    def dose(time: float, factor: float, count: int = 1, tau: float = 0.0) -> Dose:
        amount = float(f"{model.dose * factor:.3g}")
        more = {"additional": count - 1, "interval": tau} if count > 1 else {}
        return Dose(time, amount, route, duration, **more)

    return dose


def nominal_times(tmax: float, end: float, n: int) -> Array:
    """Return about ``n`` clock times [h]: a half of them around the peak, the rest to the end."""
    peak = min(max(tmax, end / 40), end / 3)
    early = np.linspace(0.25, 2.0, -(-n // 2)) * peak
    late = np.geomspace(2.0 * peak, end, n - len(early) + 1)[1:]
    wanted = np.concatenate([early, late])
    nearest = np.abs(np.log(NOMINAL) - np.log(wanted[:, None])).argmin(1)
    return np.unique(NOMINAL[nearest])


def dosing_interval(end: float) -> float:
    """Return the usual interval [h] nearest to one half-life; over a day only for slow drugs."""
    half = end / 4
    usual = [tau for tau in INTERVALS if tau <= 24 or half > 2.5 * tau]
    return min(usual, key=lambda tau: abs(np.log(tau / half)))


def _taken(nominal: Array, deviates: bool, rng: Rng) -> Array:
    """The times at which one person's samples were taken: some are missed, some late."""
    times = nominal[rng.random(len(nominal)) > 0.02]
    if deviates:
        times = times * np.exp(0.03 * rng.standard_normal(len(times)))
    return times if len(times) > 1 else nominal


def _assay(
    model: PublishedModel, doses: list[list[Dose]], times: list[Array], measured: list, rng: Rng
) -> tuple[Study, float]:
    """The study as reported: rounded, with a limit that is marked or silent, in usual units; and
    that limit."""
    cmax, _, _ = typical_profile(model)
    unit, factor = ("ng/mL", 1e3) if cmax < 1 else ("mg/L", 1.0)
    # Nothing is reported below the assay's additive error, whatever the limit is said to be.
    limit = max(cmax * 10 ** rng.uniform(-3.0, -1.2), model.additive)
    marked = rng.random() < 0.5
    lloq = float(f"{factor * limit:.2g}")
    individuals = []
    for n, values in enumerate(measured):
        values = np.array([float(f"{factor * y:.4g}") for y in values])
        below = values < lloq
        one = Individual(str(n + 1), times[n], np.where(below, lloq, values), doses[n], below)
        if marked or not below.all():
            individuals.append(one if marked else one.select(~below))
    units = Units(time="h", concentration=unit, dose="mg")
    return Study(model.drug, tuple(individuals), units, lloq if marked else None), lloq
