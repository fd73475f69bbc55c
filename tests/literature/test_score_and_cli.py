"""The score by hand, and the commands end to end."""

import json

import pytest
from click.testing import CliRunner
from literature_server import loopback_server, user_text
from literature_stand_in import EMPTY

from agmpk.cli.literature import literature
from agmpk.errors import AgmpkError
from agmpk.files import data_path
from agmpk.literature.document import read_jsonl
from agmpk.literature.schema import FIELDS
from agmpk.literature.score import same, score_records


def call(*arguments, error=None):
    result = CliRunner().invoke(literature, [str(a) for a in arguments])
    if error is None:
        assert result.exception is None, result.output + repr(result.exception)
        return result.output
    assert isinstance(result.exception, (AgmpkError, SystemExit))
    text = str(result.exception) + result.output
    assert error in text
    return text


def test_counts_by_hand():
    truth = [{"id": i, "truth": {"cmax": t}} for i, t in enumerate([1.0, 2.0, None, None, 5.0])]
    found = [{"id": i, "cmax": v} for i, v in enumerate([1.0, 2.5, 3.0, None, None])]
    row = score_records(found, truth).set_index("field").loc["cmax"]
    assert (row.tp, row.fp, row.fn, row.tn) == (1, 2, 2, 1)
    assert row.precision == pytest.approx(1 / 3) and row.recall == pytest.approx(1 / 3)
    with pytest.raises(AgmpkError, match="missing from the extraction"):
        score_records(found[1:], truth)


@pytest.mark.parametrize(
    ("field", "a", "b", "equal"),
    [
        ("cmax", 1.0, "1.0", True),
        ("cmax", 1.0, 1.01, False),
        ("cmax", None, 0.0, False),
        ("cmax_unit", "ng/mL", "ng·mL⁻¹", True),
        ("cmax_unit", "ng/mL", "µg/mL", False),
        ("auc0_t_unit", "h*ng/mL", "ng·h/mL", True),
        ("cmax_dispersion", "25.0-34.0", "25–34", True),
        ("compound", "Losartan potassium", "losartan", True),
        ("compound", "losartan", "valsartan", False),
        ("route", "oral", "Oral", True),
    ],
)
def test_when_two_values_are_the_same(field, a, b, equal):
    assert same(field, a, b) is equal


def test_from_xml_to_score(tmp_path):
    gold = data_path("literature", "gold")
    output = call("parse", gold / "jats", "--out", tmp_path / "docs.jsonl")
    assert "20 documents" in output
    call("extract", tmp_path / "docs.jsonl", "--out", tmp_path / "found.jsonl")
    found = read_jsonl(tmp_path / "found.jsonl")
    assert len(found) == 20
    assert set(FIELDS) | {"id", "evidence", "flags"} <= set(found[0])
    truth = [
        {**line, "id": f"PMC{99000000 + int(line['id'][1:])}"}
        for half in ("dev", "held_out")
        for line in read_jsonl(gold / f"{half}.jsonl")
        if line["kind"] == "article"
    ]
    (tmp_path / "truth.jsonl").write_text("\n".join(map(json.dumps, truth)))
    call("score", tmp_path / "found.jsonl", tmp_path / "truth.jsonl", "--out", tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_text().startswith("field,tp,fp,fn,tn,precision")
    assert "complete" in call("harmonize", tmp_path / "found.jsonl", "--out", tmp_path)
    assert (tmp_path / "reference.csv").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": "a", "title": "t"}\n{broken', "line 2"),
        ("[1]", "line 1"),
        ("", "no documents"),
        ('{"title": "t"}', "no 'id'"),
        ('{"id": "a"}', "no title"),
        ('{"id": "a", "title": 5}', "string"),
        ('{"id": "a", "title": "t"}\n{"id": "a", "title": "t"}', "twice"),
        ('{"id": "a", "title": "t", "tables": 5}', "tables"),
        ('{"id": "a", "tables": [5]}', "rows"),
    ],
)
def test_bad_input_leaves_nothing(tmp_path, content, message):
    source = tmp_path / "in.jsonl"
    source.write_text(content)
    call("extract", source, "--out", tmp_path / "out.jsonl", error=message)
    assert [p.name for p in tmp_path.iterdir()] == ["in.jsonl"]


def test_latin1_input_is_one_sentence(tmp_path):
    (tmp_path / "in.jsonl").write_bytes('{"id": "a", "title": "µ"}'.encode("latin-1"))
    call("extract", tmp_path / "in.jsonl", "--out", tmp_path / "o.jsonl", error="not UTF-8")


def test_replay_without_a_recording(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"id": "a", "title": "t"}')
    call(
        "extract",
        tmp_path / "in.jsonl",
        "--out",
        tmp_path / "o.jsonl",
        "--engine",
        "replay",
        error="no such recording",
    )


def test_llm_without_settings(tmp_path, monkeypatch):
    monkeypatch.delenv("AGMPK_LLM_BASE_URL", raising=False)
    (tmp_path / "in.jsonl").write_text('{"id": "a", "title": "t"}')
    call(
        "extract",
        tmp_path / "in.jsonl",
        "--out",
        tmp_path / "o.jsonl",
        "--engine",
        "llm",
        error="AGMPK_LLM_BASE_URL",
    )


def test_tables_may_be_plain_lists(tmp_path):
    line = {
        "id": "a",
        "title": "Bioequivalence of x tablets 5 mg",
        "abstract": "",
        "tables": [[["", "Test", "Reference"], ["Cmax (ng/mL)", "5.0 ± 1.0", "6.0 ± 1.0"]]],
    }
    (tmp_path / "in.jsonl").write_text(json.dumps(line))
    call("extract", tmp_path / "in.jsonl", "--out", tmp_path / "o.jsonl")
    assert read_jsonl(tmp_path / "o.jsonl")[0]["cmax"] == 5.0


def test_the_command_asks_a_model_and_reports_the_cost(tmp_path, monkeypatch):
    monkeypatch.delenv("AGMPK_LLM_BASE_URL", raising=False)
    text = "Cmax was 6.0 ± 1.5 ng/mL for the test and 6.3 ± 1.7 ng/mL for the reference."
    (tmp_path / "in.jsonl").write_text(
        json.dumps({"id": "a", "title": "Bioequivalence of x", "abstract": text})
    )

    def answer(request, number):
        if "yes or no" in user_text(request):
            return {"single_trial": True, "reason": "one"}
        spread = dict.fromkeys(("central_tendency", "dispersion", "dispersion_type"))
        return {**EMPTY, "cmax": {"value": 6.0, "unit": "ng/mL", "quote": text, **spread}}

    with loopback_server(answer) as url:
        config = {"base_url": url, "model": "stand-in", "price_input": 1000.0}
        (tmp_path / "llm.yaml").write_text(json.dumps(config))
        output = call(
            "extract",
            tmp_path / "in.jsonl",
            "--out",
            tmp_path / "out.jsonl",
            "--engine",
            "llm",
            "--config",
            tmp_path / "llm.yaml",
        )
    assert "2 requests" in output and "USD" in output
    assert read_jsonl(tmp_path / "out.jsonl")[0]["cmax"] == 6.0
    output = call(
        "extract",
        tmp_path / "in.jsonl",
        "--out",
        tmp_path / "again.jsonl",
        "--engine",
        "replay",
        "--recordings",
        tmp_path / "out.recordings.jsonl",
    )
    assert "2 answers replayed" in output
