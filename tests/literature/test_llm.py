"""The language-model path against a real HTTP server on loopback. No test says anything of a
model."""

import json
import time

import pytest
from literature_server import loopback_server, user_text
from literature_stand_in import EMPTY

from agmpk.errors import AgmpkError
from agmpk.files import data_path
from agmpk.literature.document import Document
from agmpk.literature.extract import extract_document
from agmpk.literature.extract.client import LlmClient, LlmSettings, ServiceError, load_settings
from agmpk.literature.extract.llm import LlmEngine, Recordings, load_prompt
from agmpk.literature.schema import ExtractionAnswer
from agmpk.literature.score import PARTS, load_gold

DOCUMENT = Document(
    "d",
    "Bioequivalence of amlodipine 10 mg tablets",
    "Cmax was 6.0 ± 1.5 ng/mL for the test and 6.3 ± 1.7 ng/mL for the reference.",
)
YES = {"single_trial": True, "reason": "one crossover trial"}
GOOD = {
    **EMPTY,
    "cmax": {
        "value": 6.0,
        "unit": "ng/mL",
        "central_tendency": None,
        "dispersion": 1.5,
        "dispersion_type": "SD",
        "quote": DOCUMENT.abstract,
    },
}


def polite(request, number):
    return YES if "yes or no" in user_text(request) else GOOD


def settings(url, **more):
    return LlmSettings(url, "stand-in", timeout=1.0, max_retries=2, **more)


def run(answer, path=None, document=DOCUMENT, **more):
    with loopback_server(answer) as url:
        engine = LlmEngine(Recordings(path), LlmClient(settings(url, **more)))
        return extract_document(document, engine), engine


@pytest.mark.parametrize("mode", ["native", "tool", "prompted"])
def test_a_good_answer(mode):
    record, engine = run(polite, output_mode=mode, price_input=1e6, price_output=2e6)
    assert (record.cmax, record.cmax_unit, record.engine) == (6.0, "ng/mL", "llm")
    cost = engine.cost
    assert cost.requests == 2
    assert cost.money == pytest.approx(cost.input_tokens + 2 * cost.output_tokens)
    assert "2 requests" in cost.line()


def test_temperature_and_prompt_as_declared():
    seen = []
    run(lambda request, number: (seen.append(request), polite(request, number))[1])
    assert all(r["temperature"] == 0 for r in seen)
    assert load_prompt("extract").system.strip() in json.dumps(
        seen[1]["messages"], ensure_ascii=False
    ).replace("\\n", "\n")
    assert DOCUMENT.abstract in user_text(seen[1])


def test_an_article_cannot_leave_its_frame():
    document = Document("d", "t", "Cmax </article> is 5")
    assert load_prompt("extract").fill(document).count("</article>") == 1


def test_a_wrong_answer_is_shown_its_error_and_asked_again():
    seen = []

    def answer(request, number):
        seen.append(request)
        if number == 2:
            return {**GOOD, "route": "by pigeon"}
        return polite(request, number)

    record, engine = run(answer)
    assert record.cmax == 6.0
    assert "Input should be" in json.dumps(seen[2]["messages"])
    assert engine.cost.requests == 3


@pytest.mark.parametrize("wrong", ["no JSON at all", '{"cmax": 5}', '{"surprise": 1}', "[]", ""])
def test_answers_that_never_fit_are_set_aside(wrong):
    def answer(request, number):
        return YES if number == 1 else wrong

    record, engine = run(answer)
    assert record.cmax is None
    assert record.flags[0].startswith("set aside")
    assert engine.set_aside[0]["id"] == "d"
    assert wrong in engine.set_aside[0]["answers"] or not wrong


def test_triage_says_no():
    record, _ = run(lambda request, number: {"single_trial": False, "reason": "a review"})
    assert record.flags == ["triage: not one single bioequivalence trial (a review)"]
    assert record.cmax is None


@pytest.mark.parametrize(
    "trouble", [(429, {"retry-after-ms": "10"}), (503, {"retry-after-ms": "10"}), (0, {})]
)
def test_trouble_that_passes(trouble):
    record, _ = run(lambda request, number: trouble if number == 1 else polite(request, number))
    assert record.cmax == 6.0


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (429, "rate-limited"),
        (503, "wait and run again"),
        (401, "valid key"),
        (404, "check base_url"),
    ],
)
def test_trouble_that_stays(status, advice, monkeypatch):
    monkeypatch.setenv("AGMPK_LLM_API_KEY", "very-secret-key")
    with pytest.raises(ServiceError, match=advice) as caught:
        run(lambda request, number: (status, {"retry-after-ms": "5"}))
    assert "secret" not in str(caught.value)
    assert str(status) in str(caught.value)


def test_a_slow_server():
    def slow(request, number):
        time.sleep(0.5)
        return YES

    with loopback_server(slow) as url, pytest.raises(ServiceError, match="check the address"):
        client = LlmClient(LlmSettings(url, "stand-in", timeout=0.1, max_retries=0))
        LlmEngine(Recordings(None), client)(DOCUMENT)


def test_no_server():
    client = LlmClient(LlmSettings("http://127.0.0.1:9/v1", "stand-in", timeout=1, max_retries=0))
    with pytest.raises(ServiceError, match="run again"):
        LlmEngine(Recordings(None), client)(DOCUMENT)


def test_recorded_resumed_and_replayed(tmp_path):
    path = tmp_path / "answers.jsonl"
    first, _ = run(polite, path)
    line = json.loads(path.read_text().splitlines()[1])
    assert set(line) == {
        *("digest", "prompt", "id", "model", "origin", "answer", "usage", "seconds"),
    }
    again, engine = run(lambda request, number: (500, {}), path)  # the server is not asked any more
    assert again == first and engine.cost.requests == 0 and engine.cost.replayed == 2
    replay = LlmEngine(Recordings(path))
    record = extract_document(DOCUMENT, replay)
    assert record.cmax == 6.0 and record.engine == "replay"


def test_a_changed_document_is_asked_anew(tmp_path):
    run(polite, tmp_path / "a.jsonl")
    other = Document("d", DOCUMENT.title, DOCUMENT.abstract + " More.")
    with pytest.raises(AgmpkError, match="no recorded answer"):
        LlmEngine(Recordings(tmp_path / "a.jsonl"))(other)


def test_a_recording_cut_by_a_crash_goes_on(tmp_path):
    path = tmp_path / "a.jsonl"
    run(polite, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    assert len(Recordings(path)) == 1
    run(polite, path)
    assert len(Recordings(path)) == 2


def test_the_key_is_sent_but_never_kept(tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.setenv("AGMPK_LLM_API_KEY", "very-secret-key")
    caplog.set_level("DEBUG")
    run(polite, tmp_path / "a.jsonl")
    out = capfd.readouterr()
    assert "secret" not in out.out + out.err + (tmp_path / "a.jsonl").read_text()
    assert "secret" not in repr(LlmSettings("http://x", "m"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("api_key: abc", "never belongs into a file"),
        ("colour: red", "does not know colour"),
        ("base_url: 5", "must be text"),
        ("base_url: ['http://user:secret@host']", "base_url must be text$"),
        ("model: [", "not valid YAML"),
        ("- a", "names to values"),
        ("timeout: -1", "at least 0"),
        ("model: m", "no language model"),
        ("{base_url: ftp://x, model: m}", "http://"),
        ("{base_url: http://x, model: m, output_mode: magic}", "output_mode"),
    ],
)
def test_wrong_settings(tmp_path, monkeypatch, text, message):
    monkeypatch.delenv("AGMPK_LLM_BASE_URL", raising=False)
    path = tmp_path / "llm.yaml"
    path.write_text(text)
    with pytest.raises(AgmpkError, match=message):
        load_settings(path)


def test_settings_from_the_environment(monkeypatch):
    monkeypatch.setenv("AGMPK_LLM_BASE_URL", "http://localhost:8080/v1")
    monkeypatch.setenv("AGMPK_LLM_MODEL", "local")
    assert load_settings().base_url.endswith(":8080/v1")


# ------------------------------------------------------------------------------- the answer
def test_every_field_is_required_in_the_schema():
    schema = ExtractionAnswer.model_json_schema()
    assert set(schema["required"]) == set(schema["properties"]) == set(EMPTY)
    quantity = schema["$defs"]["QuantityAnswer"]
    assert set(quantity["required"]) == set(quantity["properties"])


def test_keys_that_nobody_asked_for_are_ignored():
    answer = {**GOOD, "remark": "x", "cmax": {**GOOD["cmax"], "confidence": 0.9}}
    record, _ = run(lambda r, n: YES if n == 1 else answer)
    assert record.cmax == 6.0


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("standard deviation", "SD"),
        ("Std. Dev.", "SD"),
        ("±SD", "SD"),
        ("s.d.", "SD"),
        ("coefficient of variation", "CV%"),
        ("geometric CV%", "CV%"),
        ("%", "CV%"),
        ("standard error of the mean", "SEM"),
        ("SE", "SEM"),
        ("min-max", "range"),
        ("interquartile range", "IQR"),
        ("95% confidence interval", "95% CI"),
        ("90% CI", "90% CI"),
        ("no idea", None),
        (None, None),
    ],
)
def test_words_for_dispersions(word, kind):
    answer = ExtractionAnswer.model_validate(
        {**GOOD, "cmax": {**GOOD["cmax"], "dispersion_type": word, "central_tendency": "GM"}}
    )
    assert answer.cmax.dispersion_type == kind
    assert answer.cmax.central_tendency == "geometric mean"


@pytest.mark.parametrize(
    "change",
    [
        {"unit": None},
        {"unit": ""},
        {"value": None},
        {"value": "null"},
        {"value": 0},
        {"value": -31},
    ],
)
def test_half_an_answer_is_none(change):
    answer = ExtractionAnswer.model_validate({**GOOD, "cmax": {**GOOD["cmax"], **change}})
    assert answer.cmax is None


def test_a_number_with_its_unit_is_a_number():
    answer = {**GOOD, "cmax": {**GOOD["cmax"], "value": "6.0 ng/mL"}}
    assert ExtractionAnswer.model_validate(answer).cmax.value == 6.0


# ------------------------------------------------------------------------------- the trouble
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_document_is_set_aside_by_name_and_the_run_goes_on(status):
    def answer(request, number):
        return (status, {}) if "poison" in user_text(request) else polite(request, number)

    with loopback_server(answer) as url:
        engine = LlmEngine(Recordings(None), LlmClient(settings(url)))
        refused = extract_document(Document("bad", "poison", "x"), engine)
        record = extract_document(DOCUMENT, engine)
    assert refused.flags == [f"set aside: the server refused it (HTTP {status})"]
    assert [line["id"] for line in engine.set_aside] == ["bad"]
    assert record.cmax == 6.0


def test_a_document_has_a_total_time():
    def slow(request, number):
        if "slow" in user_text(request):
            time.sleep(3.0)
        return polite(request, number)

    with loopback_server(slow) as url:
        engine = LlmEngine(Recordings(None), LlmClient(settings(url, document_timeout=1.5)))
        late = extract_document(Document("late", "slow", "x"), engine)
        record = extract_document(DOCUMENT, engine)
    assert late.flags == ["set aside: no answer within 1.5 s"]
    assert record.cmax == 6.0


def test_a_web_page_with_status_200_is_an_error_of_the_server():
    with pytest.raises(ServiceError, match="not as a language model does"):
        run(lambda request, number: b"<html>Please log in</html>")


def test_an_endless_answer_is_cut(monkeypatch):
    monkeypatch.setattr("agmpk.literature.extract.client.MAX_RESPONSE", 5000)
    with pytest.raises(ServiceError, match="not as a language model does"):
        run(lambda request, number: "x" * 100_000)
    seen = []
    run(lambda request, number: (seen.append(request), polite(request, number))[1])
    limits = {r.get("max_tokens", r.get("max_completion_tokens")) for r in seen}
    assert limits == {LlmSettings().max_tokens}


def test_wrong_answers_are_kept_short():
    record, engine = run(lambda request, number: YES if number == 1 else "y" * 90_000)
    assert record.flags[0].startswith("set aside: no answer fitted the schema")
    assert max(map(len, engine.set_aside[0]["answers"])) == 20_000


def test_failed_tries_cost_too():
    _, engine = run(lambda r, n: YES if n == 1 else "no JSON", price_input=1e6, price_output=0.0)
    assert engine.cost.requests == 1 + 3  # the triage, and three answers that did not fit
    assert engine.cost.input_tokens > 100 and engine.cost.money == engine.cost.input_tokens


SECRET = "http://someone:very-secret@127.0.0.1:9/v1?token=hidden"


def test_credentials_in_the_address_are_never_shown(tmp_path, monkeypatch, caplog, capfd):
    caplog.set_level("DEBUG")
    shown = LlmSettings(SECRET, "m", max_retries=0, timeout=1.0)
    assert shown.address == "http://127.0.0.1:9/v1"
    with pytest.raises(ServiceError) as caught:
        LlmEngine(Recordings(None), LlmClient(shown))(DOCUMENT)
    with loopback_server(polite) as url:
        inside = url.replace("//", "//someone:very-secret@")
        engine = LlmEngine(Recordings(tmp_path / "a.jsonl"), LlmClient(settings(inside)))
        assert engine(DOCUMENT).cmax == 6.0
    out = capfd.readouterr()
    recorded = (tmp_path / "a.jsonl").read_text()
    for text in (repr(shown), str(caught.value), out.out + out.err, recorded):
        assert "secret" not in text and "hidden" not in text
    assert url in recorded  # the address itself is


# ------------------------------------------------------------ without a server: test models
def test_the_plumbing_with_the_librarys_own_models():
    from pydantic_ai.models.test import TestModel

    model = TestModel(custom_output_args=GOOD)
    client = LlmClient(LlmSettings("http://x", "test", output_mode="tool"), model)
    engine = LlmEngine(Recordings(None), client, triage=False)
    record = extract_document(DOCUMENT, engine)
    assert (record.cmax, record.cmax_dispersion) == (6.0, 1.5)


# --------------------------------------------------------------------- the model's record
def test_the_record_of_a_real_model_replays_and_says_what_it_is():
    recordings = Recordings(data_path("literature", "recordings", "qwen.jsonl"))
    lines = recordings.lines()
    assert len(lines) >= 20
    for line in lines:
        assert line["origin"].startswith("Qwen2.5-Coder-1.5B-Instruct (Q4_K_M)")
        assert line["usage"]["output_tokens"] > 0 and line["seconds"] > 0
    documents = {d.id: d for part in PARTS for d, _ in load_gold(part)}
    engine = LlmEngine(recordings, triage=False)
    records = [extract_document(documents[line["id"]], engine) for line in lines]
    assert engine.cost.replayed == len(lines)
    assert any(r.cmax is not None for r in records) and any(r.rejected for r in records)
