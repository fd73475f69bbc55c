"""Fits are slow, so they are kept: in memory, and in ``data/nlme/fits/``, one file a compound.

A stored fit is used only for the context and the settings it was made with, and by the same
``METHOD_VERSION``; anything else fits again. Code may move and be rewritten freely: whoever changes
*what is estimated* (likelihood, candidates, what is acceptable) raises the version.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agmpk.errors import AgmpkError
from agmpk.files import data_path
from agmpk.nlme.closed_forms import dose_columns
from agmpk.nlme.fit import FitFailed
from agmpk.nlme.select import Selection, select
from agmpk.store import Store, digest
from agmpk.studies import Individual, Study

METHOD_VERSION = 1
"""Of what is estimated."""


def context_key(context: Study) -> str:
    """Digest of what a fit sees, observations and doses; in any order of the individuals, and
    whatever time their clocks started at."""

    def facts(one: Individual) -> str:
        # Times to a few microseconds, so that another start of the clock gives the same.
        since = (one.times - one.doses[0].time).round(9).tolist()
        doses = [
            [(dose.time - one.doses[0].time).round(9).tolist(), *map(float, dose[1:])]
            for dose in dose_columns(one)
        ]
        seen = one.concentrations.tolist(), one.censored.tolist()
        return json.dumps([one.id, since, *seen, doses])

    return digest([context.compound, sorted(map(facts, context.after_dose(limits=True)))])


class FitStore:
    """Selections by context: in memory, and in ``folder`` (by default ``data/nlme/fits``), to which
    new ones are written where ``keep`` says so; ``starts`` as in :func:`select`."""

    def __init__(self, folder: Path | None = None, keep: bool = False, starts: int = 2) -> None:
        folder = data_path("nlme", "fits", must_exist=False) if folder is None else folder
        self._disk = Store(folder, METHOD_VERSION, "run 'agmpk paper nlme-fits fit'")
        self.keep, self.starts = keep, starts
        self._memory: dict[str, Selection | str] = {}

    def settings(self, context: Study, flip_flop: bool = False) -> dict[str, Any]:
        """What a fit answers to: seed, starting vectors a structure (at most), whether absorption
        may be slower than elimination, and the context."""
        found = {"seed": 0, "starts": self.starts, "flip_flop": flip_flop}
        return found | {"context": context_key(context)}

    def get(self, context: Study, flip_flop: bool = False) -> Selection:
        """The selection of a context, remembered, read or made.

        Raises:
            FitFailed: the fit failed, now or when it was stored.
            AgmpkError: the context cannot be fitted, or a stored file is damaged.
        """
        settings = self.settings(context, flip_flop)
        found = self._known(context.compound, settings)
        if found is None:
            found = self._memory[digest(settings)] = fitted(context, settings)
            if self.keep:
                self.put(context, settings, found)
        if isinstance(found, str):
            raise FitFailed(found)
        return found

    def has(self, context: Study, flip_flop: bool = False) -> bool:
        """Whether a current selection, or failure, of the context is stored or remembered."""
        return self._known(context.compound, self.settings(context, flip_flop)) is not None

    def _known(self, compound: str, settings: dict[str, Any]) -> Selection | str | None:
        """What is remembered or stored for these settings, None where nothing is."""
        key = digest(settings)
        if key in self._memory or (entry := self._disk.load(compound, settings)) is None:
            return self._memory.get(key)
        try:
            failed = entry.result.get("failed")
            self._memory[key] = Selection.from_dict(entry.result) if failed is None else failed
            return self._memory[key]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise AgmpkError(
                f"A stored fit of {compound} in {self._disk.folder} cannot be read ({error}): "
                "delete the file and run 'agmpk paper nlme-fits fit'."
            ) from error

    def put(self, context: Study, settings: dict[str, Any], found: Selection | str) -> None:
        """Write what :func:`fitted` gave for these settings of the context."""
        result = {"failed": found} if isinstance(found, str) else found.to_dict()
        self._disk.save(context.compound, settings, result)


def fitted(context: Study, settings: dict[str, Any]) -> Selection | str:
    """The selection of a context with these :meth:`FitStore.settings`, or why it failed."""
    try:
        return select(context, settings["seed"], settings["starts"], settings["flip_flop"])
    except FitFailed as error:
        return str(error)
