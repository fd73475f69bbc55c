"""What goes wrong in a fit."""

from __future__ import annotations

from agmpk.errors import AgmpkError


class FitFailed(AgmpkError):
    """A nonlinear mixed-effects fit did not succeed; the message says of what and why.

    It is never replaced by another model's answer: who catches it reports it.
    """
