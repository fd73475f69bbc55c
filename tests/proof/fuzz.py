"""Mutated input: study tables, articles, a model server's answers, argument lines, settings.

A try survives when it ends within ``SECONDS`` and ``MEGABYTES``, well or with the package's own
error.  The same seed gives the same mutants.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path

import numpy as np

from agmpk.errors import AgmpkError
from agmpk.files import data_path
from proof import Attempt, Command, Kinds

SECONDS, MEGABYTES = 10.0, 1000
NASTY = (
    *("", ".", "NA", "-1", "0", "1e308", "1e-320", "-inf", "nan", "9" * 400, "<0.5", "1,5", "0x10"),
    *("é" * 50, "\x00", '"', "'", "#", "@", "../..", "1e9", "%s", "{}", "\u202e", "1:2:3", "true"),
    *("2024-03-01", "12:30", "mg/L", "[1, 2", "- a", "&a *a", "!!python/none x"),
)


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """A few changes at random places: bytes, lines and fields, lost, doubled, swapped, replaced."""
    for _ in range(int(rng.integers(1, 6))):
        lines = data.split(b"\n")
        k, j = (int(x) for x in rng.integers(len(lines), size=2))
        kind = int(rng.integers(8))
        if kind == 0 and data:  # bits
            place = int(rng.integers(len(data)))
            flipped = data[place] ^ 1 << int(rng.integers(8))
            data = data[:place] + bytes([flipped]) + data[place + 1 :]
        elif kind == 1:  # the rest is lost
            data = data[: int(rng.integers(len(data) + 1))]
        elif kind == 2:
            lines[k], lines[j] = lines[j], lines[k]
        elif kind == 3:
            lines[k:k] = lines[min(j, k) : min(j, k) + int(rng.integers(1, 30))]
        elif kind == 4:
            del lines[k]
        elif kind == 5:  # a separator becomes another
            old, new = rng.choice([b",", b";", b"\t", b" ", b":", b"<", b">", b'"'], 2)
            lines[k] = lines[k].replace(bytes(old), bytes(new))
        else:  # a field
            text = str(rng.choice(NASTY)).encode("utf-8", "surrogatepass")
            fields = lines[k].split(b"," if kind == 6 else b" ")
            fields[int(rng.integers(len(fields)))] = text
            lines[k] = (b"," if kind == 6 else b" ").join(fields)
        if kind > 1:
            data = b"\n".join(lines)
    return data


class _TooLong(BaseException):
    """Of no kind that code under test would catch."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raise when the block takes longer than ``SECONDS`` of the processor, or ten times that of the
    clock, or twice ``MEGABYTES`` more than now: what is asked for beyond would stop the machine."""

    def alarm(*_: object) -> None:
        raise _TooLong

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    old = resource.getrlimit(resource.RLIMIT_AS)
    most = pages * resource.getpagesize() + 2_000_000 * MEGABYTES
    before = signal.signal(signal.SIGPROF, alarm), signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, 10 * SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (most, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGPROF, before[0])
        signal.signal(signal.SIGALRM, before[1])


def verdict(work: Callable[[], object], label: str) -> str:
    """What went wrong in ``work``, '' where nothing did."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with limited():
            work()
    except AgmpkError:
        pass
    except _TooLong:
        return f"{label}: longer than {SECONDS:g} s"
    except BaseException as error:  # noqa: BLE001 - whatever else comes out is the finding
        return f"{label}: {type(error).__name__}: {error}"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    return f"{label}: {grown:.0f} MB" if grown > MEGABYTES else ""


def kinds(command: Command) -> Kinds:
    """What is mutated, by name."""
    return {
        "study tables": (10_000, _tables),
        "JATS files": (2_000, _articles),
        "model-server answers": (1_000, _answers),
        "argument lines": (1_000, lambda rng: _lines(rng, command)),
        "configuration files": (500, _settings),
    }


def _bases(*folders: str, pattern: str) -> list[bytes]:
    return [f.read_bytes() for folder in folders for f in sorted(data_path(folder).glob(pattern))]


def _tables(rng: np.random.Generator) -> Attempt:
    from agmpk.studies import read_table

    bases = _bases("benchmark/studies", "development/studies", pattern="*.csv")
    file = Path("t.csv")

    def attempt(k: int) -> str:
        data = mutate(bases[k % len(bases)][:6000], rng)
        file.write_bytes(data)
        return verdict(lambda: read_table(file).describe(), f"mutant {k}")

    return attempt


def _articles(rng: np.random.Generator) -> Attempt:
    from agmpk.literature.extract import extract_document
    from agmpk.literature.parse import parse_file

    bases, file = _bases("literature/gold/jats", pattern="*.xml"), Path("a.xml")

    def attempt(k: int) -> str:
        file.write_bytes(mutate(bases[k % len(bases)], rng))
        return verdict(lambda: [extract_document(one) for one in parse_file(file)], f"mutant {k}")

    return attempt


def _answers(rng: np.random.Generator) -> Attempt:
    """A server on loopback whose every answer is mutated: the transport's JSON, or the model's."""
    from agmpk.literature.document import Document
    from agmpk.literature.extract import extract_document
    from agmpk.literature.extract.client import LlmClient, LlmSettings
    from agmpk.literature.extract.llm import LlmEngine, Recordings

    quantity = {"value": 6.0, "unit": "ng/mL", "central_tendency": "mean", "dispersion": 1.5,
                "dispersion_type": "SD", "quote": "Cmax was 6.0 (SD 1.5) ng/mL"}  # fmt: skip
    names = ("compound", "dose", "n_subjects", "route", "tmax", "auc0_t", "auc0_inf")
    good = dict.fromkeys(names) | {"cmax": quantity}
    used = ("prompt_tokens", "completion_tokens", "total_tokens")
    held: dict[str, bool] = {}

    def reply(first: bool) -> bytes:
        answer = {"single_trial": True, "reason": "one trial"} if first else good
        text = json.dumps(answer).encode()
        if held["inside"]:
            text = mutate(text, rng)
        message = {"role": "assistant", "content": text.decode("utf-8", "replace")}
        whole = {"id": "1", "object": "chat.completion", "created": 0, "model": "m",
                 "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                 "usage": dict.fromkeys(used, 1)}  # fmt: skip
        body = json.dumps(whole, indent=1).encode()
        return body if held["inside"] else mutate(body, rng)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802 - name set by http.server
            asked = self.rfile.read(int(self.headers["content-length"]))
            body = reply(b"yes or no" in asked)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    client = LlmClient(LlmSettings(url, "m", timeout=2.0, max_retries=0, schema_retries=1))

    from pydantic_ai.models import openai  # noqa: F401 - made now, outside of the limits

    def attempt(k: int) -> str:
        held["inside"] = bool(k % 2)
        document = Document(f"d{k}", f"Trial {k}", "Cmax was 6.0 (SD 1.5) ng/mL in 20 men.")
        engine = LlmEngine(Recordings(None), client)
        return verdict(lambda: extract_document(document, engine), f"mutant {k}")

    return attempt


def _lines(rng: np.random.Generator, command: Command) -> Attempt:
    """Commands that end soon, with words lost, doubled, swapped and replaced."""
    study = str(data_path("benchmark", "studies", "indometacin.csv"))
    out = ["--model", "naive", "--out", "o.csv"]
    bases = [
        ["check", study, "--lloq", "0.1", "--json"],
        ["check", study, "--columns", "DV=AMT", "--units", "time=min,dose=g"],
        ["forecast", study, "--target", "1", "--observed", "2", "--times", "2:8:1", *out],
        ["forecast", study, "--leave-one-out", "--samples", "20", "--exclude", "3", *out],
        ["cohort", study, "-n", "5", "--doses", "2", "--every", "12", "--seed", "3", *out],
        ["cohort", study, "-n", "5", "--dose", "50", "--dose-route", "oral", *out],
        ["whatif", study, "--target", "1", "--plans", "p.csv", "--window", "1:2", *out],
        ["benchmark", "--models", "naive", "--compounds", "indometacin", "--out", "o.csv"],
        ["simulate", "--studies", "2", "--seed", "1", "--out", "o.csv"],
    ]
    Path("p.csv").write_text("PLAN,TIME,AMT\na,48,25\n")
    values = [*NASTY, "999999999", "3", "0.5", "--help", "--model", "--seed", "--samples", "o.csv"]

    def attempt(k: int) -> str:
        words = list(bases[k % len(bases)])
        for _ in range(int(rng.integers(1, 4))):
            at, other = (int(x) for x in rng.integers(1, len(words), size=2))
            kind = int(rng.integers(5))
            if kind == 0 and len(words) > 2:
                del words[at]
            elif kind == 1:
                words.insert(at, words[other])
            elif kind == 2:
                words[at], words[other] = words[other], words[at]
            else:
                words[at] = str(rng.choice(values)).replace("\x00", "")

        return verdict(lambda: run(words), f"agmpk {' '.join(words)[:120]}")

    def run(words: list[str]) -> None:
        said = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            status = command(words)
        if status not in (0, 1, 2) or "Traceback" in said.getvalue():
            raise RuntimeError(f"status {status}: {said.getvalue()[-200:]}")

    for words in bases:  # imports are made now, outside of the limits
        run(words)
    return attempt


def _settings(rng: np.random.Generator) -> Attempt:
    """Recipes, presets and the settings of a language model."""
    from agmpk.literature.extract.client import load_settings
    from agmpk.prior.config import load_prior
    from agmpk.training.config import load_training_config

    shipped = resources.files("agmpk")
    kinds = [(load_training_config, file) for file in (shipped / "training" / "recipes").iterdir()]
    kinds += [(load_prior, file) for file in (shipped / "prior" / "presets").iterdir()]
    bases = [(load, file.read_bytes()) for load, file in sorted(kinds, key=lambda one: one[1].name)]
    model = b"base_url: http://127.0.0.1/v1\nmodel: m\ntimeout: 3.0\nmax_tokens: 20\n"
    bases += [(load_settings, model)] * 5

    def attempt(k: int) -> str:
        load, data = bases[k % len(bases)]
        Path("s.yaml").write_bytes(mutate(data, rng))
        return verdict(lambda: load("s.yaml"), f"{load.__name__}, mutant {k}")

    return attempt
