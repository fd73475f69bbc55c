"""The fit finds what was hidden in simulated literature, keeps breadth and repeats."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from agmpk.cli.paper import prior_fit as main
from agmpk.errors import AgmpkError
from agmpk.paper.prior_fit.compare import distance_table, trial_summaries
from agmpk.paper.prior_fit.fit import (
    RANGES,
    SWITCHES,
    Limits,
    Space,
    changed,
    coordinate_search,
    effective_size,
    fit,
    get,
    held_out,
    importance_weights,
    moved,
    trial_pool,
)
from agmpk.paper.prior_fit.trials import be_trials, literature, simulated_trials
from agmpk.prior import load_prior
from agmpk.prior.laws import Law

V_ONLY = {"disposition.log_V": Limits(reach=0.6, trim_low=0.6, trim_high=0.6)}


@pytest.fixture(scope="module")
def start():
    return load_prior("extended").replace(disposition={"log_V": Law(3.0, 5.0)})


@pytest.fixture(scope="module")
def articles(start):
    """Simulated trials of another volume in the place of articles."""
    truth = start.replace(disposition={"log_V": Law(4.0, 6.0)})
    return simulated_trials(be_trials(truth, (24.0, 48.0)), seed=99, blocks=1).iloc[:60]


@pytest.fixture(scope="module")
def pool(start, articles):
    """The trials that two tests fit from."""
    return trial_pool(Space(start, V_ONLY, ()), articles, 1, 8)


def test_a_hidden_shift_of_the_volume_is_found(start, articles, pool):
    result = fit(Space(start, V_ONLY, ()), articles, pool)
    found = result.config.disposition.log_V
    # The price of a value outside keeps the range wider than the truth, but not elsewhere.
    assert 0.5 * (found.low + found.high) == pytest.approx(5.0, abs=0.4)
    assert found.high >= 5.8 and found.high - found.low <= 3.2
    assert result.objective[1] < 0.5 * result.objective[0]
    # Nothing else was touched.
    back = result.config.replace(name=start.name, disposition={"log_V": Law(3.0, 5.0)})
    assert back == start


def test_weights_are_those_of_the_candidate_alone():
    rng = np.random.default_rng(0)
    pool = pd.DataFrame({"g.x": rng.uniform(0, 4, 4000), "g.s": rng.random(4000) < 0.3})
    pool["g.s"] = pool["g.s"].astype(float)
    weights = importance_weights(pool, {"g.x": Law(1.0, 2.0), "g.s": 0.6}, {"g.s": 0.3})
    assert np.average(pool["g.x"], weights=weights) == pytest.approx(1.5, abs=0.03)
    assert np.average(pool["g.s"], weights=weights) == pytest.approx(0.6, abs=0.05)
    assert effective_size(np.array([1.0, 1, 0, 0])) == 2 and effective_size(np.zeros(3)) == 0


def test_the_search_finds_the_optimum_within_its_limits():
    start = load_prior("extended").replace(disposition={"log_V": Law(0.0, 10.0)})

    def objective(candidate):
        law = candidate["disposition.log_V"]
        return abs(law.low + 2) + abs(law.high - 3)

    ranges = {"disposition.log_V": Limits(reach=0.3, trim_high=0.25)}
    found, best = coordinate_search(Space(start, ranges, ()), objective)
    law = found["disposition.log_V"]
    assert (law.low, law.high) == pytest.approx((-2.0, 7.5)) and best == pytest.approx(4.5)


def test_the_fit_is_judged_on_articles_it_has_not_seen(start, articles, pool):
    rows = held_out(Space(start, V_ONLY, ()), articles, pool[: 4 * 64], 1, splits=1)
    assert len(rows) == 2 and (rows["articles"] == 30).all()
    # A hidden shift of the volume is true of both halves.
    assert (rows["held_out_after"] < 0.7 * rows["held_out_before"]).all()
    assert (rows["fitted_after"] <= rows["held_out_after"] + 1.0).all()


def test_a_pool_that_is_too_thin_is_refused():
    space, articles = Space(load_prior("extended")), literature()
    with pytest.raises(AgmpkError, match="simulate more blocks"):
        fit(space, articles, trial_pool(space, articles, 1, blocks=1))


def test_the_command_writes_a_preset_that_loads_and_repeats(tmp_path):
    texts = []
    for name in ("a.yaml", "b.yaml"):
        out = tmp_path / name
        arguments = ["fit", "--blocks", "12", "--out", str(out)]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        texts.append(out.read_text())
    assert texts[0] == texts[1]
    assert load_prior(tmp_path / "a.yaml").name == "calibrated"


def test_a_missing_start_leaves_with_two_and_writes_nothing(tmp_path):
    out = tmp_path / "x.yaml"
    result = CliRunner().invoke(main, ["fit", "--start", "nowhere", "--out", str(out)])
    assert result.exit_code == 2 and "nowhere" in result.output and not out.exists()


def test_the_shipped_preset_keeps_the_breadth_of_its_start():
    shipped, start = load_prior("calibrated"), changed(load_prior("extended"))
    for path, limits in RANGES.items():
        inner = moved(get(start, path), -limits.trim_low, -limits.trim_high)
        outer, law = get(Space(start).broadened(), path), get(shipped, path)
        slack = 0.01 * abs(outer.high)
        assert outer.low - slack <= law.low <= inner.low + slack, path
        assert inner.high - slack <= law.high <= outer.high + slack, path


def test_everything_that_is_not_fitted_is_as_in_the_start():
    shipped, start = load_prior("calibrated"), changed(load_prior("extended"))
    a, b = shipped.to_dict(), start.to_dict()
    for path in (*RANGES, *SWITCHES):
        group, name = path.split(".")
        del a[group][name], b[group][name]
    assert a | {"name": ""} == b | {"name": ""}


@pytest.fixture(scope="module")
def compared():
    articles = literature()
    paper = load_prior("paper")
    law = paper.disposition.log_V
    priors = {
        "paper": paper,
        "broken": paper.replace(disposition={"log_V": Law(law.low + 3, law.high + 3)}),
        "calibrated": load_prior("calibrated"),
    }
    trials = trial_summaries(priors, articles, blocks=3, seed=8)
    return distance_table(trials, articles, repeats=20).set_index(["quantity", "prior"])


def test_a_volume_that_is_wrong_by_a_factor_of_twenty_is_caught(compared):
    row, fine = compared.loc["log_cmax", "broken"], compared.loc["log_cmax", "paper"]
    assert row["inside_95"] < 0.8 < 0.9 < fine["inside_95"]
    assert row["wasserstein"] > 3 * fine["wasserstein_high"] or row["wasserstein_low"] > 1
    # Quantities that do not depend on the volume do not care.
    free = [compared.loc["log_auc_per_cmax", name]["wasserstein"] for name in ("paper", "broken")]
    assert free[0] == pytest.approx(free[1], abs=0.05)


def test_the_calibrated_prior_is_the_nearer_one(compared):
    means = compared.loc["all"]["wasserstein"]
    assert means["calibrated"] < 0.8 * means["paper"]
    assert compared.loc["all"]["inside_95"]["calibrated"] > 0.94
