"""The table and the data model say the same, and the command writes it piece by piece."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from agmpk.cli.train import simulate as command
from agmpk.prior import load_prior, simulate
from agmpk.prior.simulate import BLOCK
from agmpk.prior.table import UNITS, to_studies, to_table
from agmpk.studies import read_studies
from agmpk.studies.nonmem.write import to_frame

MIXED = load_prior("extended").replace(
    dosing={"repeated_probability": 0.5, "per_kg_probability": 0.5}, design={"horizons": (24.0,)}
)


def test_the_table_holds_what_the_studies_hold():
    batch = simulate(MIXED, 12, seed=9)
    frames = [to_frame(s).assign(STUDY=s.compound) for s in to_studies(batch, first=5)]
    # At the time of a dose the order of rows is tested below.
    order = ["STUDY", "ID", "TIME", "EVID"]
    expected, table = (
        frame.sort_values(order, kind="stable", ignore_index=True)
        for frame in (pd.concat(frames), to_table(batch, first=5))
    )
    pd.testing.assert_frame_equal(
        table[expected.columns], expected, check_dtype=False, check_exact=True
    )
    assert (table["CENS"] == 1).any()
    assert (table.groupby(["STUDY", "ID"])["EVID"].sum() > 1).any()
    weights = table.groupby(["STUDY", "ID"])["WT"].nunique()
    assert (weights == 1).all() and (table["WT"] != 70).any()


def test_the_table_reads_back(tmp_path):
    batch = simulate(MIXED, 8, seed=9)
    file = tmp_path / "sim.csv"
    to_table(batch).to_csv(file, index=False)
    found = read_studies(file)
    for mine, read in zip(to_studies(batch), found.values(), strict=True):
        assert mine.ids == read.ids and (mine.lloq or 0) == pytest.approx(read.lloq or 0)
        for a, b in zip(mine, read, strict=True):
            assert np.array_equal(a.times, b.times) and np.array_equal(a.censored, b.censored)
            assert np.array_equal(a.concentrations, b.concentrations)
            assert a.doses == b.doses


def test_the_command_streams_the_same_table(tmp_path):
    out = tmp_path / "sim.csv"
    result = CliRunner().invoke(
        command, ["--preset", "paper", "--studies", str(BLOCK + 3), "--seed", "4", "--out", out]
    )
    assert result.exit_code == 0, result.output
    expected = to_table(simulate(load_prior("paper"), BLOCK + 3, seed=4))
    expected.to_csv(tmp_path / "whole.csv", index=False, lineterminator="\n")
    first, _, rest = out.read_bytes().partition(b"\n")
    assert rest == (tmp_path / "whole.csv").read_bytes()
    assert first == b"# agmpk units: time=h concentration=mg/L dose=mg"
    # Without that line a reader would take the values for ng/mL.
    assert {one.units for one in read_studies(out).values()} == {UNITS}


def test_a_failed_command_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("stopped")

    monkeypatch.setattr("agmpk.prior.table.to_table", fail)
    CliRunner().invoke(command, ["--studies", "1", "--out", tmp_path / "sim.csv"])
    assert not list(tmp_path.iterdir())


def test_a_trough_stands_in_the_row_before_its_dose():
    batch = simulate(load_prior("clinic"), 64, seed=3)
    table = to_table(batch)
    doses = int(batch.dosed.sum())
    assert (table["EVID"] == 1).sum() == doses and table.loc[table["EVID"] == 1, "AMT"].gt(0).all()
    after, before = table.iloc[1:].reset_index(drop=True), table.iloc[:-1].reset_index(drop=True)
    alike = (after[["STUDY", "ID", "TIME"]] == before[["STUDY", "ID", "TIME"]]).all(axis=1)
    assert alike.sum() > 20
    assert (before["EVID"][alike] == 0).all() and (after["EVID"][alike] == 1).all()
    assert set(table["ROUTE"].dropna()) == {"oral", "iv_bolus", "iv_infusion"}
