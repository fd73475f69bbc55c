"""Options and helpers that several commands share."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError

STUDY = click.argument("study", type=click.Path(dir_okay=False, path_type=Path))
OUT = click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV file to write (whole or not at all).",
)
SEED = click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="Same seed, same numbers."
)
MODEL = click.option(
    "--model",
    default="flow",
    show_default=True,
    help="naive, a shipped checkpoint, or the folder of a checkpoint.",
)
ANALYTE = click.option("--analyte", help="Which analyte, where the table holds several.")
TIMES = click.option("--times", help="Times in hours, e.g. 0.5,1,2,4,8 or start:stop:step.")


def parse_times(text: str | None) -> NDArray[np.float64] | None:
    """Hours from ``0.5,1,2`` or ``0:24:0.5`` (the stop is included); None stays None.

    Raises:
        AgmpkError: not numbers, or not increasing.
    """
    if text is None:
        return None
    try:
        if ":" in text:
            start, stop, step = (float(part) for part in text.split(":"))
            if not (step > 0 and stop >= start and (stop - start) / step < 100_000):
                raise ValueError
            times = start + step * np.arange(int((stop - start) / step + 1e-9) + 1)
        else:
            times = np.array([float(part) for part in text.split(",")])
    except ValueError:
        raise AgmpkError(
            f"--times {text!r} cannot be read: write hours as 0.5,1,2,4 or start:stop:step."
        ) from None
    if not np.all(np.isfinite(times)) or np.any(np.diff(times) <= 0):
        raise AgmpkError(f"--times {text!r} must be finite and increasing.")
    return times


def check_out(path: Path) -> None:
    """Fail before the work starts if the result could not be written."""
    from agmpk.files import check_writable

    check_writable(path)
