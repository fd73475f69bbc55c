"""Verdicts of invented claims and results whose answer is known."""

import math

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from agmpk.errors import AgmpkError
from agmpk.evaluation import published_table
from agmpk.paper.claims import (
    VERDICTS,
    Claim,
    Evidence,
    ablation_evidence,
    claims_html,
    forecast_evidence,
    from_table,
    judged,
    load_claims,
    mean_error,
    most_wins,
    ours,
    verdict,
)


def claim(direction, **more):
    words = {"sentence": "s", "published": "p", "chapter": "c", "anchor": "", "source": "x"}
    return Claim(id="one", measure="m", direction=direction, **words, **more)


def word(direction, value, low=math.nan, high=math.nan, **more):
    return verdict(claim(direction, **more), Evidence("m", value, low, high, n=10))[0]


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.51, 0.46, 0.54, "better"),  # all nearer to 0.5 than 0.55
        (0.51, 0.44, 0.54, "reproduced"),  # its other end is as far off on the other side
        (0.55, 0.50, 0.59, "reproduced"),
        (0.57, 0.57, 0.57, "reproduced"),
        (0.55, 0.50, 0.60, "inconclusive"),  # one end is beyond 0.57 + 0.02
        (0.60, 0.59, 0.65, "inconclusive"),
        (0.62, 0.60, 0.64, "not reproduced"),
        (0.39, 0.36, 0.40, "not reproduced"),  # far below one half is as far off
        (0.66, 0.52, 0.80, "inconclusive"),  # few data decide nothing
    ],
)
def test_target(value, low, high, expected):
    assert word("target", value, low, high, ideal=0.5, figure=0.57, spread=0.02) == expected


@pytest.mark.parametrize(
    ("direction", "value", "expected"),
    [
        ("higher", 13, "better"),
        ("higher", 12, "reproduced"),
        ("higher", 11, "not reproduced"),
        ("lower", 11, "better"),
        ("lower", 12, "reproduced"),
        ("lower", 13, "not reproduced"),
    ],
)
def test_counts_have_no_interval(direction, value, expected):
    assert word(direction, value, figure=12) == expected


def test_a_range_and_a_sign():
    assert word("within", 0.9, 0.8, 0.99, range=(0.88, 0.92)) == "inconclusive"
    assert word("within", 0.9, 0.89, 0.91, range=(0.88, 0.92)) == "reproduced"
    assert word("within", 0.95, 0.93, 0.99, range=(0.88, 0.92)) == "not reproduced"
    assert word("holds", 0.1, 0.01, 0.2) == "reproduced"
    assert word("holds", 0.1, -0.01, 0.2) == "inconclusive"
    assert word("holds", -0.1, -0.2, -0.01) == "not reproduced"


def test_less_data_never_make_a_verdict_kinder():
    """A wider interval around the same value goes to inconclusive, from any verdict."""
    for value in (0.50, 0.56, 0.64, 0.70):
        words = [
            word("target", value, value - h, value + h, ideal=0.5, figure=0.57, spread=0.02)
            for h in (0.001, 0.01, 0.03, 0.1, 0.3)
        ]
        assert words[-1] == "inconclusive" and words[0] != "inconclusive"
        changed = words.index("inconclusive")
        assert set(words[changed:]) == {"inconclusive"}
        assert "not reproduced" in words or set(words[:changed]) <= {"better", "reproduced"}


def test_what_cannot_be_checked_says_why():
    assert verdict(claim("holds"), None) == ("not checkable", "no such result in this run")
    assert verdict(claim("holds"), Evidence("m", math.nan, note="because"))[1] == "because"
    assert verdict(claim("none", why="no scale"), Evidence("m", 1.0))[1] == "no scale"
    few = claim("holds", needs=20, unit="compounds")
    assert verdict(few, Evidence("m", 1.0, n=2))[1] == "rests on 2 of the 20 compounds it needs"


def test_a_claim_that_nothing_can_decide_is_refused():
    for direction in ("higher", "target", "within", "none", "sideways"):
        with pytest.raises(AgmpkError, match="one"):
            claim(direction)
    with pytest.raises(AgmpkError, match="Claim 'a' does not know colour"):
        load_claims("[{id: a, colour: red}]")
    with pytest.raises(AgmpkError, match="Claim 'a' lacks sentence"):
        load_claims("[{id: a}]")


def results(**errors):
    """Mean errors by model and compound (A, B, C), two individuals each."""
    rows = [
        {"model": m, "compound": c, "individual": i, "n_target": 3, "log_rmse": e + d}
        for m, es in errors.items()
        for c, e in zip("ABC", es, strict=True)
        for i, d in (("1", 0.05), ("2", -0.05))
        if not math.isnan(e)
    ]
    return pd.DataFrame(rows)


TABLE = results(flow=[0.2, 0.5, 0.3], aicmet=[0.4, 0.3, 0.6], nlme=[0.3, 0.4, math.nan])


def test_wins_are_counted_by_compound():
    assert most_wins(TABLE, ["flow", "aicmet"], ["nlme"], "w").value == 3
    assert most_wins(TABLE, ["flow"], ["nlme"], "w").value == 2
    missing = most_wins(TABLE, ["flow"], ["node"], "w")
    assert math.isnan(missing.value) and "node" in missing.note


def test_beating_one_rival_counts_only_where_it_has_a_value():
    published = pd.DataFrame({"nlme": [0.5, 0.5, 0.5]}, index=list("ABC"))
    found = forecast_evidence(TABLE, published)[1]
    assert (found.value, found.n) == (2, 2)
    assert most_wins(TABLE, ["flow"], ["nlme"], "w", compounds=["B"]).value == 0


def test_mean_error_is_the_mean_over_compounds():
    assert mean_error(TABLE, "flow", "e").value == pytest.approx(1 / 3)


def test_the_naive_curve_competes_and_stands_beside():
    errors = {"flow": [0.3, 0.2, 0.2], "aicmet": [0.5] * 3, "nlme": [0.4, 0.4, math.nan]}
    rivals = {"transformer": [0.6] * 3, "node": [0.7] * 3, "naive": [0.1, 0.3, 0.3]}
    published = pd.DataFrame({"nlme": [0.5, 0.5, math.nan]}, index=list("ABC"))
    wins, nlme, error = forecast_evidence(results(**errors, **rivals), published)
    assert (wins.value, wins.n, nlme.value, nlme.n) == (2, 3, 2, 2)
    assert ours(wins) == "2 of 3; the naive curve in the family's place: 3 of 3"
    assert error.value == pytest.approx(0.7 / 3)
    without, _, _ = forecast_evidence(results(**errors), published)
    assert math.isnan(without.value) and "naive" in without.note


def test_the_figures_of_the_counts_are_those_of_the_published_table():
    table = published_table()
    figures = {claim.id: claim.figure for claim in load_claims()}
    family = table.idxmin(axis=1).isin(["pff", "aicmet"])
    assert figures["family-wins"] == family.sum() == 13
    parents = table.dropna(subset=["nlme"])
    assert figures["beats-nlme"] == (parents[["pff", "aicmet"]].min(axis=1) < parents.nlme).sum()


def ablation(**row):
    start = {"variant": "process-white", "studies": "default prior", "measure": "crps_curve"}
    start |= {"n": 50, "difference": 0.05, "low": 0.02, "high": 0.08, "margin": 0.01}
    return pd.DataFrame([start | row])


def test_a_gain_must_exceed_interval_and_seeds():
    def gain(**row):
        return {one.measure: one for one in ablation_evidence(ablation(**row))}["gain:reference"]

    assert gain(margin=0.01).low == pytest.approx(0.02)
    assert gain(margin=0.06).low == pytest.approx(-0.01)
    assert (gain().value, gain().high, gain().n) == (0.05, 0.08, 50)
    assert math.isnan(gain(margin=math.nan).value) and "few" in gain(margin=math.nan).note
    assert math.isnan(gain(variant="other").value) and math.isnan(gain(difference=math.nan).value)


def test_what_the_second_model_has_not_shown_is_not_checkable_yet():
    """Nothing stored, or stored without the variant: a reason, never a verdict."""
    claims = [one for one in load_claims() if one.chapter == "ablations"]
    assert {one.id for one in claims} == {"gp-reference", "continuum"}
    for table in (None, ablation(variant="no-context")):
        found = {one.measure: one for one in ablation_evidence(table)}
        rows = judged(claims, found).set_index("id")
        assert set(rows.verdict) == {"not checkable"} and rows.value.isna().all()
        assert "process-white has not been run" in rows.reason["gp-reference"]
        assert "has no such choice" in rows.reason["continuum"]
        # What the first version's record says stands beside it, and decides nothing.
        assert rows.reason.str.contains("first version, asked at own times only").all()


def test_a_stored_ablation_of_the_second_model_decides():
    (claim_,) = [one for one in load_claims() if one.id == "gp-reference"]
    for difference, word_ in ((0.05, "reproduced"), (-0.05, "not reproduced")):
        low, high = sorted((difference * 0.5, difference * 1.5))
        stored = ablation(difference=difference, low=low, high=high)
        found = {one.measure: one for one in ablation_evidence(stored)}
        assert verdict(claim_, found["gain:reference"])[0] == word_


def test_a_stored_table_gives_evidence():
    row = {"measure": "auc:flow", "value": 0.6, "low": 0.5, "high": 0.7, "n": 9}
    assert from_table(pd.DataFrame([row]))["auc:flow"] == Evidence("auc:flow", 0.6, 0.5, 0.7, 9)


def test_the_page_has_a_row_a_claim_and_links():
    claims = load_claims()
    table = judged(claims, {"error:flow": Evidence("error:flow", 0.41, n=20)})
    assert len(table) == len(claims) and set(table.verdict) <= set(VERDICTS)
    assert table.set_index("id").verdict["flow-error"] == "better"
    page = BeautifulSoup(claims_html(table, {"cohorts": "Cohorts"}, "Claims"), "html.parser")
    assert len(page.find_all("tr")) == len(claims) + 1
    links = {a["href"]: a.text for a in page.find_all("a")}
    assert links["cohorts.html#cohort-auc"] == "Cohorts" and "nlme.html" in links
    assert "@@" not in page.text
