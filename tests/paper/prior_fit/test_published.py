"""Priors beside published models: quantities that are known, on both sides."""

import numpy as np
import pandas as pd
import pytest

from agmpk.paper.prior_fit.published import (
    CURVES,
    PARAMETERS,
    SHARES,
    cohort_curves,
    curve_row,
    prior_parameters,
    published_parameters,
    share_table,
)
from agmpk.paper.published_curves import published_models
from agmpk.paper.published_models import draw_study
from agmpk.prior import load_prior
from agmpk.prior.laws import Law


def test_parameters_of_the_models_are_the_tables():
    found = published_parameters().set_index("drug")
    assert len(found) == 60
    row = found.loc["zalcitabine"]
    assert row.ln_CL == pytest.approx(np.log(14.8)) and row.sd_CL == pytest.approx(0.23473)
    # One compartment: terminal half-life and ln 2 V/CL are the same.
    assert row.ln_half_life == pytest.approx(row.ln_V_per_CL) == np.log(np.log(2) * 87.6 / 14.8)
    two = found.loc["chloroquine"]
    assert two.ln_half_life > two.ln_V_per_CL
    # Occasions count: rifampicin's ka varies between subjects and occasions.
    assert found.loc["rifampicin"].sd_ka == pytest.approx(np.hypot(0.33764, 0.31385))


def test_parameters_of_a_prior_are_those_of_its_ranges():
    config = load_prior("clinic").replace(
        variability={
            "sd_ka": Law(0.4, 0.4),
            "sd_V": Law(0.3, 0.3),
            "tight_probability": 0.0,
        },
        absorption={"log_ka": Law(-1.0, -1.0), "lag_probability": 0.0},
        dosing={"oral_probability": 0.7},
    )
    found = prior_parameters(config, blocks=2)
    assert set(PARAMETERS) <= set(found) and set(SHARES) <= set(found)
    assert found["ln_ka"].dropna().to_numpy() == pytest.approx(-1.0)
    assert found["sd_ka"].median() == pytest.approx(0.4, rel=0.1)
    intravenous = found[found["oral"] == 0]
    assert intravenous["sd_V"].median() == pytest.approx(0.3, rel=0.1)
    assert found["oral"].mean() == pytest.approx(0.7, abs=0.15) and found["lag"].max() == 0
    shares = share_table(found.assign(prior="p")).set_index("share")
    assert shares.loc["lag", "p"] == 0
    assert shares.loc[[f"{n} compartment{'s' * (n > 1)}" for n in (1, 2, 3)], "p"].sum() == 1


def test_curves_give_back_the_parameters_they_were_made_with():
    model = next(m for m in published_models() if m.drug == "voriconazole")
    drawn = [draw_study(model, "single", np.random.default_rng(k)) for k in range(8)]
    rows = [curve_row(one.study) for one in drawn]
    found = pd.DataFrame(rows)
    assert found["clearance"].mean() == pytest.approx(np.log(6.17), abs=0.35)
    assert found["half_life"].mean() == pytest.approx(np.log(np.log(2) * 55.9 / 6.17), abs=0.35)
    assert found["tmax"].isna().all() and set(CURVES) <= set(found)


def test_cohorts_are_single_doses_of_parents():
    found = cohort_curves()
    # Of the five people of one tetracycline formulation no terminal slope can be estimated.
    without = set(found["cohort"][found["clearance"].isna()])
    assert len(found) >= 6 and without <= {"tetracycline-tetrachel"}
    assert not found["cohort"].str.startswith("s-methyl").any()
