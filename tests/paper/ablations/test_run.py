"""A run trains what is missing and nothing else; damaged results are refused."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from agmpk.cli.paper import ablations as main
from agmpk.errors import AgmpkError
from agmpk.paper.ablations import run as running
from agmpk.paper.ablations.results import load_all, plan
from agmpk.paper.ablations.run import (
    COLUMNS,
    DEFAULT,
    find,
    is_current,
    load,
    run_variant,
    save,
    settings,
    trained,
)
from agmpk.training.run import Learner

SHORTER = {"steps": 1}


def state(name, out):
    return plan(out).set_index("variant").state[name]


def test_a_run_is_stored_once_and_resumes(few, tmp_path, monkeypatch):
    out, work = tmp_path / "out", tmp_path / "work"
    run_variant(DEFAULT, settings(find(DEFAULT), **SHORTER), out, work)
    first = load(out, DEFAULT)
    assert first.settings["training"]["steps"] == 1 and len(first.individuals)
    assert is_current(find(DEFAULT), out, **SHORTER)
    assert not is_current(find(DEFAULT), out), "a rehearsal is not the result"
    monkeypatch.setattr(Learner, "step", None)  # would fail if it were called
    # A variant that lost its result is scored from its finished run and gives the same rows.
    (out / "variants" / "default.json").unlink()
    run_variant(DEFAULT, settings(find(DEFAULT), **SHORTER), out, work)
    columns = [c for c in COLUMNS if c != "seconds"]
    pd.testing.assert_frame_equal(
        load(out, DEFAULT).individuals[columns], first.individuals[columns]
    )


def test_networks_that_share_their_studies_are_trained_as_if_alone(few, tmp_path):
    both = [settings(find(name), **SHORTER) for name in (DEFAULT, "set")]
    (flow, _), _ = trained(both, tmp_path / "together")
    ((alone, _),) = trained(both[:1], tmp_path / "alone")
    for mine, other in zip(flow.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)


def test_the_command_leaves_finished_variants_alone(few, tmp_path, monkeypatch):
    call = ["run", "--only", DEFAULT, "--only", "prior-paper", "--steps", "2"]
    call += ["--out", str(tmp_path / "out"), "--work", str(tmp_path / "work")]
    assert "default: done\n" in CliRunner().invoke(main, call, catch_exceptions=False).output
    own = load(tmp_path / "out", "prior-paper").individuals.studies.unique()
    assert list(own) == ["development", "default prior", "own prior"]
    monkeypatch.setattr(running, "train_together", None)  # would fail if it were called
    again = CliRunner().invoke(main, call, catch_exceptions=False)
    assert again.output.split("\n")[:2] == ["default: stored", "prior-paper: stored"]
    table = pd.read_csv(tmp_path / "out" / "results.csv")
    assert set(table.variant) == {DEFAULT, "prior-paper"}


@pytest.mark.parametrize("name", ["set", "diffusion", "process-white", "no-context"])
def test_other_networks_are_trained_and_scored_alike(few, tmp_path, name):
    run_variant(name, settings(find(name)), tmp_path / "out", tmp_path / "work")
    rows = load(tmp_path / "out", name).individuals
    assert set(rows.studies) == {"development", "default prior"}
    assert np.isfinite(rows[["log_rmse", "crps", "crps_curve", "log_rmse_naive"]]).all(axis=None)


def test_results_are_written_from_what_is_stored(folder):
    call = ["run", "--only", DEFAULT, "--out", str(folder)]
    said = CliRunner().invoke(main, call, catch_exceptions=False).output
    assert said == "default: stored\n"
    assert set(pd.read_csv(folder / "results.csv").variant) >= {DEFAULT, "no-context"}
    said = CliRunner().invoke(main, ["list", "--out", str(folder)], catch_exceptions=False).output
    assert said.count(": current; ") == 4 and said.count(": not run; ") == 13


def test_another_network_is_compared_where_the_options_of_both_agree(folder, made):
    for name in ("set", "diffusion"):
        one = made(name, 0.1)
        save(folder, name, one.settings, {}, one.individuals)
    assert {"set", "diffusion"} <= set(load_all(folder))
    wide = made("set", 0.1)
    values = json.loads(json.dumps(wide.settings))
    values["training"]["model"]["width"] = 96
    save(folder, "set", values, {}, wide.individuals)
    assert "set" not in load_all(folder)


def test_results_of_an_older_method_are_not_compared(folder, monkeypatch, made):
    monkeypatch.setattr(running, "VERSION", running.VERSION - 1)
    one = made("prior-paper", 0.1)
    save(folder, "prior-paper", one.settings, {}, one.individuals)
    monkeypatch.undo()
    assert "prior-paper" not in load_all(folder)


def test_a_rehearsal_does_not_replace_results():
    result = CliRunner().invoke(main, ["run", "--steps", "2"])
    assert result.exit_code == 2 and "--out" in result.output
    result = CliRunner().invoke(main, ["run", "--only", "nothing", "--out", "/tmp"])
    assert result.exit_code == 2 and "no ablation 'nothing'" in result.output


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: (f / "no-context.csv").write_text("studies\n"),
        lambda f: (f / "no-context.csv").unlink(),
        lambda f: (f / "no-context.json").write_text("{"),
        lambda f: _edit(f / "no-context.json", digest="0"),
        lambda f: _edit(f / "no-context.json", result={"name": "prior-paper"}),
        lambda f: _edit(f / "no-context.json", table="0"),
        lambda f: _edit(f / "no-context.json", settings={"training": {}}),
        lambda f: _misplaced(f),
    ],
)
def test_damaged_results_are_refused(folder, damage):
    load_all(folder)
    damage(folder / "variants")
    with pytest.raises(AgmpkError, match="no-context.* --only no-context"):
        load_all(folder)


def _edit(file, **changes):
    ((key, entry),) = json.loads(file.read_text()).items()
    file.write_text(json.dumps({key: entry | changes}))


def _misplaced(folder):
    """Results of another variant, whole but in the wrong place."""
    for suffix in (".json", ".csv"):
        (folder / f"seed-1{suffix}").rename(folder / f"no-context{suffix}")


def test_a_new_version_of_the_method_makes_what_is_stored_stale(folder, monkeypatch):
    assert state(DEFAULT, folder) == "current"
    monkeypatch.setattr(running, "VERSION", running.VERSION + 1)
    assert state(DEFAULT, folder) == "stale"


def test_missing_results_name_the_command(tmp_path):
    with pytest.raises(AgmpkError, match="agmpk paper ablations run"):
        load_all(tmp_path)
    assert state(DEFAULT, tmp_path) == "not run"


def test_variants_of_another_recipe_are_not_compared(folder, made):
    one = made("prior-paper", 0.1)
    values = json.loads(json.dumps(one.settings))
    values["training"]["steps"] = 5
    save(folder, "prior-paper", values, {}, one.individuals)
    assert set(load_all(folder)) == {DEFAULT, "seed-1", "seed-2", "no-context"}
    assert state("prior-paper", folder) == "stale"
