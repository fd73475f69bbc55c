"""The benchmark's spread over training seeds: what is stored, and how it is made."""

import pandas as pd

from agmpk.evaluation import benchmark_studies
from agmpk.paper.ablations import run as seeds
from agmpk.paper.ablations.variants import DEFAULT, find, settings
from agmpk.paths import data_path


def test_three_or_more_seeds_are_stored_for_all_compounds_and_current():
    stored = pd.read_csv(data_path("ablations", seeds.SEEDS_FILE), dtype={"individual": str})
    wanted = {v.name: seeds.made_with(v) for v in seeds.seed_variants()}
    assert len(wanted) >= 3
    assert dict(stored.groupby("model").made_with.first()) == wanted
    individuals = sum(len(study) for study in benchmark_studies().values())
    assert (stored.groupby("model").size() == individuals).all()


def test_it_scores_each_seed_with_its_own_network(tmp_path, monkeypatch):
    few = {"indometacin": benchmark_studies()["indometacin"]}
    monkeypatch.setattr(seeds, "benchmark_studies", lambda: few)
    monkeypatch.setattr(seeds, "SEEDS_SAMPLES", 4)
    monkeypatch.setattr(seeds, "settings", lambda v: settings(v, steps=2, validate_every=2))
    chosen = [find(DEFAULT), find("seed-1")]
    monkeypatch.setattr(seeds, "seed_variants", lambda: chosen)
    said = []
    seeds.score_seeds(tmp_path, tmp_path / "work", said.append)
    rows = pd.read_csv(tmp_path / seeds.SEEDS_FILE)
    assert list(rows.model.unique()) == [DEFAULT, "seed-1"] and len(said) == 2
    errors = rows.pivot(index="individual", columns="model", values="log_rmse")
    assert (errors[DEFAULT] != errors["seed-1"]).all()
