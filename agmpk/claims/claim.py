"""A published claim that numbers can support or contradict, from ``claims.yaml``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib import resources

import yaml

from agmpk.errors import AgmpkError

DIRECTIONS = ("lower", "higher", "target", "within", "holds", "none")


@dataclass(frozen=True)
class Claim:
    """One claim.

    id, sentence: the claim in our words.  published: its figure as text.  measure: the evidence it
    is judged by.  chapter, anchor: where that is shown.  source: where it was published.

    direction: what counts as good.  ``lower`` or ``higher`` than ``figure`` (published, with its
    ``spread``); ``target``: nearer to ``ideal`` than ``figure`` is; ``within``: inside ``range``
    (nothing was published to compare with); ``holds``: the whole interval is above 0; ``none``:
    not comparable, for the reason in ``why``.

    needs: the smallest n (of ``unit``) of the evidence for a verdict; fewer is a rehearsal.
    """

    id: str
    sentence: str
    published: str
    measure: str
    chapter: str
    anchor: str
    source: str
    direction: str
    figure: float | None = None
    spread: float = 0.0
    ideal: float | None = None
    range: tuple[float, float] | None = None
    needs: int = 1
    unit: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise AgmpkError(
                f"Claim {self.id!r} has the direction {self.direction!r}: use one of "
                f"{', '.join(DIRECTIONS)}."
            )
        wanted = {"lower": "figure", "higher": "figure", "target": "ideal", "within": "range"}
        lacking = [name for name in (wanted.get(self.direction),) if name and self[name] is None]
        if self.direction == "target" and self.figure is None:
            lacking.append("figure")
        if self.direction == "none" and not self.why:
            lacking.append("why")
        if lacking:
            raise AgmpkError(
                f"Claim {self.id!r} of direction {self.direction!r} lacks {', '.join(lacking)}."
            )

    def __getitem__(self, name: str) -> object:
        return getattr(self, name)


def load_claims(text: str | None = None) -> tuple[Claim, ...]:
    """The claims of ``claims.yaml``, or of YAML ``text`` of the same form.

    Raises:
        AgmpkError: an entry lacks something, has something unknown, or repeats an id.
    """
    if text is None:
        text = (resources.files("agmpk.claims") / "claims.yaml").read_text("utf-8")
    known = {f.name for f in fields(Claim)}
    found: list[Claim] = []
    for entry in yaml.safe_load(text):
        name = entry.get("id", "without an id")
        unknown = sorted(set(entry) - known)
        if unknown:
            raise AgmpkError(f"Claim {name!r} has the unknown entries {', '.join(unknown)}.")
        try:
            claim = Claim(**entry)
        except TypeError as error:
            raise AgmpkError(f"Claim {name!r} is incomplete: {error}.") from None
        if claim.id in {one.id for one in found}:
            raise AgmpkError(f"There are two claims with the id {claim.id!r}.")
        found.append(claim)
    return tuple(found)
