"""Summaries of simulated trials against one-by-one noncompartmental analysis and golden values."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from agmpk.evaluation.exposure import auc, nca
from agmpk.paper.prior_fit.trials import QUANTITIES, be_trials, comparable, summarize
from agmpk.prior import load_prior, simulate


@pytest.fixture(scope="module", params=["extended", "clinic"])
def trials(request):
    return simulate(be_trials(load_prior(request.param), (12.0, 24.0, 72.0)), 24, seed=3)


def test_summaries_are_those_of_the_individuals_one_by_one(trials):
    found = summarize(trials)
    for s in range(len(trials)):
        rows = []
        for i in range(trials.times.shape[1]):
            keep = trials.quantified[s, i]
            if not trials.present[s, i] or keep.sum() < 2:
                continue
            t = np.concatenate([[0.0], trials.times[s, i, keep].numpy()])
            y = np.concatenate([[0.0], trials.concentration[s, i, keep].numpy()])
            one = nca(t, y)
            assert one["AUC0_t"] == auc(t, y)
            dose = float(trials.dose_amount[s, i, 0])
            # mg/L of a dose in mg is 1000 ng/mL per mg.
            rows.append([1e3 * one["Cmax"] / dose, 1e3 * one["AUC0_t"] / dose, one["Tmax"], t[-1]])
        rows = np.array(rows)
        mean, cv = rows.mean(0), 100 * rows.std(0, ddof=1) / rows.mean(0)
        tmax = np.median(rows[:, 2])
        expected = {
            "log_cmax": np.log(mean[0]),
            "log_auc": np.log(mean[1]),
            "log_auc_per_cmax": np.log(mean[1] / mean[0]),
            "log_tmax": np.log(tmax),
            "tmax_per_t_last": tmax / rows[:, 3].max(),
            "cv_cmax": cv[0],
            "cv_auc": cv[1],
            "cv_tmax": cv[2],
        }
        assert set(expected) == set(QUANTITIES)
        for name, value in expected.items():
            assert float(found[name][s]) == pytest.approx(value, rel=1e-9), name


def test_a_trial_in_which_nothing_is_quantified_has_no_summary(trials):
    nothing = replace(trials, quantified=torch.zeros_like(trials.quantified))
    assert all(torch.isnan(v).all() for k, v in summarize(nothing).items() if k in QUANTITIES)


def test_the_design_is_that_of_a_bioequivalence_trial(trials):
    assert trials.dose_oral[trials.dosed].all() and not trials.is_metabolite.any()
    assert (trials.present.sum(1) == 24).all()
    assert (trials.dosed.sum(-1) == 1).all()
    amounts = trials.dose_amount[..., 0]
    assert torch.equal(amounts, amounts[:, :1].expand_as(amounts))


def test_distances_are_measured_on_logarithms():
    row = {name: 2.0 for name in QUANTITIES} | {"cv_tmax": 0.0}
    frame = comparable(pd.DataFrame([row]))
    assert frame["cv_auc"][0] == pytest.approx(np.log(2)) and frame["cv_tmax"][0] == 0
    assert frame["log_cmax"][0] == 2
