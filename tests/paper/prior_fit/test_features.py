"""Features of cohorts where they are known, and their place among simulated ones."""

import ast
from pathlib import Path

import numpy as np
import pytest

import agmpk.paper.prior_fit as package
from agmpk.evaluation import development_studies
from agmpk.paper.prior_fit.compare import (
    DESIGN_FEATURES,
    FEATURES,
    cohort_table,
    curve_features,
    design_features,
    edge_table,
    rank_table,
    simulated_table,
)
from agmpk.prior import load_prior
from agmpk.studies import Dose, Individual, Study

TIMES = np.array([0.5, 1, 1.5, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24])


def cohort(level=0.0, slope=0.0, noise=0.0, people=60, seed=0):
    """One-compartment bolus curves whose ln level and ln slope have the given SDs."""
    rng = np.random.default_rng(seed)
    individuals = []
    for i in range(people):
        rate = 0.15 * np.exp(slope * rng.normal())
        log_y = level * rng.normal() - rate * TIMES + noise * rng.normal(size=len(TIMES))
        individuals.append(
            Individual(f"{i}", TIMES, np.exp(log_y), (Dose(0.0, 100.0, "iv_bolus"),))
        )
    return Study("made up", tuple(individuals))


def test_parallel_curves_differ_in_level_alone():
    found = curve_features(cohort(level=0.3))
    assert found["level"] == pytest.approx(0.3, rel=0.25)
    assert found["level_share"] == pytest.approx(1, abs=1e-6)
    assert found["sd_cmax"] == pytest.approx(found["level"], rel=1e-6)
    assert found["r_early_late"] == pytest.approx(1, abs=1e-6)
    assert max(found["sd_slope"], found["sd_tmax"]) < 1e-6


def test_slopes_that_differ_are_seen_as_such():
    found = curve_features(cohort(slope=0.3, people=300))
    assert found["sd_slope"] == pytest.approx(0.3, rel=0.15)
    assert found["r_late_slope"] < -0.5


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_roughness_is_the_noise_whatever_the_level(noise):
    found = curve_features(cohort(level=0.5, noise=noise))
    assert found["noise"] == pytest.approx(noise, rel=0.15)


def test_features_do_not_depend_on_the_unit_of_the_dose():
    study = cohort(level=0.3, slope=0.2, noise=0.1, people=8)
    scaled = Study(
        "made up",
        tuple(
            Individual(p.id, p.times, 1000 * p.concentrations, (Dose(0.0, 7.0, "iv_bolus"),))
            for p in study
        ),
    )
    assert curve_features(study) == pytest.approx(curve_features(scaled), rel=1e-6)


def test_designs_are_described_as_they_are():
    found = design_features(cohort())
    assert (found["individuals"], found["samples"], found["shared"]) == (60, 13, 1)
    assert (found["first_per_tmax"], found["before_peak"]) == (1, 0)
    assert found["dose_spread"] < 1e-9
    assert found["last_per_half_life"] == pytest.approx(24 * 0.15 / np.log(2), rel=1e-6)
    assert found["fall"] == pytest.approx(0.15 * 23.5)
    assert found["early_share"] == pytest.approx(7 / 13)


def test_too_few_people_say_nothing():
    two = cohort(people=2)
    assert np.isnan([curve_features(two)[k] for k in ("sd_cmax", "level", "noise")]).all()
    nobody = design_features(Study("made up", ()))
    assert np.isnan(list(nobody.values())).all()


@pytest.fixture(scope="module")
def real():
    return cohort_table()


def test_every_cohort_has_a_place_in_the_prior(real):
    assert len(real) == len(development_studies())
    assert set(real["kind"]) == {"oral", "oral metabolite", "intravenous"}
    ranks = rank_table(real, simulated_table({"calibrated": load_prior("calibrated")}, 12))
    assert set(ranks["feature"]) == set(FEATURES) | set(DESIGN_FEATURES)
    assert ranks["rank"].between(0, 1).all() and (ranks["q5"] <= ranks["q95"]).all()
    edges = edge_table(ranks)
    assert (edges["outside"] <= edges["cohorts"]).all() and (edges["cohorts"] <= len(real)).all()


def test_a_place_is_a_rank(real):
    real = real.iloc[:1]
    simulated = real.loc[real.index.repeat(4)].assign(prior="p")
    for name in ("level", "shape"):
        simulated[name] = real[name].iloc[0] + np.array([-0.1, 0.0, 0.1, 0.2])
    ranks = rank_table(real, simulated).set_index("feature")["rank"]
    assert ranks["level"] == ranks["shape"] == pytest.approx(0.375)


def test_the_benchmark_takes_no_part():
    folder = Path(package.__file__).parent
    for path in folder.glob("*.py"):
        names = {
            getattr(node, "id", getattr(node, "attr", getattr(node, "value", "")))
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
        }
        assert "benchmark_studies" not in names and "benchmark" not in names, path.name
