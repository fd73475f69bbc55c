"""Faults: killed processes, flipped bits, truncated states, full disks, read-only folders, two runs
in one folder.

A kill survives when the same call, repeated, ends with the bytes of an uninterrupted one (a book:
with its numbers); damage survives when it is noticed in one sentence, or changes nothing of what is
computed; a command that cannot write survives when it says so in one sentence with status 2 and
leaves nothing behind.  Processes are forked, so that each try need not load everything anew; POSIX
only.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import yaml

from agmpk.errors import AgmpkError
from agmpk.files import PROJECT, data_path, only_one, sha256
from agmpk.models.registry import load_checkpoint
from agmpk.training.checkpoint import save_checkpoint
from agmpk.training.config import load_training_config
from agmpk.training.run import train, trained_model
from proof import Attempt, Command, Kinds

NOBODY = 65534
CHAPTERS = ("literature", "forecasting")
MODULES = (
    *("torch._dynamo", "agmpk.literature.extract", "agmpk.literature.parse", "agmpk.nlme.select"),
    *("agmpk.book.build", "agmpk.cli.book", "agmpk.cli.literature"),
)
"""What is killed has imported these, some of them only when it is well under way."""


def kinds(command: Command) -> Kinds:
    """What is done to what, by name."""
    torch.set_num_threads(1)
    jobs = {
        "a training": (_learn, lambda folder: _digests(folder / "run", "*.safetensors")),
        "agmpk literature": (
            lambda folder: _read_articles(command, folder),
            lambda folder: _digests(folder, "*.jsonl"),
        ),
        "mixed-effects fits": (_fit, _fit),
        "make book": (lambda folder: _build(command, folder), _numbers),
    }
    return {
        f"kill -9 in {name}": (20, lambda rng, job=job: _killed_late(*job, rng))
        for name, job in jobs.items()
    } | {
        "flipped bits of a checkpoint": (200, _checkpoint),
        "flipped bits of a training's folder": (100, lambda rng: _state(rng, _flip)),
        "truncated files of a training's folder": (100, lambda rng: _state(rng, _cut)),
        "a full disk": (40, lambda rng: _disk(rng, command)),
        "a read-only folder": (6, lambda rng: _read_only(command)),
        "two runs in one folder": (3, lambda rng: _second_run),
    }


def _fork(work: Callable[[], object]) -> int:
    """A process that does ``work`` quietly, first of a group; its status is the number that
    ``work`` returns, 0 where that is none, or 1 where ``work`` fails."""
    sys.stdout.flush()
    process = os.fork()
    if process:
        with contextlib.suppress(OSError):  # it has done so, and may have ended
            os.setpgid(process, process)
        return process
    status = 1
    try:
        os.setpgid(0, 0)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            found = work()
        status = found if isinstance(found, int) else 0
    except BaseException:  # noqa: BLE001, S110 - the status says so
        pass
    os._exit(status)


def _ended(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _killed_late(*job: object) -> Attempt:
    for module in MODULES:  # or most kills would hit an import
        importlib.import_module(module)
    return _killed(*job)


def _killed(
    work: Callable[[Path], object], result: Callable[[Path], object], rng: np.random.Generator
) -> Attempt:
    """Kill ``work`` in a folder, with all it started, at random moments of the time that the whole
    takes; then repeat it.  ``result`` is what must be the same in the end."""
    with tempfile.TemporaryDirectory() as name:
        began = time.monotonic()
        if _ended(_fork(lambda: work(Path(name)))):
            return lambda _: "fails without being killed"
        duration = time.monotonic() - began
        expected = result(Path(name))

    def attempt(_: int) -> str:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
            process = _fork(lambda: work(Path(name)))
            time.sleep(duration * rng.random())
            os.killpg(process, signal.SIGKILL)
            _ended(process)
            if _ended(_fork(lambda: work(Path(name)))):
                return "does not go on"
            return "" if result(Path(name)) == expected else "ends otherwise"

    return attempt


def _learn(folder: Path) -> torch.nn.Module:
    recipe = load_training_config("flow-tiny").with_changes(steps=8, save_every=1)
    return train(recipe, folder / "run", workers=0)


def _digests(folder: Path, pattern: str) -> dict[str, str]:
    return {f.name: sha256(f) for f in sorted(folder.glob(pattern)) if not f.name.startswith(".")}


def _read_articles(command: Command, folder: Path) -> int:
    articles = str(data_path("literature", "gold", "jats"))
    parsed, read = str(folder / "parsed.jsonl"), str(folder / "read.jsonl")
    return command(["literature", "parse", articles, "--out", parsed]) or command(
        ["literature", "extract", parsed, "--out", read]
    )


def _fit(folder: Path) -> list[str]:
    """The fits of two contexts, made where they are not stored."""
    from agmpk.evaluation import benchmark_studies, cases
    from agmpk.nlme.select import FitStore

    store = FitStore(folder, keep=True, starts=1)
    contexts = [case.context for case in cases("i", benchmark_studies()["indometacin"])[:2]]
    return [repr(store.get(context).population) for context in contexts]


def _build(command: Command, folder: Path) -> int:
    """``make book`` of the code of two chapters in tier smoke: their text names other chapters."""
    root = folder / "project"
    if not root.is_dir():
        with tempfile.TemporaryDirectory(dir=folder) as name:
            _write_project(Path(name))
            os.rename(name, root)
            os.mkdir(name)
    return command(["book", "--root", str(root), "build", "--tier", "smoke", "--jobs", "1"])


def _write_project(root: Path) -> None:
    import nbformat

    for name in ("agmpk", "data", "requirements.lock", "_config.yml"):
        (root / name).symlink_to(PROJECT / name)
    (root / "notebooks" / "tiers").mkdir(parents=True)
    for name in ("smoke", "paper"):
        tier = yaml.safe_load((PROJECT / f"notebooks/tiers/{name}.yaml").read_text("utf-8"))
        for part in ("minutes", "chapters"):
            tier[part] = {k: v for k, v in tier.get(part, {}).items() if k in CHAPTERS}
        (root / f"notebooks/tiers/{name}.yaml").write_text(yaml.safe_dump(tier), "utf-8")
    for name in CHAPTERS:
        notebook = nbformat.read(PROJECT / f"notebooks/{name}.ipynb", as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        notebook.cells = [nbformat.v4.new_markdown_cell(f"# {name}"), *code]
        nbformat.write(notebook, root / f"notebooks/{name}.ipynb")
    shutil.copytree(PROJECT / "book" / "_static", root / "book" / "_static")
    shutil.copy(PROJECT / "book" / "references.bib", root / "book")
    (root / "book" / "index.md").write_text("# Two chapters\n", "utf-8")
    chapters = [{"file": f"chapters/{name}"} for name in CHAPTERS]
    contents = {"format": "jb-book", "root": "index", "chapters": chapters}
    (root / "_toc.yml").write_text(yaml.safe_dump(contents), "utf-8")


def _numbers(folder: Path) -> object:
    """The book's numbers but times, and which chapters are stale."""
    from agmpk.book.cache import stale_reasons
    from agmpk.book.numbers import CLOCK
    from agmpk.book.project import Project, load_tier

    project = Project(folder / "project")
    made = json.loads(project.index_html.with_name("numbers.json").read_text("utf-8"))["chapters"]
    found = {
        (chapter, name): value
        for chapter, values in made.items()
        for name, value in values.items()
        if not CLOCK.search(name)
    }
    tier = load_tier(project, "smoke")
    return found, [stale_reasons(project, tier, chapter) for chapter in CHAPTERS]


def _flip(file: Path, rng: np.random.Generator) -> None:
    data = bytearray(file.read_bytes())
    data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    file.write_bytes(data)


def _cut(file: Path, rng: np.random.Generator) -> None:
    os.truncate(file, int(rng.integers(file.stat().st_size)))


def _damaged(
    source: Path,
    rng: np.random.Generator,
    damage: Callable[[Path, np.random.Generator], None],
    result: Callable[[Path], object],
) -> Attempt:
    """Damage one file of a copy of ``source``, one after the other; ``result`` may then be an error
    of the package's own, or what it is without damage."""
    expected = result(source)
    names = sorted(f.name for f in source.iterdir() if f.stat().st_size and f.name != ".lock")

    def attempt(k: int) -> str:
        name = names[k % len(names)]
        with tempfile.TemporaryDirectory() as place:
            copy = shutil.copytree(source, Path(place, "copy"))
            damage(copy / name, rng)
            try:
                found = result(copy)
            except AgmpkError:
                return ""
            except Exception as error:  # noqa: BLE001 - whatever else comes out is the finding
                return f"{name}: {type(error).__name__}: {error}"
        return "" if found == expected else f"{name}: passes unnoticed"

    return attempt


def _weights(model: torch.nn.Module) -> dict[str, bytes]:
    return {name: one.numpy().tobytes() for name, one in model.state_dict().items()}


def _checkpoint(rng: np.random.Generator) -> Attempt:
    source = data_path("checkpoints", "flow")
    return _damaged(source, rng, _flip, lambda folder: _weights(load_checkpoint(folder)))


def _state(
    rng: np.random.Generator, damage: Callable[[Path, np.random.Generator], None]
) -> Attempt:
    """Ask a damaged run for its model and its checkpoint, to go on, and what it says of itself."""

    def found(run: Path) -> object:
        with tempfile.TemporaryDirectory() as place:
            save_checkpoint(trained_model(run), run, Path(place, "checkpoint"))
        about = ("steps.csv", "validation.csv", "prior.yaml", "environment.json")
        model = _learn(run.parent)
        return _weights(model), [(run / name).read_bytes() for name in about]

    return _damaged(_finished_run(), rng, damage, found)


def _finished_run() -> Path:
    """A run of the tiny training, made once, in a child: PyTorch does not learn in forks of a
    process that has learned."""
    place = Path("finished").resolve()
    if not place.is_dir() and _ended(_fork(lambda: _learn(place))):
        raise AgmpkError("The tiny training fails without any fault.")
    return place / "run"


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


def _disk(rng: np.random.Generator, command: Command) -> Attempt:
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

    return attempt


def _read_only(command: Command) -> Attempt:
    """A folder that this process may read and not write: as nobody, where it is root."""
    Path.cwd().chmod(0o755)
    locked = Path("locked").resolve()
    locked.mkdir(mode=0o555)

    def hinder() -> None:
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)

    with tempfile.TemporaryDirectory() as out, contextlib.redirect_stdout(io.StringIO()):
        for words in _commands(out)[:-1]:  # what nobody could not import later
            with contextlib.redirect_stderr(io.StringIO()):
                command(words)
    return lambda k: _told(command, _commands(str(locked))[k], hinder)


def _second_run(_: int) -> str:
    run = _finished_run()

    def second() -> int:
        try:
            _learn(run.parent)
        except AgmpkError as error:
            return 0 if "another process" in str(error) else 1
        return 2

    with only_one(run, "a model is being trained"):
        status = _ended(_fork(second))
    return f"status {status}" if status else ""
