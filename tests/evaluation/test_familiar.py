"""Familiarity: statistics that can be done by hand, false alarms, power, and no simulator."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from agmpk.errors import AgmpkError
from agmpk.evaluation import development_studies
from agmpk.evaluation.familiar import ALARM, Familiarity, familiarity
from agmpk.evaluation.study_statistics import OWN, STATISTICS, statistics
from agmpk.files import data_path
from agmpk.paper.prior_fit.familiar import (
    AS_IS,
    STRESSES,
    flipped_time,
    questions,
    second_peak,
    stressed_questions,
)
from agmpk.prior import load_prior
from agmpk.studies import Dose, Individual, Study, Units

TIMES = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 12.0])


def bolus(level=0.0, people=8, dose=100.0, unit="mg/L", tau=None, **changes):
    """Bolus curves of V = 20 L and CL = 3 L/h whose levels are spread by ``level``."""
    spread = level * np.linspace(-1, 1, people)
    dosing = {"additional": 2, "interval": tau} if tau else {}
    people = []
    for k, x in enumerate(spread):
        y = dose / 20 * np.exp(x - 0.15 * TIMES)
        people.append(Individual(f"{k}", TIMES, y, (Dose(0.0, dose, "iv_bolus", **dosing),)))
    return replace(Study("made up", tuple(people), Units(concentration=unit)), **changes)


def test_statistics_are_what_their_names_say():
    found = statistics(bolus(level=0.5))
    assert found["level"] == pytest.approx(np.log(np.exp(-0.15 * 0.5) / 20))
    assert found["slope"] == pytest.approx(np.log(0.15)) and found["peak_place"] == 0
    assert found["fall"] == pytest.approx(0.15 * 11.5) and found["rise"] == 0
    area = -np.expm1(-0.15 * 11.5) * np.exp(-0.075) / 3  # of the samples, per unit of dose
    assert found["clearance"] == pytest.approx(-np.log(area), abs=0.03)
    levels = 0.5 * np.linspace(-1, 1, 8)
    assert found["spread"] == pytest.approx(levels.std(ddof=1), rel=0.06)
    assert (found["oral"], found["repeated"], found["rich"]) == (0, 0, 1)
    assert max(found["dip"], found["dips"], found["shape"]) < 0.02 and found["peaks"] == 1
    assert all(np.isnan(found[name]) for name in OWN)
    twice = statistics(bolus(tau=24.0))
    assert twice["repeated"] == 1 and twice["dip"] == pytest.approx(0, abs=1e-6)


def test_a_second_peak_is_a_dip_and_backwards_is_a_rise():
    study = bolus(level=0.2)
    changed = [second_peak(one) for one in study]
    assert statistics(replace(study, individuals=changed))["dip"] > 0.3
    back = statistics(replace(study, individuals=[flipped_time(one) for one in study]))
    assert back["peak_place"] == 1 and back["tail"] == 1 and back["rise"] > 1


def test_units_do_not_matter_and_unknown_ones_leave_the_level_out():
    plain, ng = statistics(bolus(level=0.3)), statistics(bolus(level=0.3, unit="mg/L"))
    assert plain == pytest.approx(ng, nan_ok=True)
    per_ml = [replace(one, concentrations=1000 * one.concentrations) for one in bolus(level=0.3)]
    ng = Study("made up", tuple(per_ml), Units(concentration="ng/mL"))
    assert statistics(ng) == pytest.approx(plain, nan_ok=True)
    molar = statistics(replace(bolus(level=0.3), units=Units(concentration="nmol/L")))
    assert np.isnan(molar["level"]) and np.isnan(molar["clearance"])
    assert molar["spread"] == pytest.approx(plain["spread"])


def test_the_targets_own_samples_are_compared_with_the_others():
    study = bolus(level=0.3)
    target = study["7"].prefix(2)
    found = statistics(study.without("7"), target)
    assert found["own_level"] == pytest.approx(0.3, abs=0.06) and found["own_time"] == 0
    odd = replace(target, doses=(Dose(0.0, 1000.0, "iv_bolus"),))
    assert statistics(study.without("7"), odd)["own_dose"] == pytest.approx(np.log(10))


def test_the_simulator_is_not_imported():
    code = (
        "import sys; from agmpk.evaluation.familiar import familiarity; "
        "sys.exit(any(m.startswith(('agmpk.prior', 'agmpk.training', 'agmpk.paper', 'torch'))"
        " for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_study_without_samples_is_refused():
    nobody = Study("made up", (Individual("1", [], [], (Dose(0.0, 1.0),)),))
    with pytest.raises(AgmpkError, match="no quantified sample"):
        familiarity(nobody)


@pytest.fixture(scope="module")
def answers():
    """Alarms of fresh studies, with the target's samples, by stress."""
    found = {name: [] for name in STRESSES}
    for name, context, target in stressed_questions(load_prior("clinic"), 40, seed=71):
        found[name].append(familiarity(context, target))
    return found


def test_false_alarms_are_rare_on_fresh_studies():
    asked = list(questions(load_prior("clinic"), 100, seed=72))
    p = np.array([familiarity(context, target).p_value for context, target in asked])
    # Of 100 at 4 %: more than 10 has a chance of 1 in 300; and p-values are spread evenly.
    assert (p < ALARM).sum() <= 10 and 0.35 < p.mean() < 0.65


def test_mistakes_are_noticed_far_more_often_than_nothing(answers):
    share = {name: np.mean([not one.familiar for one in found]) for name, found in answers.items()}
    assert share["concentrations times 1000"] > 0.5
    assert share["minutes taken for hours"] > 0.35
    assert share["ten-fold doses in a third of the people"] > 0.5
    assert share["time that runs backwards"] > 0.4
    assert share["levels that fall by a half with each dose"] > 0.3


def test_the_sentence_names_what_is_odd(answers):
    odd = [one for one in answers["concentrations times 1000"] if not one.familiar]
    assert all(isinstance(one, Familiarity) for one in odd)
    for one in odd:
        assert "outside" in one.sentence and one.likely in one.sentence
        assert str(one.worst[0]["value"]) in one.sentence and "\n" not in one.sentence
    inside = [one for one in answers[AS_IS] if one.familiar]
    assert all("within what the prior draws" in one.sentence for one in inside)


def test_the_stored_reference_is_small_and_its_measured_power_is_stated():
    folder = data_path("calibration")
    assert sum(f.stat().st_size for f in folder.glob("familiar*")) < 500_000
    assert set(STATISTICS) <= set(pd.read_csv(folder / "familiar.csv.gz", nrows=5))
    power = pd.read_csv(folder / "familiar_power.csv").set_index("stress")
    assert set(power.index) == set(STRESSES)
    assert power.loc[AS_IS, "alarms"] <= 0.05 + 1.65 * power.loc[AS_IS, "error"]


def test_real_cohorts_are_answered():
    for name, study in development_studies().items():
        found = familiarity(study)
        assert 0 < found.p_value <= 1 and study.compound in found.sentence, name
