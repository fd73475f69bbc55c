"""Fits are slow, so they are kept: in memory, and in ``data/nlme/fits/``, one file a compound.

A stored fit is used only when the context, the settings, the engine's version and the code that
makes a fit are the ones it was made with; anything else fits again.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agmpk.errors import AgmpkError
from agmpk.files import atomic_path
from agmpk.nlme.errors import FitFailed
from agmpk.nlme.select import Selection, select
from agmpk.paths import data_path
from agmpk.studies import Study

HERE = Path(__file__).parent
# What an estimate depends on; the rest of the package uses estimates.
MAKES_A_FIT = ("acceptable", "data", "fit", "residual", "select", "starting_values")


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Digest of the modules that make a fit, and of the versions of the libraries below them."""
    files = [HERE / f"{name}.py" for name in MAKES_A_FIT] + sorted(HERE.glob("structural/*.py"))
    files.append(HERE.parent / "evaluation" / "nca.py")
    found = hashlib.sha256()
    for file in files:
        found.update(file.read_bytes())
    for library in ("pynlme", "numpy", "scipy"):
        found.update(f"{library} {version(library)}".encode())
    return found.hexdigest()[:16]


def context_digest(context: Study, settings: tuple[Any, ...]) -> str:
    """Digest of the observations and doses of a context, in any order of the individuals."""
    people = sorted(
        json.dumps(
            [one.id, one.times.tolist(), one.concentrations.tolist(), [str(d) for d in one.doses]]
        )
        for one in context.after_dose()
    )
    text = json.dumps([context.compound, people, str(settings)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class FitStore:
    """Selections by context.

    ``folder`` holds the stored fits (by default ``data/nlme/fits``); with ``keep`` new ones are
    written there. ``fitted`` and ``loaded`` count what was made and what was found.
    """

    def __init__(
        self, folder: Path | None = None, keep: bool = False, seed: int = 0, starts: int = 2
    ) -> None:
        self.folder = data_path("nlme", "fits", must_exist=False) if folder is None else folder
        self.keep, self.seed, self.starts = keep, seed, starts
        self.fitted = self.loaded = 0
        self._memory: dict[str, Selection | str] = {}
        self._files: dict[Path, dict[str, Any]] = {}

    def get(self, context: Study, flip_flop: bool = False) -> Selection:
        """The selection of a context, remembered, read or made.

        Raises:
            FitFailed: the fit failed, now or when it was stored.
            AgmpkError: the context cannot be fitted, or a stored file is damaged.
        """
        key = context_digest(context, (self.seed, self.starts, flip_flop))
        if key not in self._memory:
            self._memory[key] = self._find(context, key) or self._make(context, key, flip_flop)
        found = self._memory[key]
        if isinstance(found, str):
            raise FitFailed(found)
        return found

    def has(self, context: Study, flip_flop: bool = False) -> bool:
        """Whether a current selection, or failure, of the context is stored or remembered."""
        key = context_digest(context, (self.seed, self.starts, flip_flop))
        return key in self._memory or key in self._read(self._path(context))["fits"]

    def _path(self, context: Study) -> Path:
        return self.folder / f"{context.compound.replace(' ', '-')}.json"

    def _read(self, path: Path) -> dict[str, Any]:
        if path not in self._files:
            try:
                found = json.loads(path.read_text()) if path.is_file() else {}
            except (OSError, ValueError) as error:
                raise AgmpkError(f"{path} is not a file of fits ({error}); delete it.") from error
            current = found.get("code") == code_digest()
            self._files[path] = found if current else {"code": code_digest(), "fits": {}}
        return self._files[path]

    def _find(self, context: Study, key: str) -> Selection | str | None:
        entry = self._read(self._path(context))["fits"].get(key)
        if entry is None:
            return None
        self.loaded += 1
        return entry["failed"] if "failed" in entry else Selection.from_dict(entry)

    def _make(self, context: Study, key: str, flip_flop: bool) -> Selection | str:
        self.fitted += 1
        found: Selection | str
        try:
            found = select(context, self.seed, self.starts, flip_flop)
        except FitFailed as error:
            found = str(error)
        if self.keep:
            path = self._path(context)
            stored = self._read(path)
            stored["fits"][key] = {"failed": found} if isinstance(found, str) else found.to_dict()
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(stored) + "\n")
        return found
