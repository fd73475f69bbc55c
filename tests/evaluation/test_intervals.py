"""Intervals that hold what they promise with ten people, comparisons by person and by compound."""

import numpy as np
import pandas as pd
import pytest

from agmpk.errors import AgmpkError
from agmpk.evaluation import (
    against_each,
    cluster_mean,
    intervals,
    paired_difference,
    people,
)


def test_cluster_mean_is_wider_where_values_go_together():
    rng = np.random.default_rng(0)
    own = np.repeat(rng.normal(size=40), 10)
    value, low, high = cluster_mean(own, np.repeat(np.arange(40), 10))
    assert value == pytest.approx(own.mean())
    exact = 2 * 1.96 * own.std() / np.sqrt(40)
    assert (high - low) == pytest.approx(exact, rel=0.1)
    _, near, far = cluster_mean(own, np.arange(400))
    assert (far - near) == pytest.approx(exact / np.sqrt(10), rel=0.1)
    assert np.isnan(cluster_mean(own, np.zeros(400)).low)
    assert cluster_mean([1.0, np.nan, 3.0], [1, 2, 3]).value == 2.0
    assert np.isnan(cluster_mean([np.nan, np.nan], [1, 2]).value)
    assert cluster_mean(np.ones((4, 3)), [1, 1, 2, 2]).low.shape == (3,)


def test_the_interval_of_ten_people_holds_in_95_percent():
    rng = np.random.default_rng(2)
    held = []
    for k in range(600):
        values = np.repeat(rng.normal(size=10), 5) + rng.normal(size=50)
        _, low, high = cluster_mean(values, np.repeat(np.arange(10), 5), draws=1000, seed=k)
        held.append(low < 0 < high)
    # A plain percentile interval holds in 0.90 to 0.91.
    assert np.mean(held) == pytest.approx(0.95, abs=0.025)


def test_the_same_person_in_several_studies():
    frame = pd.DataFrame(
        {
            "compound": ["caffeine", "paraxanthine", "theophylline", "S1", "S2"],
            "individual": ["4"] * 5,
        }
    )
    labels = people(frame)
    assert labels[0] == labels[1] and labels.nunique() == 4


def test_a_catalogue_says_which_studies_share_people(tmp_path, monkeypatch):
    folder = tmp_path / "development"
    folder.mkdir()
    (folder / "cohorts.csv").write_text(
        "cohort,source,people\nlow,x,trial 1\nhigh,x,trial 1\nother,x,\n"
    )
    monkeypatch.setenv("AGMPK_DATA", str(tmp_path))
    intervals._groups.cache_clear()
    try:
        frame = pd.DataFrame({"compound": ["low", "high", "other"], "individual": ["1"] * 3})
        labels = people(frame)
    finally:
        intervals._groups.cache_clear()
    assert labels[0] == labels[1] != labels[2]


def results(differences, seed=0):
    """Two models over compounds (rows) and individuals (columns); y - x is ``differences``."""
    rng = np.random.default_rng(seed)
    rows = []
    for c, row in enumerate(differences):
        for i, d in enumerate(row):
            x = rng.gamma(4, 0.1)
            for model, value in (("x", x), ("y", x + d)):
                rows.append((model, f"c{c}", f"p{c}-{i}", 5, value, 2 * value))
    names = ["model", "compound", "individual", "n_target", "log_rmse", "crps"]
    return pd.DataFrame(rows, columns=names)


def test_any_column_can_be_compared():
    table = results(np.full((4, 5), 0.1))
    assert paired_difference(table, "x", "y").mean == pytest.approx(-0.1)
    assert paired_difference(table, "x", "y", column="crps").mean == pytest.approx(-0.2)
    assert list(against_each(table, "x", column="crps").index) == ["y"]
    with pytest.raises(AgmpkError, match="no column 'mae'"):
        paired_difference(table, "x", "y", column="mae")
    with pytest.raises(AgmpkError, match="of the model 'z'"):
        paired_difference(table, "x", "z")
    with pytest.raises(AgmpkError, match="people or compounds"):
        paired_difference(table, "x", "y", unit="points")


def test_compounds_are_the_unit_of_new_compounds():
    # Within a compound everybody agrees; between compounds the sign changes.
    rng = np.random.default_rng(1)
    effect = rng.normal(0.05, 0.2, size=8)
    table = results(effect[:, None] + 0.01 * rng.normal(size=(8, 30)))
    by_people = paired_difference(table, "y", "x")
    by_compound = paired_difference(table, "y", "x", unit="compounds")
    assert by_compound.mean == pytest.approx(by_people.mean) and by_compound.n == 8
    width = [d.high - d.low for d in (by_people, by_compound)]
    # Standard errors sd / sqrt(240) and sd / sqrt(8).
    assert width[1] > 3 * width[0]
    # A compound counts once, however many people took it.
    unequal = pd.concat([results([[0.1] * 50]), results([[0], [-0.1]]).replace("c0", "c2")])
    assert paired_difference(unequal, "y", "x", unit="compounds").mean == pytest.approx(0, abs=1e-9)


def test_wilcoxon_counts_people_not_rows():
    # 8 people under 10 compounds of the cocktail; each person's rows share a difference of mean 0.
    names = ["caffeine", "paraxanthine", "omeprazole", "midazolam", "rosuvastatin", "digoxin"]
    rejected = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        own = rng.normal(size=8)
        rows = [
            (model, name, str(k), 5, value)
            for name in names[:5]
            for k in range(8)
            for model, value in (("x", 0.0), ("y", own[k] + 0.3 * rng.normal()))
        ]
        table = pd.DataFrame(
            rows, columns=["model", "compound", "individual", "n_target", "log_rmse"]
        )
        rejected.append(paired_difference(table, "x", "y", draws=50).p < 0.05)
    assert np.mean(rejected) < 0.15  # tests of rows reject in a third
