"""Retrieval from a real HTTP server on loopback that misbehaves in every usual way."""

import json
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from Bio import Entrez

from agmpk.errors import AgmpkError
from agmpk.literature.retrieve import Eutils, RetrieveSettings, ServiceError, retrieve


@pytest.fixture
def settings(eutils):
    return RetrieveSettings(
        "someone@example.org", base_url=eutils.url, timeout=30.0, max_tries=3, pause=0.01
    )


@pytest.fixture
def waits():
    return []


@pytest.fixture
def client(settings, waits, monkeypatch):
    """Neither its waits nor Biopython's pace take any time."""
    paced = []
    clock = SimpleNamespace(time=lambda: time.time() + sum(paced), sleep=paced.append)
    monkeypatch.setattr(Entrez, "time", clock)
    monkeypatch.setattr(Entrez._open, "previous", 0.0)
    return Eutils(settings, sleep=waits.append)


def test_kept_refused_and_listed(eutils, settings, client, tmp_path):
    manifest = retrieve("q", tmp_path, settings, client=client)
    assert manifest.counts() == {"kept": 3, "refused": 1}
    assert {p.name for p in (tmp_path / "articles").iterdir()} == {
        "PMC1.xml",
        "PMC2.xml",
        "PMC3.xml",
    }
    saved = json.loads((tmp_path / "manifest.json").read_text())
    assert saved["query"] == "q" and saved["total"] == 4 and len(saved["date"]) == 10
    by_id = {e["pmcid"]: e for e in saved["entries"]}
    assert by_id["PMC1"]["licence"] == "CC BY 4.0" and by_id["PMC1"]["pmid"] == "99000001"
    assert by_id["PMC4"]["status"] == "refused"
    assert eutils.requests[0][1]["email"] == "someone@example.org"
    assert eutils.requests[0][1]["tool"] == "agmpk"


def test_the_rate_limit_is_kept(eutils, settings, tmp_path):
    retrieve("q", tmp_path, settings)
    times = [t for _, _, t in eutils.requests]
    assert min(b - a for a, b in zip(times, times[1:], strict=False)) > 0.3


def test_run_again_fetches_nothing(eutils, settings, client, tmp_path):
    retrieve("q", tmp_path, settings, client=client)
    before = len(eutils.requests)
    retrieve("q", tmp_path, settings, client=client)
    assert len(eutils.requests) == before


def test_trouble_that_passes(eutils, client, waits):
    eutils.plan = [(429, {"Retry-After": "7"}), (503, {})]
    assert client.search("q", 10)[0] == 4
    assert waits == [7.0, 0.02]


@pytest.mark.parametrize("step", ["cut", "short", "hang"])
def test_cut_short_and_slow_answers_are_tried_again(eutils, client, waits, step):
    if step == "hang":  # for 1.2 s
        client.settings = replace(client.settings, timeout=0.8)
    eutils.plan = [step]
    assert client.fetch("PMC1") == eutils.articles["PMC1"]
    assert len(waits) == 1


def test_interrupted_and_resumed(eutils, settings, client, tmp_path):
    eutils.plan = [None, None, *[(503, {})] * 3]
    with pytest.raises(ServiceError, match="run the same command again"):
        retrieve("q", tmp_path, settings, client=client)
    assert [p.name for p in (tmp_path / "articles").iterdir()] == ["PMC1.xml"]
    eutils.requests.clear()
    manifest = retrieve("q", tmp_path, settings, client=client)
    assert [q["id"] for _, q, _ in eutils.requests] == ["2", "3", "4"]
    assert manifest.counts() == {"kept": 3, "refused": 1}


def test_no_server():
    settings = RetrieveSettings("a@b.org", base_url="http://127.0.0.1:9/", max_tries=2)
    with pytest.raises(ServiceError, match="after 2 tries"):
        Eutils(settings, sleep=lambda s: None).search("q", 1)


def test_the_key_is_sent_but_never_shown(eutils, client, monkeypatch, settings, tmp_path):
    monkeypatch.setenv("NCBI_API_KEY", "very-secret-key")
    eutils.plan = [(400, {})]
    with pytest.raises(AgmpkError) as caught:
        client.search("q", 1)
    assert "secret" not in str(caught.value) and "secret" not in repr(settings)
    assert caught.value.__cause__ is None
    retrieve("q", tmp_path, settings, client=client)
    assert eutils.requests[-1][1]["api_key"] == "very-secret-key"
    assert b"secret" not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_another_query_needs_another_folder(settings, client, tmp_path):
    retrieve("q", tmp_path, settings, client=client, limit=1)
    with pytest.raises(AgmpkError, match="another query"):
        retrieve("r", tmp_path, settings, client=client)


def test_a_hostile_article_is_noted_and_the_rest_kept(eutils, settings, client, tmp_path):
    eutils.articles["PMC2"] = b'<!DOCTYPE a [<!ENTITY b "ha">]><article>&b;</article>'
    manifest = retrieve("q", tmp_path, settings, client=client)
    assert manifest.entries["PMC2"].status == "unreadable"
    assert manifest.counts()["kept"] == 2


def test_a_full_disk(eutils, settings, client, tmp_path, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agmpk.literature.retrieve.atomic_path", full)
    with pytest.raises(AgmpkError, match=r"No space left on device\); make room"):
        retrieve("q", tmp_path, settings, client=client)


@pytest.mark.parametrize("email", ["", "nobody", "a b@c.de"])
def test_an_email_is_needed(email):
    with pytest.raises(AgmpkError, match="e-mail"):
        RetrieveSettings(email)
