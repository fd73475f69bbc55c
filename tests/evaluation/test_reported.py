"""A value is scored by the law of values that are reported (Beal 2001, M2)."""

import numpy as np
import pytest
from scipy.stats import spearmanr, truncnorm

from agmpk.evaluation.compare import reported, score
from agmpk.evaluation.protocol import Scored, cases
from agmpk.forecasting.forecaster import Forecast
from agmpk.studies import Dose, Individual, Study, Units

LIMIT, MEAN, SD = 2.0, np.log(1.5), 0.6


def made(draws=4000, point=None):
    z = np.random.default_rng(0).standard_normal((draws, 3))
    return Forecast(np.arange(3.0), np.exp(MEAN + SD * z + [0, 3, -9]), point)


@pytest.mark.parametrize("known", [True, False])
def test_the_law_above_a_limit_is_the_truncated_normal(known):
    point = np.exp(MEAN + np.array([0, 3, -9])) if known else None
    before, after = made(point=point), reported(made(point=point), LIMIT)
    law = truncnorm((np.log(LIMIT) - MEAN) / SD, np.inf, MEAN, SD)
    assert np.log(after.pred[0]) == pytest.approx(law.mean(), abs=0.02)
    quantiles = np.quantile(np.log(after.samples[:, 0]), [0.1, 0.5, 0.9])
    assert quantiles == pytest.approx(law.ppf([0.1, 0.5, 0.9]), abs=0.04)
    assert after.pred[1] == pytest.approx(before.pred[1])  # far above the limit: as it was
    assert after.pred[2] == pytest.approx(LIMIT)  # no draw reaches it: the least reported
    assert spearmanr(before.samples[:, 0], after.samples[:, 0])[0] > 0.99  # curves stay curves
    assert reported(before, None) is before


def test_a_forecast_gains_nothing_by_being_too_high():
    """Where nine of ten samples are below the limit, the true law beats one that is shifted to the
    reported values."""
    rng = np.random.default_rng(1)
    mean, sd = np.log(LIMIT) - 1.28 * 0.5, 0.5

    class Law:
        def __init__(self, mean, sd):
            self.mean, self.sd = mean, sd

        def forecast(self, context, prefix, times, n_samples, seed):
            z = np.random.default_rng(seed).standard_normal((n_samples, len(times)))
            return Forecast(np.asarray(times), np.exp(self.mean + self.sd * z))

    people = []
    for i in range(40):
        y = np.exp(mean + sd * rng.standard_normal(12))
        low = y < LIMIT
        dose = (Dose(0.0, 1.0, "oral"),)
        people.append(Individual(str(i), np.arange(1, 13.0), np.where(low, LIMIT, y), dose, low))
    study = Study("s", tuple(people), Units("h", "mg/L", "mg"), LIMIT)
    values = np.concatenate([p.concentrations[~p.censored] for p in people])

    def error(law):
        rows = [score("m", Scored(c, c.ask(law, 400, 0))) for c in cases("s", study, 0)]
        return np.nanmean([r["crps"] for r in rows])

    assert error(Law(mean, sd)) < error(Law(np.log(values).mean() + 0.1, sd))
    published = cases("s", study, 0, "published")
    assert all(one.limit is None for one in published)
    assert all(one.limit == LIMIT for one in cases("s", study, 0))
