"""Names are looked up; answers are kept; the model that leads is one of the family."""

import numpy as np
import pytest

from agmpk.errors import AgmpkError
from agmpk.evaluation import benchmark_studies, cases
from agmpk.forecasting.forecaster import NaiveForecaster
from agmpk.paper.lineup import Remembered, generative, leading, line_up, trained_on


class Counting(NaiveForecaster):
    asked = 0

    def forecast(self, *question):
        self.asked += 1
        return super().forecast(*question)


class Named:
    def __init__(self, name, generates=None):
        self.name = name
        if generates is not None:
            self.model = type("Network", (), {"generates": generates})()


def test_an_answer_is_made_once():
    case = cases("theophylline", benchmark_studies()["theophylline"], 4)[0]
    kept = Remembered(Counting())
    ask = (case.context, case.prefix, case.times)
    first, again = kept.forecast(*ask, 5, 1), kept.forecast(*ask, 5, 1)
    assert again is first and kept.forecaster.asked == 1
    other = kept.forecast(*ask, 5, 2)
    assert kept.forecaster.asked == 2 and not np.array_equal(other.samples, first.samples)
    kept.forecast(case.context, case.prefix, case.times[1:], 5, 2)
    kept.forecast(case.context, case.prefix.prefix(2), case.times, 5, 2)
    assert kept.forecaster.asked == 4


def test_names_are_kept_in_order_and_unknown_ones_refused():
    assert [one.name for one in line_up(["nlme", "naive"])] == ["nlme", "naive"]
    with pytest.raises(AgmpkError, match="no model 'nobody'"):
        line_up(["nobody"])


def test_a_network_that_needs_a_prefix_does_not_generate():
    three = [Named("naive"), Named("node", False), Named("flow", True)]
    assert [one.name for one in generative(three)] == ["naive", "flow"]


def test_the_flow_leads_before_the_rivals():
    assert leading([Named("naive"), Named("aicmet"), Named("flow"), Named("node")]).name == "flow"
    assert leading([Named("naive"), Named("node")]).name == "node"


def test_what_is_no_checkpoint_has_no_prior():
    with pytest.raises(AgmpkError, match="prior is unknown"):
        trained_on(["naive"], "naive")
