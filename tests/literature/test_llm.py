"""The language-model path against a real HTTP server on loopback. No test says anything of a
model."""

import json

import pytest

from agmpk.errors import AgmpkError
from agmpk.literature.document import Document
from agmpk.literature.extract.engines import extract_document
from agmpk.literature.extract.llm.client import LlmClient, ServiceError
from agmpk.literature.extract.llm.engine import LlmEngine
from agmpk.literature.extract.llm.loopback import loopback_server, user_text
from agmpk.literature.extract.llm.prompts import load_prompt
from agmpk.literature.extract.llm.recordings import Recordings
from agmpk.literature.extract.llm.settings import LlmSettings, load_settings
from agmpk.paths import data_path

DOCUMENT = Document(
    "d",
    "Bioequivalence of amlodipine 10 mg tablets",
    "Cmax was 6.0 ± 1.5 ng/mL for the test and 6.3 ± 1.7 ng/mL for the reference.",
)
YES = {"single_trial": True, "reason": "one crossover trial"}
GOOD = {
    "cmax": {
        "value": 6.0,
        "unit": "ng/mL",
        "dispersion": 1.5,
        "dispersion_type": "SD",
        "quote": DOCUMENT.abstract,
    }
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
            return {"cmax": {"value": "six", "unit": "ng/mL", "quote": "x"}}
        return polite(request, number)

    record, engine = run(answer)
    assert record.cmax == 6.0
    assert "valid number" in json.dumps(seen[2]["messages"])
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
        import time

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
    assert set(line) == {"digest", "prompt", "id", "model", "origin", "answer", "usage"}
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
        ("base_url: 5", "must be a str"),
        ("model: [", "not valid YAML"),
        ("- a", "key: value"),
        ("timeout: -1", "negative"),
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


@pytest.mark.parametrize("name", ["truthful", "inventing"])
def test_the_shipped_recordings_replay_and_say_what_they_are(name, held_out):
    recordings = Recordings(data_path("literature", "recordings", f"{name}.jsonl"))
    lines = recordings._lines.values()
    assert all("not a language model" in line["origin"] for line in lines)
    engine = LlmEngine(recordings)
    records = [extract_document(document, engine) for document, _ in held_out]
    assert engine.cost.replayed == 2 * len(held_out) == len(recordings)
    assert any(r.cmax is not None for r in records) is (name == "truthful")
