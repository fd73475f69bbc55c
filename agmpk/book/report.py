"""Tables about the build itself, for the chapter on reproducibility."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import nbformat
import pandas as pd

from agmpk.book.cache import read_stamp
from agmpk.book.tiers import Project
from agmpk.files import sha256


def versions(root: Path, names: tuple[str, ...]) -> pd.DataFrame:
    """Versions of Python and of the packages ``names``: installed, and in ``requirements.lock``.

    Columns: installed, locked, as locked (a local build such as ``+cpu`` counts as the same).
    """
    lines = (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = dict(line.lower().split("==") for line in lines if "==" in line)
    rows = [{"package": "Python", "installed": platform.python_version()}]
    for name in names:
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = ""
        locked = pins.get(name.lower(), "")
        same = "yes" if installed and installed.split("+")[0] == locked else "no"
        rows.append({"package": name, "installed": installed, "locked": locked, "as locked": same})
    return pd.DataFrame(rows).set_index("package")


def chapters(project: Project, without: str = "") -> pd.DataFrame:
    """One row a chapter, from its stamp: tier, processor time [s], date (UTC), machine, files read.

    ``without`` leaves one chapter out: the one being executed has no stamp of this run yet.
    Chapters that were never executed are missing.
    """
    stamps = [read_stamp(project, name) for name in project.chapters() if name != without]
    rows = [
        {
            "chapter": stamp.chapter,
            "tier": stamp.tier,
            "time": stamp.processor or stamp.seconds,
            "date": stamp.date[:16].replace("T", " "),
            "machine": stamp.machine,
            "modules": sum(name.startswith("agmpk/") for name in stamp.parts),
            "data files read": len(stamp.reads),
        }
        for stamp in stamps
        if stamp is not None
    ]
    columns = ["chapter", "tier", "time", "date", "machine", "modules", "data files read"]
    return pd.DataFrame(rows, columns=columns).set_index("chapter")


def file_digests(folder: Path, digits: int = 64) -> pd.DataFrame:
    """One row a file below ``folder``: size [kB] and the first ``digits`` of its SHA-256."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    rows = [
        {
            "file": file.relative_to(folder).as_posix(),
            "size": file.stat().st_size / 1000,
            "SHA-256": sha256(file)[:digits],
        }
        for file in files
        if file.parent.name != "__pycache__"
    ]
    return pd.DataFrame(rows, columns=["file", "size", "SHA-256"]).set_index("file")


def code_lines(notebook: str | Path) -> tuple[int, int]:
    """Lines of code, blank ones left out, that a reader of the page sees, and that are folded."""
    counted = {False: 0, True: 0}
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "code":
            tags = cell.metadata.get("tags", ())
            folded = any(tag.startswith(("hide", "remove")) for tag in tags)
            counted[folded] += sum(bool(line.strip()) for line in cell.source.splitlines())
    return counted[False], counted[True]
