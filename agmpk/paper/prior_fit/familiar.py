"""The reference of the familiarity check, and what the check notices.

:mod:`agmpk.evaluation.familiar` compares a study with simulated ones by statistics that are kept
in ``data/calibration/familiar.csv.gz``; they are made here, and so are studies that no prior
draws: stressed ones, by which the power of the check is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import numpy as np
import pandas as pd

from agmpk.evaluation.familiar import CUT, familiarity, law_of
from agmpk.evaluation.study_statistics import STATISTICS, kind_number, statistics
from agmpk.files import atomic_path, write_csv
from agmpk.prior import PriorConfig, simulate_block
from agmpk.prior.table import to_studies
from agmpk.studies import Individual, Study

STRESSED = 192  # studies
SEEDS = {"reference": 2028, "stresses": 2034, "power": 2035}  # three sets of other studies

AS_IS = "as simulated"
Change = Callable[[Individual, int], Individual]


def questions(config: PriorConfig, studies: int, seed: int) -> Iterator[tuple[Study, Individual]]:
    """Contexts and targets, with one to four samples shown, of simulated studies.

    Studies with less than two people who have two quantified samples ask nothing.
    """
    # Block by block, so that few are in memory.
    blocks = (simulate_block(config, seed, block) for block in count())
    drawn = (study for batch in blocks for study in to_studies(batch, first=1))
    for number, study in enumerate(islice(drawn, studies)):
        rng = np.random.default_rng([seed, number])
        ids = [one.id for one in study if len(one.quantifiable()) >= 2]
        if len(ids) >= 2:
            target = study[str(rng.choice(ids))]
            yield study.without(target.id), target.prefix(int(rng.integers(1, 5)))


def reference_table(config: PriorConfig, studies: int) -> pd.DataFrame:
    """Statistics of simulated questions, one row each, to four significant digits."""
    asked = questions(config, studies, SEEDS["reference"])
    rows = [statistics(context, target) for context, target in asked]
    return pd.DataFrame(rows).map(lambda x: float(f"{x:.4g}"))


def scaled(y: float = 1.0, hours: float = 1.0, amount: float = 1.0, every: int = 1) -> Change:
    """Concentrations ``y``, times or amounts in a wrong unit, or written wrong, by a factor: those
    of every ``every``-th person."""
    factors = {"amount": amount, "time": hours, "duration": hours, "interval": hours}

    def change(one: Individual, k: int) -> Individual:
        if k % every:
            return one
        doses = [
            replace(d, **{name: by * getattr(d, name) for name, by in factors.items()})
            for d in one.doses
        ]
        return replace(
            one, times=one.times * hours, concentrations=one.concentrations * y, doses=doses
        )

    return change


def flipped_time(one: Individual, _: int = 0) -> Individual:
    """The record read backwards: the last sample first."""
    if not len(one):
        return one
    times = np.maximum((one.times[-1] + one.times[0] - one.times)[::-1], 0.0)
    return replace(
        one, times=times, concentrations=one.concentrations[::-1], censored=one.censored[::-1]
    )


def second_peak(one: Individual, _: int = 0) -> Individual:
    """A second dose as large as the last one, which nobody wrote down, at a third of the way from
    the peak to the last sample."""
    t, y = one.times, np.where(one.censored, 0.5, 1.0) * one.concentrations
    start = one.single_doses()[-1].time
    late = t > start
    if late.sum() < 4:
        return one
    top = t[late][y[late].argmax()]
    shift = (top + (t[-1] - top) / 3) - start
    more = np.interp(t - shift, np.append(start, t[late]), np.append(0.0, y[late]), left=0.0)
    total = np.where(t > start + shift, one.concentrations + more, one.concentrations)
    return replace(one, concentrations=total)


def autoinduction(rate: float) -> Change:
    """Levels that fall by a factor e^-rate from each dose to the next, at most e^(-6 rate)."""

    def change(one: Individual, _: int) -> Individual:
        starts = np.array([d.time for d in one.single_doses()])
        number = (np.searchsorted(starts, one.times, side="left") - 1).clip(0, 6)
        factor = np.where(one.censored, 1.0, np.exp(-rate * number))
        return replace(one, concentrations=one.concentrations * factor)

    return change


def _rich(study: Study) -> bool:
    return float(np.median([len(one.after_dose()) for one in study])) >= 6


def _repeated(study: Study) -> bool:
    """Whether several people were sampled in more than one dosing interval."""
    several = 0
    for one in study.after_dose():
        starts = [d.time for d in one.single_doses()]
        several += len(np.unique(np.searchsorted(starts, one.times))) > 1
    return several >= 3


STRESSES: Mapping[str, tuple[Change, bool, Callable[[Study], bool] | None]] = {
    AS_IS: (lambda one, _: one, True, None),
    "concentrations times 1000": (scaled(y=1e3), True, None),
    "concentrations by 1000": (scaled(y=1e-3), True, None),
    "minutes taken for hours": (scaled(hours=60.0), True, None),
    "hours taken for days": (scaled(hours=24.0), True, None),
    "days taken for hours": (scaled(hours=1 / 24), True, None),
    "days in some people, hours in others": (scaled(hours=1 / 24, every=3), False, None),
    "ten-fold doses in a third of the people": (scaled(amount=10, every=3), False, None),
    "a ten-fold dose in one of ten people": (scaled(amount=10, every=10), False, None),
    "time that runs backwards": (flipped_time, True, _rich),
    "a second peak": (second_peak, False, _rich),
    "levels that fall by a third with each dose": (autoinduction(0.4), False, _repeated),
    "levels that fall by a half with each dose": (autoinduction(0.7), False, _repeated),
}
"""Name -> (change of each person, whether of the target too, which studies it can be seen in)."""


def stressed_questions(
    config: PriorConfig, studies: int, seed: int
) -> Iterator[tuple[str, Study, Individual]]:
    """Each question as simulated and under every stress that it can show: (stress, ...)."""
    for context, target in questions(config, studies, seed):
        for name, (change, of_target, can_see) in STRESSES.items():
            if can_see is None or can_see(context):
                changed = [change(one, k) for k, one in enumerate(context)]
                shown = change(target, 0) if of_target else target
                yield name, replace(context, individuals=changed), shown


def stress_table(reference: pd.DataFrame, config: PriorConfig) -> pd.DataFrame:
    """Mean change of the normal scores of all statistics under each stress."""
    names, asked = list(STATISTICS), stressed_questions(config, STRESSED, SEEDS["stresses"])
    found = pd.DataFrame([{"stress": s} | statistics(c, t) for s, c, t in asked])
    ruler = law_of(reference, pd.DataFrame(columns=["stress", *names])).ruler
    kinds = kind_number(found).to_numpy()
    scores = np.nan_to_num(ruler.scaled(found[names].to_numpy(float), kinds)).clip(-CUT, CUT)
    means = pd.DataFrame(scores, columns=names).groupby(found["stress"], sort=False).mean()
    moved = means.drop(index=AS_IS) - means.loc[AS_IS]
    return moved.map(lambda x: float(f"{x:.3g}")).reset_index()


def power_table(config: PriorConfig) -> pd.DataFrame:
    """How often fresh studies, as simulated and stressed, raise the alarm.

    Columns: stress, studies, alarms (share) and its standard error with the target's samples,
    ``context`` the share without them, and ``noticed``, the mistake that was named most often.
    """
    answers = []
    for stress, context, target in stressed_questions(config, STRESSED, SEEDS["power"]):
        whole, alone = familiarity(context, target), familiarity(context)
        answers.append((stress, not whole.familiar, not alone.familiar, whole.likely))
    found = pd.DataFrame(answers, columns=["stress", "alarms", "context", "noticed"])
    named = found[found.alarms].groupby("stress").noticed.agg(lambda x: x.value_counts().index[0])
    groups = found.groupby("stress")
    table = groups[["alarms", "context"]].mean().assign(studies=groups.size())
    table["error"] = np.sqrt(table.alarms * (1 - table.alarms) / table.studies)
    table["noticed"] = named.reindex(table.index).fillna("")
    table = table.loc[[name for name in STRESSES if name in table.index]].reset_index()
    return table[["stress", "studies", "alarms", "error", "context", "noticed"]]


def write_familiar(config: PriorConfig, folder: Path, studies: int) -> pd.DataFrame:
    """Write ``familiar.csv.gz``, ``familiar_stresses.csv`` and, measured with the two,
    ``familiar_power.csv`` into ``folder``; returns the last."""
    reference = reference_table(config, studies)
    with atomic_path(folder / "familiar.csv.gz") as temporary:
        packed = {"method": "gzip", "compresslevel": 9, "mtime": 0}  # the same bytes every time
        reference.to_csv(temporary, index=False, compression=packed, lineterminator="\n")
    write_csv(stress_table(reference, config), folder / "familiar_stresses.csv")
    power = power_table(config)
    write_csv(power.round(4), folder / "familiar_power.csv")
    return power
