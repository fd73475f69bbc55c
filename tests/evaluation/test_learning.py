"""Learning curves over prefix and context."""

import numpy as np
import pytest
from agmpk.evaluation.learning import (
    CONTEXT_SIZES,
    change_with_context,
    learning_cases,
    learning_curves,
    learning_table,
)

from agmpk.forecasting.forecaster import Forecast, NaiveForecaster


def test_learning_cases_share_targets_and_nest_contexts(gaussian):
    study = gaussian.studies(1, 5)["toy0"]
    found = list(learning_cases("toy0", study, [0, 4], seed=1))
    assert len(found) == 5 * 5 * 2
    mine = [case for case in found if case.prefix.id == "2"]
    assert all(np.array_equal(case.times, gaussian.times[4:]) for case in mine)
    assert sorted({len(case.prefix) for case in mine}) == [0, 4]
    contexts = [set(case.context.ids) for case in mine if not len(case.prefix)]
    assert all(a < b for a, b in zip(contexts, contexts[1:], strict=False))
    assert "2" not in set().union(*contexts) and len(contexts[-1]) == 4


def test_learning_curves_fall_as_theory_says(gaussian):
    rows = learning_curves(
        gaussian.Exact(), gaussian.studies(10, 6), [0, 1, 8], [3], n_samples=200
    ).rows
    table = learning_table(rows, ["prefix"])
    crps = table[table.score == "crps"].set_index("prefix")
    for prefix in (0, 1, 8):
        assert crps.value[prefix] == pytest.approx(gaussian.crps(prefix), rel=0.25)
    # The naive forecaster learns the level from its context.
    naive = learning_curves(
        NaiveForecaster(), gaussian.studies(10, 6), [0], [1, 5], n_samples=50
    ).rows
    errors = naive.groupby("context").log_rmse.mean()
    assert errors[5] < errors[1]


def test_large_contexts_by_subsampling(gaussian):
    study = gaussian.studies(1, 30)["toy0"]
    found = list(learning_cases("toy0", study, [4], CONTEXT_SIZES, targets=3))
    assert len(found) == 3 * 5  # 1, 2, 5, 10 and 20 of 29
    assert {len(case.context) for case in found} == {1, 2, 5, 10, 20}
    assert len({case.prefix.id for case in found}) == 3
    rows = learning_curves(
        gaussian.Exact(), {"toy0": study}, [4], CONTEXT_SIZES, 100, targets=10
    ).rows
    table = learning_table(rows, ["context"]).set_index(["score", "context"])
    # The exact law does not learn from the context, so its scores stay.
    inside = table.value["in_90"]
    assert inside.between(0.8, 1.0).all() and inside.max() - inside.min() < 1e-12
    assert change_with_context(rows) == (0, 0, 0)


class Overconfident:
    """Intervals that shrink with the context, an error that grows with it."""

    name = "overconfident"

    def forecast(self, context, target, times, n_samples, seed):
        n = len(context)
        spread = np.random.default_rng(seed).normal(size=(n_samples, len(times))) / n
        return Forecast(np.asarray(times), np.exp(3.0 - 0.2 * times + 0.1 * n + spread))


def test_a_model_that_large_contexts_mislead_is_seen(gaussian):
    rows = learning_curves(
        Overconfident(), gaussian.studies(2, 12), [2], CONTEXT_SIZES, 100, targets=8
    ).rows
    assert change_with_context(rows).high < -0.2
    assert change_with_context(rows, "log_rmse", 1, 10).low > 0.2
