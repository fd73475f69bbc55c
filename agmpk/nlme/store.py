"""Fits are slow, so they are kept: in memory, and in ``data/nlme/fits/``, one file a compound.

A stored fit is used only for the context and the settings it was made with, and by the same
``METHOD_VERSION``; anything else fits again. Code may move and be rewritten freely: whoever changes
*what is estimated* (likelihood, candidates, what is acceptable) raises the version.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.files import atomic_path
from agmpk.nlme.data import dose_columns, seen_after_dose
from agmpk.nlme.fit import FitFailed
from agmpk.nlme.select import Selection, select
from agmpk.paths import data_path
from agmpk.studies import Individual, Study

METHOD_VERSION = 1
"""Of what is estimated."""


@dataclass(frozen=True)
class Settings:
    """seed: same seed, same selection. starts: starting vectors a structure is fitted from, at
    most. flip_flop: whether absorption may be slower than elimination."""

    seed: int = 0
    starts: int = 2
    flip_flop: bool = False


def context_key(context: Study, settings: Settings) -> str:
    """Digest of what a fit sees: observations, doses, settings, version; in any order of the
    individuals, and whatever time their clocks started at."""

    def facts(one: Individual) -> str:
        start = one.doses[0].time
        times = _rounded(one.times - start)
        doses = [[_rounded(dose.time - start), *map(float, dose[1:])] for dose in dose_columns(one)]
        values = [one.concentrations.tolist(), one.censored.tolist()]
        return json.dumps([one.id, times, *values, doses])

    people = sorted(facts(seen_after_dose(one)) for one in context)
    text = json.dumps([METHOD_VERSION, asdict(settings), context.compound, people])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _rounded(hours: NDArray[np.float64] | np.float64) -> Any:
    """Times to a few microseconds, so that another start of the clock gives the same."""
    return hours.round(9).tolist()


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
        settings = Settings(self.seed, self.starts, flip_flop)
        key = context_key(context, settings)
        if key not in self._memory:
            self._memory[key] = self._find(context, key) or self._make(context, key, settings)
        found = self._memory[key]
        if isinstance(found, str):
            raise FitFailed(found)
        return found

    def has(self, context: Study, flip_flop: bool = False) -> bool:
        """Whether a current selection, or failure, of the context is stored or remembered."""
        key = context_key(context, Settings(self.seed, self.starts, flip_flop))
        return key in self._memory or key in self._read(self._path(context))["fits"]

    def _path(self, context: Study) -> Path:
        return self.folder / f"{context.compound.replace(' ', '-')}.json"

    def _read(self, path: Path) -> dict[str, Any]:
        if path not in self._files:
            try:
                found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
                current = found.get("method") == METHOD_VERSION and isinstance(found["fits"], dict)
            except (OSError, ValueError, AttributeError, KeyError) as error:
                raise AgmpkError(f"{path} is not a file of fits ({error}); delete it.") from error
            self._files[path] = found if current else {"method": METHOD_VERSION, "fits": {}}
        return self._files[path]

    def _find(self, context: Study, key: str) -> Selection | str | None:
        path = self._path(context)
        entry = self._read(path)["fits"].get(key)
        if entry is None:
            return None
        try:
            found = entry["failed"] if "failed" in entry else Selection.from_dict(entry)
        except (KeyError, TypeError, ValueError) as error:
            raise AgmpkError(f"{path} is not a file of fits ({error}); delete it.") from error
        self.loaded += 1
        return found

    def _make(self, context: Study, key: str, settings: Settings) -> Selection | str:
        self.fitted += 1
        found: Selection | str
        try:
            found = select(context, settings.seed, settings.starts, settings.flip_flop)
        except FitFailed as error:
            found = str(error)
        if self.keep:
            path = self._path(context)
            stored = self._read(path)
            stored["fits"][key] = {"failed": found} if isinstance(found, str) else found.to_dict()
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(stored) + "\n", "utf-8")
        return found
