"""Grounding: a value is accepted only where it stands in the document, and the place is kept as
evidence."""

from agmpk.literature.ground.instructions import quarantine
from agmpk.literature.ground.locate import Passage, locate
from agmpk.literature.ground.plausible import plausibility_flags
from agmpk.literature.ground.verify import verify

__all__ = ["Passage", "locate", "plausibility_flags", "quarantine", "verify"]
