"""What-if: measures against closed forms, past and planned doses, tables of plans."""

import numpy as np
import pytest

from agmpk.errors import AgmpkError
from agmpk.forecasting import Forecast, read_plans, whatif
from agmpk.forecasting.forecaster import NaiveForecaster
from agmpk.studies import Dose, Individual, Study

TIMES = np.array([1.0, 3.0, 6.0, 12.0, 13.0, 18.0, 24.0])
TWICE = (Dose(0.0, 100.0), Dose(12.0, 100.0))


class Oracle:
    """Knows that everybody is one of some people, and all of them; remembers the question."""

    name = "oracle"

    def __init__(self, people) -> None:
        self.people = people

    def forecast(self, context, target, times, n_samples, seed):
        self.context, self.target = context, target
        rows = [one.concentrations(target.doses, times) for one in self.people[:n_samples]]
        return Forecast(times, np.maximum(rows, 1e-12))


@pytest.fixture(scope="module")
def study(people, observe) -> Study:
    return observe(people(8, 3), [TWICE] * 8, TIMES, 0.1)


def test_measures_of_a_bolus_are_the_closed_form(person, study):
    clearances = np.linspace(2, 6, 201)
    oracle = Oracle([person(one, 40.0) for one in clearances])
    plan = {"bolus": Dose(12.0, 50.0, "iv_bolus", 0.0, 2, 8.0)}
    low, high = 0.5, 1.0
    found = whatif(oracle, study, None, 0, plan, (low, high), len(clearances)).table
    assert list(found.START) == [12, 20, 28] and list(found.END) == [20, 28, 36]
    ke, left = clearances / 40, 0.0
    for row in found.to_dict("records"):
        top = left + 50 / 40
        left = top * np.exp(-8 * ke)
        area = (top - left) / ke
        inside = np.clip(np.log(top / low) / ke, 0, 8) - np.clip(np.log(top / high) / ke, 0, 8)
        for name, values, near in (
            ("TROUGH", left, 0.02), ("CMAX", top, 0.02), ("AUC", area, 0.02), ("HOURS", inside, 0.1)
        ):  # fmt: skip
            for suffix, level in (("", 0.5), ("_Q05", 0.05), ("_Q95", 0.95)):
                right = np.quantile(values, level, method="weibull")
                assert np.isclose(row[name + suffix], right, rtol=near, atol=0.15 * (near > 0.02))
        within = (left >= low) & (left <= high)
        assert abs(row["P_TROUGH"] - within.mean()) < 0.02
        assert row["P_ALL"] <= row["P_TROUGH"]
        assert row["P_ALL"] == 0 or top.min() < high  # a peak above the window leaves it


def test_all_of_an_interval_inside(person, study):
    """An infusion that never ends its interval keeps the level of a steady state."""
    oracle = Oracle([person(5.0, 10.0)] * 5)
    drip = {"drip": Dose(0.0, 120.0, "iv_infusion", 24.0, 2, 24.0)}
    row = whatif(oracle, study, None, 0, drip, (0.9, 1.1), 5).table.iloc[-1]
    assert row.P_ALL == 1 and row.P_TROUGH == 1 and np.isclose(row.HOURS, 24)
    assert np.isclose(row.AUC, 24, rtol=1e-3) and np.isclose(row.CMAX, 1, rtol=1e-3)


def test_later_doses_of_the_study_give_way_to_the_plan(person, study):
    oracle = Oracle([person(4.0, 40.0)])
    plans = {"half": Dose(24.0, 50.0, additional=1, interval=6.0)}
    answer = whatif(oracle, study, "3", 3, plans, samples=1)
    assert oracle.target.doses == (TWICE[0], Dose(24.0, 50.0), Dose(30.0, 50.0))
    assert oracle.target.id == "3" and np.array_equal(oracle.target.times, TIMES[:3])
    assert "3" not in oracle.context.ids and len(oracle.context) == 7
    assert list(answer.table.END) == [30, 36]
    assert answer.forecasts["half"].times[0] > 6 and 24.0 in answer.forecasts["half"].times
    # A sample at the time of a dose is before it: the study's dose there stays, or is replaced.
    whatif(oracle, study, "3", 4, plans, samples=1)
    assert oracle.target.doses[:2] == TWICE
    now = {"now": Dose(12.0, 30.0)}
    table = whatif(oracle, study, "3", 4, now, samples=1).table
    assert oracle.target.doses == (TWICE[0], Dose(12.0, 30.0))
    assert list(table.END) == [24]  # as long as the interval before it
    longer = whatif(oracle, study, "3", 4, now, samples=1, until=40.0)
    assert list(longer.table.END) == [40]


def test_what_is_below_the_limit_until_then_is_shown(person, study):
    first = study["3"]
    marks = np.array([False, True, False, False, True, False, False])
    told = Individual("3", first.times, first.concentrations, first.doses, marks)
    others = [one for one in study if one.id != "3"]
    oracle = Oracle([person(4.0, 40.0)])
    plans = {"a": Dose(24.0, 50.0)}
    whatif(oracle, Study("s", (told, *others)), "3", 2, plans, samples=1)
    assert np.array_equal(oracle.target.times, TIMES[:3])
    assert list(oracle.target.censored) == [False, True, False]


def test_nothing_observed_means_nothing_past(person, study):
    oracle = Oracle([person(4.0, 40.0)])
    other = {"vein": Dose(0.0, 100.0, "iv_bolus")}
    answer = whatif(oracle, study, "2", 0, other, samples=1)
    assert oracle.target.doses == (other["vein"],) and len(oracle.context) == 7
    assert not len(oracle.target) and list(answer.table.END) == [24]
    whatif(oracle, study, None, 0, other, samples=1)
    assert len(oracle.context) == 8


def test_the_naive_forecast_of_twice_the_dose_is_twice_as_high(study):
    plans = {"as before": Dose(12.0, 100.0), "twice": Dose(12.0, 200.0)}
    answer = whatif(NaiveForecaster(), study, None, 0, {
        name: [Dose(0.0, dose.amount), dose] for name, dose in plans.items()
    }, (0.5, 2.0), 100, 4)  # fmt: skip
    once, twice = (answer.table[answer.table.PLAN == name] for name in plans)
    for name in ("TROUGH", "CMAX", "AUC", "AUC_Q05", "CMAX_Q95"):
        assert np.allclose(twice[name], 2 * once[name].to_numpy(), rtol=1e-6)
    again = whatif(NaiveForecaster(), study, None, 0, {"twice": [Dose(0.0, 200.0),
                   Dose(12.0, 200.0)]}, (0.5, 2.0), 100, 4)  # fmt: skip
    assert again.table.drop(columns="PLAN").equals(
        twice.drop(columns="PLAN").reset_index(drop=True)
    )


def test_a_picture_has_a_panel_a_plan(study):
    plans = {"a": Dose(24.0, 50.0), "b": Dose(24.0, 200.0)}
    answer = whatif(NaiveForecaster(), study, "1", 4, plans, (1.0, 2.0), 20)
    figure = answer.figure()
    assert [panel.get_title() for panel in figure.axes] == ["a", "b"]
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert {"median", "90 %", "window", "shown", "dose"} == set(labels)
    assert "no basis for dosing" in figure.get_supxlabel()


@pytest.mark.parametrize(
    "change, words",
    [
        ({"plans": {}}, "no plan"),
        ({"plans": {"early": Dose(5.0, 1.0)}}, "Plan early has a dose at 5 h, before the last"),
        ({"plans": {"none": ()}}, "Plan none has no dose"),
        ({"window": (20.0, 10.0)}, "from 20 to 10 is none"),
        ({"target_id": "99"}, "no individual 99"),
        ({"target_id": None}, "Of somebody new no sample"),
        ({"observed": -1}, "give 0 or more"),
        ({"until": 20.0}, "give a later end"),
        ({"plans": {"far": Dose(500.0, 1.0, "oral", 0.0, 1, 400.0)}, "naive": False}, "Plan far: "),
    ],
)
def test_questions_that_cannot_be_answered(change, words, study):
    class Unwilling(NaiveForecaster):
        def forecast(self, *question):
            raise AgmpkError("Too far.")

    asked = {"target_id": "1", "observed": 3, "plans": {"a": Dose(24.0, 50.0)}, "samples": 10}
    asked |= change
    model = NaiveForecaster() if asked.pop("naive", True) else Unwilling()
    with pytest.raises(AgmpkError, match=words):
        whatif(model, study, **asked)


def table(tmp_path, text: str):
    path = tmp_path / "plans.csv"
    path.write_text(text)
    return path


def test_a_table_of_plans_is_read_as_studies_are(tmp_path, study):
    path = table(tmp_path, (
        "# agmpk units: time=day\n"
        "Plan;Time;AMT;Route;Rate;ADDL;II\n"
        "twice a day;2;100;po;.;3;0,5\ndrip;2;60;infusion;240;.;.\ndrip;3;1,5;iv_bolus;.;.;.\n"
    ))  # fmt: skip
    assert read_plans(path, study) == {
        "twice a day": (Dose(48.0, 100.0, "oral", 0.0, 3, 12.0),),
        "drip": (Dose(48.0, 60.0, "iv_infusion", 6.0), Dose(72.0, 1.5, "iv_bolus")),
    }


def test_a_plan_without_a_route_takes_that_of_the_study(tmp_path, study):
    def with_routes(*routes):
        doses = [Dose(k * 1.0, 1.0, r, 1.0 * (r == "iv_infusion")) for k, r in enumerate(routes)]
        return Study("s", (Individual("1", [9.0], [1.0], tuple(doses)),))

    plain, timed = "PLAN,TIME,AMT\na,24,50\n", "PLAN,TIME,AMT,DUR\na,24,50,2\n"
    for routes, text, route in (
        (("oral",), plain, "oral"),
        (("oral",), timed, "iv_infusion"),
        (("iv_bolus",), plain, "iv_bolus"),
        (("iv_bolus", "iv_infusion"), timed, "iv_infusion"),
        (("iv_infusion",), timed, "iv_infusion"),
    ):
        (dose,) = read_plans(table(tmp_path, text), with_routes(*routes))["a"]
        assert dose.route == route
    with pytest.raises(AgmpkError, match="add a column ROUTE"):
        read_plans(table(tmp_path, plain), with_routes("oral", "iv_bolus"))
    with pytest.raises(AgmpkError, match="infusion has no duration; give it in DUR"):
        read_plans(table(tmp_path, plain), with_routes("iv_infusion"))


@pytest.mark.parametrize(
    "text, words",
    [
        ("PLAN,TIME\na,24\n", "has no column AMT: a table of plans has the columns PLAN, TIME"),
        ("ID,TIME,AMT\na,24,5\n", "has no column PLAN"),
        ("PLAN,TIME,AMT\na,24,many\n", "row 2, column AMT: many is text, not a number"),
        ("PLAN,TIME,AMT\na,24,-5\n", "row 2, column AMT: the amount -5 is negative"),
        ("PLAN,TIME,AMT,ADDL\na,24,5,3\n", "without an interval"),
        ("PLAN,TIME,AMT\na,24,5\nb,24,0\n", "plan b has no dose"),
        ("PLAN,TIME,AMT,SS,II\na,24,5,1,12\n", "a plan holds no steady state"),
        (
            "PLAN,TIME,AMT\na,24,5\na,24,5\n",
            "row 3, column TIME: the row repeats an earlier one; write the doses of each plan "
            "together, in order of time, each once.",
        ),
        ("", "the file is empty; begin with a header that names at least PLAN, TIME, AMT."),
        ("PLAN,TIME,AMT,EVERY\na,24,5,12\n", "has columns that plans do not know (EVERY)"),
        ("# agmpk units: dose=ug\nPLAN,TIME,AMT\na,24,5\n", "write both in one unit"),
        ("PLAN,TIME,AMT\n", "no row follows the header"),
        ("PLAN,TIME,AMT,ROUTE\na,24,5,nose\n", "the route nose is unknown"),
    ],
)
def test_faults_of_a_table_of_plans(text, words, tmp_path, study):
    with pytest.raises(AgmpkError) as error:
        read_plans(table(tmp_path, text), study)
    assert words in str(error.value) and "plans.csv" in str(error.value)
    assert str(error.value).count("\n") == 0
