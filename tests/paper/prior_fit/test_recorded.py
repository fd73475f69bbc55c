"""A recorded prior is the same prior, and what it recorded is what the studies are made of."""

import numpy as np
import torch

from agmpk.paper.prior_fit.trials import be_trials, recorded, study_draws, trial_block
from agmpk.prior import load_prior, simulate_block
from agmpk.prior.laws import Law

EXTENDED = be_trials(load_prior("extended"), (24.0,))


def test_recording_changes_no_study():
    plain, watched = (simulate_block(c, 7, 0) for c in (EXTENDED, recorded(EXTENDED)))
    assert torch.equal(plain.concentration, watched.concentration)
    assert torch.equal(plain.quantified, watched.quantified)


def test_draws_lie_in_their_ranges_and_differ_between_studies():
    watched = recorded(EXTENDED)
    simulate_block(watched, 7, 0)
    draws = study_draws(watched, 64)
    for path in ("disposition.log_V", "absorption.log_ka", "variability.sd_F", "absorption.lag"):
        group, name = path.split(".")
        law = getattr(getattr(EXTENDED, group), name)
        assert draws[path].shape == (64,) and draws[path].unique().numel() == 64
        assert law.low <= draws[path].min() and draws[path].max() <= law.high


def test_volumes_recorded_are_those_of_the_curves():
    """Ten times the volume is a tenth of the concentration, and nothing else."""
    one = EXTENDED.replace(disposition={"saturable_probability": 0.0})
    V = one.disposition.log_V
    larger = one.replace(disposition={"log_V": Law(V.low + np.log(10), V.high + np.log(10))})
    a, b = trial_block(one, 4, 0), trial_block(larger, 4, 0)
    np.testing.assert_allclose(b["disposition.log_V"] - a["disposition.log_V"], np.log(10))
    np.testing.assert_allclose(b["log_cmax"] - a["log_cmax"], -np.log(10), atol=1e-5)
    np.testing.assert_allclose(b["log_auc_per_cmax"], a["log_auc_per_cmax"], atol=1e-5)
