"""Options and helpers that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError, TableError

if TYPE_CHECKING:
    from agmpk.studies import Individual, Reading, Study

STUDY = click.argument("study", type=click.Path(dir_okay=False, path_type=Path))
OUT = click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV file to write (whole or not at all).",
)
FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "nonmem"]),
    default="csv",
    show_default=True,
    help="nonmem: doses and shown samples as well, numeric IDs, '.' for no value, and a "
    "dictionary of the columns beside the table (OUT.columns.csv).",
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
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_JOBS = (
    click.option("--jobs", default=1, show_default=True, type=click.IntRange(1),
                 help="Processes at a time."),
    click.option("--scheduler", default="", metavar="ADDRESS",
                 help="Instead, the workers of this Dask scheduler, such as tcp://host:8786."),
)  # fmt: skip
TIMES = click.option("--times", help="Times in hours, e.g. 0.5,1,2,4,8 or start:stop:step.")

# How a table is read where its columns do not say so: agmpk.studies.nonmem.columns.Options.
_READING = (
    click.option("--analyte", help="Which analyte, where the table holds several."),
    click.option(
        "--columns",
        multiple=True,
        metavar="NAME=COLUMN,...",
        help="Where to find what, e.g. TIME=time_h,DV=conc; NAME= leaves a column out.",
    ),
    click.option(
        "--study",
        "study_name",
        metavar="NAME",
        help="Which STUDY, where the table holds several; 'all' pools them.",
    ),
    click.option(
        "--occasion",
        type=click.Choice(["split", "as-is"]),
        help="split: each occasion is an individual; as-is: times are taken as they are, sorted.",
    ),
    click.option("--exclude", multiple=True, metavar="ID,...", help="Leave individuals out."),
    click.option(
        "--route",
        type=click.Choice(["oral", "iv", "iv_bolus", "iv_infusion"]),
        help="The route of all doses of the table.",
    ),
    click.option(
        "--units", metavar="KIND=UNIT,...", help="e.g. time=h,concentration=ug/mL,dose=mg/kg."
    ),
    click.option("--log-dv", is_flag=True, help="DV holds natural logarithms."),
    click.option("--lloq", type=float, help="Lower limit of quantification of the table."),
    click.option(
        "--dose-at",
        type=float,
        metavar="TIME",
        help="The amount stands on every row and is one dose, given at this TIME.",
    ),
    click.option(
        "--repeats",
        type=click.Choice(["combine"]),
        help="Add up equal doses at one time, average observations at one time.",
    ),
    click.option(
        "--skip-unusable",
        is_flag=True,
        help="Leave out (and list) individuals with faults, instead of stopping.",
    ),
)
_NAMES = (
    "analyte", "columns", "study_name", "occasion", "exclude", "route", "units", "log_dv", "lloq",
    "dose_at", "repeats", "skip_unusable",
)  # fmt: skip


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of reading a table; it gets them as one argument ``how``."""

    @functools.wraps(command)
    def wrapped(**arguments: Any) -> None:
        how = {name: arguments.pop(name) for name in _NAMES}
        command(**arguments, how=how)

    for option in reversed(_READING):
        wrapped = option(wrapped)
    return wrapped


def jobs_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``jobs`` and ``scheduler``, see :mod:`agmpk.jobs`."""
    for option in reversed(_JOBS):
        command = option(command)
    return command


def read(path: Path, how: dict[str, Any], *, quiet: bool = False) -> Reading:
    """Read a table as the options say, and tell on the console (stderr) how it was read.

    Raises:
        TableError: the table cannot be used; more than three faults are listed in FILE.faults.csv.
        AgmpkError: an option cannot be used.
    """
    from agmpk.studies import read_table

    try:
        reading = read_table(path, **reading_keywords(how))
    except TableError as error:
        raise _listed(error, path) from None
    if not quiet:
        click.echo(reading.describe(), err=True)
    return reading


def reading_keywords(how: dict[str, Any]) -> dict[str, Any]:
    """What :func:`agmpk.studies.read_table` takes, from the options of a command; plain values."""
    options = dict(how)
    options["study"] = options.pop("study_name")
    options["columns"] = _pairs(options["columns"])
    options["exclude"] = [one.strip() for text in options["exclude"] for one in text.split(",")]
    options["units"] = options["units"] or {}
    return options


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for word in ",".join(texts).split(",") if texts else []:
        name, equals, column = word.partition("=")
        if not equals:
            raise AgmpkError(f"--columns {word!r} is no pair: write it like TIME=time_h,DV=conc.")
        pairs[name.strip()] = column.strip()
    return pairs


def _listed(error: TableError, path: Path) -> TableError:
    """The error with all its faults in a file beside the table (or here), if they are many."""
    if len(error.faults) <= error.SHOWN or not error.places:
        return error
    import pandas as pd

    from agmpk.files import write_csv

    head = ["row", "column", "problem", "remedy"]
    frame = pd.DataFrame(list(error.places), columns=head)
    for folder in (path.parent, Path()):
        target = folder / f"{path.stem}.faults.csv"
        try:
            if target.exists() and not target.read_text("utf-8").startswith(",".join(head)):
                continue  # somebody else's file of that name
            write_csv(frame, target)
        except (AgmpkError, OSError, UnicodeDecodeError):
            continue
        return TableError(error.faults, error.places, str(target))
    return error


def parse_times(text: str | None) -> NDArray[np.float64] | None:
    """Hours from ``0.5,1,2`` or ``0:24:0.5`` (the stop is included); None stays None.

    Raises:
        AgmpkError: not numbers, not between 0 and 1e6 h, not increasing, or more than 10,000.
    """
    from agmpk.studies.study import MAX_HOURS

    if text is None:
        return None
    try:
        if ":" in text:
            start, stop, step = (float(part) for part in text.split(":"))
            if not (step > 0 and stop >= start and (stop - start) / step < 10_000):
                raise ValueError
            times = start + step * np.arange(int((stop - start) / step + 1e-9) + 1)
        else:
            times = np.array([float(part) for part in text.split(",")])
    except ValueError:
        raise AgmpkError(
            f"--times {text[:40]!r} cannot be read: write hours as 0.5,1,2,4 or start:stop:step, "
            "at most 10,000 of them."
        ) from None
    inside = np.all((times >= 0) & (times <= MAX_HOURS))
    if not inside or np.any(np.diff(times) <= 0) or len(times) > 10_000:
        raise AgmpkError(
            f"--times {text[:40]!r} must lie between 0 and {MAX_HOURS:g} h and be increasing, at "
            "most 10,000 of them."
        )
    return times


def print_json(values: dict[str, Any]) -> None:
    """Print plain values, or numpy's, as JSON; what is no number (NaN, infinite) is null."""
    import json

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): plain(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [plain(one) for one in value]
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, Path):
            return str(value)
        return None if isinstance(value, float) and not np.isfinite(value) else value

    click.echo(json.dumps(plain(values), indent=1, ensure_ascii=False, allow_nan=False))


def check_out(path: Path, *inputs: Path) -> None:
    """Fail before the work starts if the result could not be written."""
    from agmpk.files import check_writable

    check_writable(path, *inputs)


def tell_familiar(study: Study, prefix: Individual | None = None) -> str:
    """Say on the console (stderr), in one sentence, whether the prior draws studies like this, and
    return it.

    ``study`` is the context, ``prefix`` the target with the samples that it has shown.  Where there
    is nothing to compare, the sentence says so; no command ends for it.
    """
    from agmpk.evaluation.familiar import familiarity

    try:
        sentence = familiarity(study, prefix).sentence
    except AgmpkError as error:
        sentence = f"Not compared with what the prior draws: {error}"
    click.echo(f"agmpk: {sentence}", err=True)
    return sentence
