"""Learning curves over prefix and context."""

import numpy as np
import pytest

from agmpk.evaluation.calibration import learning_cases, learning_curves, learning_table
from agmpk.forecasting.forecaster import NaiveForecaster


def test_learning_cases_share_targets_and_nest_contexts(gaussian):
    study = gaussian.studies(1, 5)["toy0"]
    found = list(learning_cases("toy0", study, [0, 4], range(5), seed=1))
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


def test_the_exact_law_does_not_learn_from_the_context(gaussian):
    study = gaussian.studies(1, 30)["toy0"]
    rows = learning_curves(gaussian.Exact(), {"toy0": study}, [4], [1, 5, 20, 50], 100).rows
    assert set(rows.context) == {1, 5, 20}  # of 29
    table = learning_table(rows, ["context"]).set_index(["score", "context"])
    inside = table.value["in_90"]
    assert inside.between(0.8, 1.0).all() and inside.max() - inside.min() < 1e-12
