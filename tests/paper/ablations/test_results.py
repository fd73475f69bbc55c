"""Differences, margins, verdicts and sentences on results with known answers."""

import json

import numpy as np
import pandas as pd
import pytest

from agmpk.evaluation import benchmark_studies
from agmpk.files import PROJECT, data_path
from agmpk.paper.ablations.results import (
    BETTER,
    MEANINGS,
    PLACES,
    RESULTS,
    SAME,
    WORSE,
    first_version,
    groups,
    load_all,
    margin,
    paragraph,
    plan,
    results_table,
    verdict,
)
from agmpk.paper.ablations.run import DEFAULT, VARIANTS
from agmpk.training.config import TrainingConfig


def test_differences_of_a_known_shift(folder):
    table = results_table(load_all(folder)).set_index(["variant", "measure"])
    row = table.loc["no-context", "log_rmse"]
    assert (row.difference, row.low, row.high) == pytest.approx((0.2, 0.2, 0.2))
    # Seeds 0, 0.01, -0.01: SD 0.01; t_{0.975, 2} = 4.3027 (printed tables), one run against three.
    assert row.margin == pytest.approx(4.3027 * 0.01 * np.sqrt(4 / 3), rel=1e-4)
    assert row.verdict == WORSE
    assert row.naive - row.value == pytest.approx(0.1 - 0.2)
    assert table.loc[DEFAULT, "log_rmse"].verdict == ""


def test_a_shift_within_the_seeds_is_no_difference(made):
    stored = {name: made(name, shift) for name, shift in
              ((DEFAULT, 0.0), ("seed-1", 0.01), ("seed-2", -0.01), ("no-context", 0.04),
               ("prior-paper", -0.08))}  # fmt: skip
    table = results_table(stored)
    said = table[table.measure == "log_rmse"].set_index("variant").verdict
    assert said["no-context"] == SAME and said["prior-paper"] == BETTER
    two = results_table({k: v for k, v in stored.items() if k != "seed-2"})
    assert (two[two.group == "context"].verdict.iloc[0]) == "not judged"


def test_seeds_alone_rarely_pass_the_margin():
    """One run against the mean of n runs of the same law: beyond the margin in 5 % of cases."""
    rng = np.random.default_rng(0)
    beyond = []
    for _ in range(4000):
        seeds, run = pd.Series(rng.standard_normal(5)), rng.standard_normal()
        beyond.append(abs(run - seeds.mean()) > margin(seeds, len(seeds)))
    assert np.mean(beyond) == pytest.approx(0.05, abs=0.012)


def test_verdicts():
    assert verdict(-0.2, -0.3, -0.1, 0.05) == BETTER
    assert verdict(0.2, 0.1, 0.3, 0.05) == WORSE
    assert verdict(0.2, -0.1, 0.3, 0.05) == SAME
    assert verdict(0.04, 0.03, 0.05, 0.05) == SAME
    assert verdict(0.2, 0.1, 0.3, np.nan) == "not judged"


def test_the_words_follow_the_numbers(made):
    names = ((DEFAULT, 0.0), ("seed-1", 0.01), ("seed-2", -0.01))
    for shift, said, meant in ((0.2, "higher", "worse"), (-0.2, "lower", "better")):
        stored = {name: made(name, s) for name, s in (*names, ("no-context", shift))}
        table = results_table(stored)
        text = paragraph(table, "context")
        assert groups(table) == ["context"]
        assert f"0.200 {said}" in text and f"**{meant}**" in text
        assert MEANINGS["context"][meant] in text
        assert MEANINGS["context"]["same"] not in text


def test_what_ships_is_whole_and_up_to_date_with_itself():
    """The shipped results are those of the shipped variants, whatever the prior is by now."""
    out = PROJECT / "data" / "ablations"
    if not (out / "results.csv").is_file():
        pytest.skip("no ablations have been stored yet")
    shipped = pd.read_csv(data_path("ablations", "results.csv"), keep_default_na=True)
    made_again = results_table(load_all(out))
    for column in ("value", "difference", "margin"):
        np.testing.assert_allclose(shipped[column], made_again[column].astype(float), atol=1e-9)
    assert (shipped.verdict.fillna("") == made_again.verdict).all()


def test_nothing_stored_is_an_empty_table_and_a_plan_with_commands(tmp_path):
    assert list(results_table({}).columns) == RESULTS and not len(results_table({}))
    assert groups(results_table({})) == []
    rows = plan(tmp_path).set_index("variant")
    assert list(rows.index) == [v.name for v in VARIANTS] and set(rows.state) == {"not run"}
    assert rows.command["no-context"] == "agmpk paper ablations run --only no-context"


def test_the_plan_of_a_half_finished_folder(folder):
    rows = plan(folder).set_index("variant")
    done = rows.index[rows.state == "current"]
    assert set(done) == {DEFAULT, "seed-1", "seed-2", "no-context"}
    assert (rows.command == "").sum() == len(done)


def test_the_curves_mean_alone_can_tell_a_variant(made):
    """A start of independent numbers leaves each point's law as it was, and not the curve's."""
    stored = {n: made(n, s) for n, s in ((DEFAULT, 0), ("seed-1", 0.01), ("seed-2", -0.01))}
    white = made("process-white")
    white.individuals["crps_curve"] += 0.2
    table = results_table(stored | {"process-white": white})
    said = table[table.variant == "process-white"].set_index("measure").verdict
    assert (said["log_rmse"], said["crps_curve"]) == (SAME, WORSE)
    text = paragraph(table, "process")
    assert "CRPS of the curve's mean says worse" in text and MEANINGS["process"]["worse"] in text


def test_missing_scores_are_left_out_and_counted(made):
    stored = {n: made(n, s) for n, s in ((DEFAULT, 0), ("seed-1", 0.01), ("seed-2", -0.01))}
    one = made("no-context", 0.2)
    one.individuals.loc[:9, ["log_rmse", "crps", "crps_curve"]] = np.nan
    table = results_table(stored | {"no-context": one})
    row = table[(table.variant == "no-context") & (table.measure == "log_rmse")].iloc[0]
    assert row.n == 20 and row.difference == pytest.approx(0.2)


def test_the_record_of_the_first_version_agrees_with_itself():
    """Its verdicts follow from its own differences, intervals and margins by the rule above."""
    record = first_version()
    judged = record[record.verdict != ""]
    said = [verdict(r.difference, r.low, r.high, r.margin) for r in judged.itertuples()]
    assert list(judged.verdict) == said and record.variant.nunique() == 23
    # The value of its naive forecast is the same whatever the variant.
    rows = record[(record.measure == "log_rmse") & record.studies.isin(list(PLACES))]
    assert (rows.groupby("studies").naive.nunique() == 1).all()


def test_the_first_versions_seeds_have_all_compounds():
    record = pd.read_csv(data_path("ablations", "first_version", "benchmark_seeds.csv"))
    assert list(record.compound) == list(benchmark_studies())
    assert list(record.columns[1:]) == ["default", "seed-1", "seed-2", "seed-3", "seed-4"]
    assert record.iloc[:, 1:].notna().all(axis=None)


def test_the_record_of_the_rivals_is_that_of_the_checkpoints_that_ship():
    record = pd.read_csv(data_path("ablations", "rivals.csv"))
    shipped = record[record.ships == "yes"].set_index("network")
    assert sorted(shipped.index) == sorted(record.network.unique())
    for name, row in shipped.iterrows():
        folder = data_path("checkpoints", name)
        about = json.loads((folder / "checkpoint.json").read_text("utf-8"))
        last = pd.read_csv(folder / "validation.csv").iloc[-1]
        a_step = TrainingConfig.from_dict(about["training"]).studies
        assert row.studies == about["before"]["studies"] + last.step * a_step
        assert row.simulated == last.log_rmse
