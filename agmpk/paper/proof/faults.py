"""Faults: killed processes, flipped bits, truncated states, full disks, read-only folders, two runs
in one folder.

A kill survives when the same call, repeated, ends with the bytes of an uninterrupted one; damage
survives when it is noticed in one sentence, or changes nothing of what is computed; a command that
cannot write survives when it says so in one sentence with status 2 and leaves nothing behind.
Processes are forked, so that each try need not load everything anew; POSIX only.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from agmpk.errors import AgmpkError
from agmpk.files import sha256
from agmpk.models.registry import load_checkpoint
from agmpk.paper.proof import Tally
from agmpk.paths import data_path
from agmpk.training.checkpoint import save_checkpoint
from agmpk.training.config import load_training_config
from agmpk.training.run import train, trained_model

COUNTS = {"kills": 20, "checkpoint": 200, "state": 100, "disk": 40}
NOBODY = 65534
Command = Callable[[list[str]], int]


def faults(
    command: Command, scale: float = 1.0, seed: int = 0, only: str = ""
) -> Iterator[Tally]:
    """Try all of them, or those whose name holds ``only``, ``scale`` times ``COUNTS`` (at least one
    of each)."""
    count = {name: max(1, round(scale * number)) for name, number in COUNTS.items()}
    rng = np.random.default_rng(seed)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # somebody else is to read it
        reference = folder / "reference"
        # In a child: PyTorch does not learn in forks of a process that has learned.
        if _ended(_fork(lambda: train(_recipe(), reference, workers=0) and None)):
            raise AgmpkError("The tiny training fails without any fault.")
        flips, cuts = (_state(reference, count["state"], rng, damage) for damage in (_flip, _cut))
        for what, tries in (
            ("kill -9 in a training", _killed(_training(), count["kills"], rng)),
            ("flipped bits of a checkpoint", _checkpoint(folder, count["checkpoint"], rng)),
            ("flipped bits of a training's folder", flips),
            ("truncated files of a training's folder", cuts),
            ("a full disk", _disk(command, count["disk"], rng)),
            ("a read-only folder", _read_only(command, folder)),
            ("two runs in one folder", _two_runs(reference)),
            ("kill -9 in agmpk literature", _killed(_literature(command), count["kills"], rng)),
            ("kill -9 in mixed-effects fits", _killed(_fits(), count["kills"], rng)),
        ):
            if only in what:
                yield Tally("faults", what).run(tries)


def _recipe():
    return load_training_config("flow-tiny").with_changes(steps=8, save_every=1)


def _fork(work: Callable[[], object]) -> int:
    """A process that does ``work`` quietly; its status is 0, or 1 where ``work`` fails."""
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            status = int(work() or 0)
    except BaseException:  # noqa: BLE001, S110 - the status says so
        pass
    os._exit(status)


def _ended(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _digests(folder: Path, pattern: str) -> dict[str, str]:
    return {f.name: sha256(f) for f in sorted(folder.glob(pattern)) if not f.name.startswith(".")}


Job = tuple[Callable[[Path], object], Callable[[Path], object]]
"""What is done in a folder, and what must be the same in the end."""


def _training() -> Job:
    def learn(folder: Path) -> None:
        train(_recipe(), folder / "run", workers=0)

    return learn, lambda folder: _digests(folder / "run", "*.safetensors")


def _fits() -> Job:
    from agmpk.evaluation import benchmark_studies, cases
    from agmpk.nlme.store import FitStore

    contexts = [case.context for case in cases("i", benchmark_studies()["indometacin"])[:2]]

    def fit(folder: Path) -> None:
        store = FitStore(folder, keep=True, starts=1)
        for context in contexts:
            store.get(context)

    def found(folder: Path) -> list[str]:
        store = FitStore(folder, starts=1)
        return [repr(store.get(context).population) for context in contexts]

    return fit, found


def _literature(command: Command) -> Job:
    articles = str(data_path("literature", "gold", "jats"))

    def run(folder: Path) -> int:
        parsed, read = str(folder / "parsed.jsonl"), str(folder / "read.jsonl")
        return command(["literature", "parse", articles, "--out", parsed]) or command(
            ["literature", "extract", parsed, "--out", read]
        )

    return run, lambda folder: _digests(folder, "*.jsonl")


def _killed(job: Job, count: int, rng: np.random.Generator) -> Iterator[Callable]:
    """Kill at random moments of the time that the whole takes, then repeat the call."""
    work, result = job
    with tempfile.TemporaryDirectory() as whole:
        began = time.monotonic()
        if _ended(_fork(lambda: work(Path(whole)))):
            yield lambda: "fails without being killed"
            return
        duration = time.monotonic() - began
        expected = result(Path(whole))

    def attempt() -> str:
        with tempfile.TemporaryDirectory() as name:
            process = _fork(lambda: work(Path(name)))
            time.sleep(duration * rng.random())
            os.kill(process, signal.SIGKILL)
            _ended(process)
            if _ended(_fork(lambda: work(Path(name)))):
                return "does not go on"
            return "" if result(Path(name)) == expected else "ends otherwise"

    for _ in tqdm(range(count), desc="kills", disable=None):
        yield attempt


def _flip(file: Path, rng: np.random.Generator) -> None:
    data = bytearray(file.read_bytes())
    data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    file.write_bytes(data)


def _cut(file: Path, rng: np.random.Generator) -> None:
    os.truncate(file, int(rng.integers(file.stat().st_size)))


def _same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def _checkpoint(folder: Path, count: int, rng: np.random.Generator) -> Iterator[Callable]:
    source, copy = data_path("checkpoints", "flow"), folder / "copy"
    expected = load_checkpoint(source).state_dict()
    names = sorted(file.name for file in source.iterdir() if file.is_file())

    def attempt(name: str) -> str:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy)
        _flip(copy / name, rng)
        try:
            found = load_checkpoint(copy).state_dict()
        except AgmpkError:
            return ""
        except Exception as error:  # noqa: BLE001 - whatever else comes out is the finding
            return f"{name}: {type(error).__name__}: {error}"
        return "" if _same(expected, found) else f"{name}: other weights"

    for k in tqdm(range(count), desc="bits", disable=None):
        yield lambda k=k: attempt(names[k % len(names)])


def _state(
    reference: Path, count: int, rng: np.random.Generator, damage: Callable
) -> Iterator[Callable]:
    """Damage one file of a finished run, then ask for its model, its checkpoint and to go on."""
    expected = trained_model(reference).state_dict()
    names = sorted(f.name for f in reference.iterdir() if f.stat().st_size and f.name != ".lock")

    def attempt(name: str) -> str:
        with tempfile.TemporaryDirectory() as place:
            run = Path(place, "run")
            shutil.copytree(reference, run)
            damage(run / name, rng)
            try:
                save_checkpoint(trained_model(run), run, Path(place, "checkpoint"))
                found = train(_recipe(), run, workers=0).state_dict()
            except AgmpkError:
                return ""
            except Exception as error:  # noqa: BLE001 - whatever else comes out is the finding
                return f"{name}: {type(error).__name__}: {error}"
            same = _same(expected, found) and _rows(run) == _rows(reference)
            return "" if same else f"{name}: passes unnoticed"

    for k in tqdm(range(count), desc=damage.__name__.strip("_"), disable=None):
        yield lambda k=k: attempt(names[k % len(names)])


def _rows(run: Path) -> list[bytes]:
    """What a run has written about itself, by content."""
    names = ("steps.csv", "validation.csv", "prior.yaml", "environment.json")
    return [(run / name).read_bytes() for name in names]


def _commands(out: str) -> list[list[str]]:
    study = str(data_path("benchmark", "studies", "indometacin.csv"))
    return [
        ["forecast", study, "--leave-one-out", "--model", "naive", "--out", f"{out}/f.csv"],
        ["cohort", study, "-n", "50", "--model", "naive", "--out", f"{out}/c.csv"],
        ["simulate", "--studies", "4", "--out", f"{out}/s.csv"],
        ["benchmark", "--models", "naive", "--compounds", "indometacin", "--out", f"{out}/b.csv"],
        ["literature", "parse", str(data_path("literature", "gold", "jats")),
         "--out", f"{out}/p.jsonl"],
        ["train", "--recipe", "flow-tiny", "--workers", "0", "--run", f"{out}/run"],
    ]  # fmt: skip


def _told(command: Command, words: list[str], hinder: Callable[[], object]) -> str:
    """What is wrong with how a hindered command ends, in a process of its own."""

    def work() -> int:
        hinder()
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            status = command(words)
        lines = [line for line in said.getvalue().splitlines() if line.startswith("agmpk: ")]
        return 0 if status == 2 and lines and "Traceback" not in said.getvalue() else 10 + status

    status = _ended(_fork(work))
    return f"{words[0]}: status {status}" if status else ""


def _disk(command: Command, count: int, rng: np.random.Generator) -> Iterator[Callable]:
    """Files may grow to some bytes only, as on a disk that fills up meanwhile."""

    def attempt(k: int) -> str:
        with tempfile.TemporaryDirectory() as out:
            words = _commands(out)[k % 6]
            room = int(rng.integers(200))

            def hinder() -> None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

            wrong = _told(command, words, hinder)
            left = [f.name for f in Path(out).glob("*") if f.is_file() or words[0] != "train"]
            return wrong or (f"{words[0]} leaves {left[0]}" if left else "")

    for k in tqdm(range(count), desc="disk", disable=None):
        yield lambda k=k: attempt(k)


def _read_only(command: Command, folder: Path) -> Iterator[Callable]:
    """A folder that this process may read and not write: as nobody, where it is root."""
    locked = folder / "locked"
    locked.mkdir(mode=0o555)

    def hinder() -> None:
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)

    with tempfile.TemporaryDirectory() as out, contextlib.redirect_stdout(io.StringIO()):
        for words in _commands(out)[:-1]:  # what nobody could not import later
            with contextlib.redirect_stderr(io.StringIO()):
                command(words)
    for words in _commands(str(locked)):
        yield lambda words=words: _told(command, words, hinder)


def _two_runs(reference: Path) -> Iterator[Callable]:
    from agmpk.files import only_one

    def attempt() -> str:
        def second() -> int:
            try:
                train(_recipe(), reference, workers=0)
            except AgmpkError as error:
                return 0 if "another process" in str(error) else 1
            return 2

        with only_one(reference, "a model is being trained"):
            status = _ended(_fork(second))
        return f"status {status}" if status else ""

    yield from [attempt] * 3
