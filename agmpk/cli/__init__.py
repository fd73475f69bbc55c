"""The command line ``agmpk``, and the options that several commands share.

Commands are imported when they are called, so that ``agmpk --help`` does not wait for PyTorch.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import click

import agmpk
from agmpk.errors import AgmpkError, TableError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agmpk.forecasting import Forecaster
    from agmpk.studies import Individual, Reading, Study

Item = TypeVar("Item")
_MODULES = {
    "book": "IPython docutils jupytext myst_nb nbclient nbformat papermill sphinx",
    "literature": "Bio defusedxml openai pydantic pydantic_ai",
    "nlme": "pynlme",
    "metrics": "pysiglib sklearn",
    "cluster": "distributed joblib",
}
EXTRA_OF = {name: extra for extra, names in _MODULES.items() for name in names.split()}
"""The extra that brings a module."""


class OneLineGroup(click.Group):
    """Ends with one sentence and status 2 where input cannot be used, an extra is not installed,
    or the system says no (a full disk, no permission)."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except AgmpkError as error:
            click.echo(f"agmpk: {error}", err=True)
        except ModuleNotFoundError as error:
            extra = EXTRA_OF.get((error.name or "").partition(".")[0])
            if extra is None:
                raise
            click.echo(f"agmpk: This needs {error.name}: install agmpk[{extra}].", err=True)
        except BrokenPipeError:
            raise  # whoever read the output has left: nothing to say
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            click.echo(f"agmpk: {where}{error.strerror or error}.", err=True)
        ctx.exit(2)


class LazyGroup(OneLineGroup):
    """Knows its commands by a sentence each (``sections``: by title, as ``--help`` shows them), and
    imports one on demand (``load``: from a name to the command)."""

    def __init__(self, *arguments, sections: Mapping, load: Callable, **keywords) -> None:
        super().__init__(*arguments, **keywords)
        self.sections, self.load = sections, load

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for commands in self.sections.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.load(cmd_name) if cmd_name in self.list_commands(ctx) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


SECTIONS = {
    "Commands": {
        "check": "How a study table is read: people, samples, limits, doses, units.",
        "forecast": "The rest of an individual's curve from its first samples and its study.",
        "cohort": "Virtual individuals of a study.",
        "whatif": "An individual's future under other plans of doses.",
        "report": "One HTML file on how the models do on a study.",
        "benchmark": "Leave-one-individual-out errors of models on the 20 compounds.",
        "simulate": "Studies drawn from the prior, as a NONMEM-style table.",
        "train": "Train a model on simulated studies.",
        "literature": "Summary statistics out of bioequivalence articles.",
    },
    "The book and its numbers": {
        "book": "Execute the notebooks and build the pages (see also `make book`).",
        "paper": "Make again what data/ holds: ablations, prior, fits, costs ...",
    },
}
COMMANDS = tuple(name for commands in SECTIONS.values() for name in commands)


def _load(name: str) -> click.Command:
    """The command of that name, imported now."""
    home = {"check": "study", "cohort": "study", "whatif": "study", "report": "study",
            "benchmark": "forecast", "simulate": "train"}.get(name, name)  # fmt: skip
    return getattr(importlib.import_module(f"agmpk.cli.{home}"), name)


@click.group(cls=LazyGroup, sections=SECTIONS, load=_load,
             context_settings={"help_option_names": ["-h", "--help"]})  # fmt: skip
@click.version_option(agmpk.__version__, prog_name="agmpk")
def cli() -> None:
    """Amortized generative models for pharmacokinetics: forecast individuals, generate cohorts,
    simulate studies, train and benchmark models."""


def main() -> None:
    """Entry point."""
    # Being ended, as by a batch system, cleans up like Ctrl-C does: no half-written file stays.
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        cli(prog_name="agmpk")
    except BrokenPipeError:
        sys.exit(1)


# ---------------------------------------------------------------------------- what commands share

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
COUNT, POSITIVE, SEVERAL = click.IntRange(0), click.IntRange(1), click.IntRange(2)

option = functools.partial(click.option, show_default=True)
STUDY = click.argument("study", type=FILE)
OUT = option("--out", required=True, type=FILE, help="CSV file to write (whole or not at all).")
FORMAT = option(
    "--format", "form", type=click.Choice(["csv", "nonmem"]), default="csv",
    help="nonmem: doses and shown samples as well, numeric IDs, '.' for no value, and a "
    "dictionary of the columns beside the table (OUT.columns.csv).",
)  # fmt: skip
SEED = option("--seed", default=0, type=COUNT, help="Same seed, same numbers.")
MODEL = option(
    "--model", default="flow", help="naive, a shipped checkpoint, or the folder of a checkpoint."
)
OBSERVED = option(
    "--observed", default=4, type=COUNT,
    help="How many first positive samples of the target are shown to the model.",
)  # fmt: skip
JSON = option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
TIMES = option("--times", help="Times in hours, e.g. 0.5,1,2,4,8 or start:stop:step.")
JOBS = (
    option("--jobs", default=1, type=POSITIVE, help="Processes at a time."),
    click.option("--scheduler", default="", metavar="ADDRESS",
                 help="Instead, the workers of this Dask scheduler, such as tcp://host:8786."),
)  # fmt: skip

# How a table is read where its columns do not say so: agmpk.studies.nonmem.read.Options.
_READING = {
    "analyte": {"help": "Which analyte, where the table holds several."},
    "columns": {
        "multiple": True, "metavar": "NAME=COLUMN,...",
        "help": "Where to find what, e.g. TIME=time_h,DV=conc; NAME= leaves a column out."},
    "study": {"metavar": "NAME", "help": "Which STUDY, where the table holds several; 'all' pools "
              "them."},
    "occasion": {
        "type": click.Choice(["split", "as-is"]),
        "help": "split: each occasion is an individual; as-is: times are taken as they are, "
        "sorted."},
    "exclude": {"multiple": True, "metavar": "ID,...", "help": "Leave individuals out."},
    "route": {"type": click.Choice(["oral", "iv", "iv_bolus", "iv_infusion"]),
              "help": "The route of all doses of the table."},
    "units": {"metavar": "KIND=UNIT,...", "help": "e.g. time=h,concentration=ug/mL,dose=mg/kg."},
    "log_dv": {"is_flag": True, "help": "DV holds natural logarithms."},
    "lloq": {"type": float, "help": "Lower limit of quantification of the table."},
    "dose_at": {"type": float, "metavar": "TIME",
                "help": "The amount stands on every row and is one dose, given at this TIME."},
    "repeats": {"type": click.Choice(["combine"]),
                "help": "Add up equal doses at one time, average observations at one time."},
    "skip_unusable": {"is_flag": True,
                      "help": "Leave out (and list) individuals with faults, instead of stopping."},
}  # fmt: skip
READING = [click.option(f"--{name.replace('_', '-')}", f"_{name}", **about)
           for name, about in _READING.items()]  # fmt: skip


def command(*options: Callable, group: Any = click, **about: Any) -> Callable:
    """Make a function a command (of ``group``) of these options, which it gets as one namespace;
    with those of ``READING`` among them also ``how``, what :func:`agmpk.studies.read_table` takes.
    """

    def made(function: Callable[[SimpleNamespace], None]) -> click.Command:
        @functools.wraps(function)
        def run(**given: Any) -> None:
            if "_columns" in given:
                given["how"] = _how({name: given.pop(f"_{name}") for name in _READING})
            function(SimpleNamespace(**given))

        for one in reversed(options):
            run = one(run)
        return group.command(**about)(run)

    return made


def _how(how: dict[str, Any]) -> dict[str, Any]:
    """The options of reading a table, in plain values."""
    pairs = [word.partition("=") for word in ",".join(how["columns"]).split(",") if word]
    if unclear := [name for name, equals, _ in pairs if not equals]:
        raise AgmpkError(f"--columns {unclear[0]!r} is no pair: write it like TIME=time_h,DV=conc.")
    how["columns"] = {name.strip(): column.strip() for name, _, column in pairs}
    how["exclude"] = [one.strip() for text in how["exclude"] for one in text.split(",")]
    return how | {"units": how["units"] or {}}


def read(path: Path, how: dict[str, Any], *, quiet: bool = False) -> Reading:
    """Read a table as the options say, and tell on the console (stderr) how it was read.

    Raises:
        TableError: the table cannot be used; more than three faults are listed in FILE.faults.csv.
        AgmpkError: an option cannot be used.
    """
    from agmpk.studies import read_table

    try:
        reading = read_table(path, **how)
    except TableError as error:
        raise _listed(error, path) from None
    if not quiet:
        click.echo(reading.describe(), err=True)
    return reading


def _listed(error: TableError, path: Path) -> TableError:
    """The error with all its faults in a file beside the table (or here), if they are many."""
    if len(error.faults) <= error.SHOWN or not error.places:
        return error
    import pandas as pd

    from agmpk.files import write_csv

    frame = pd.DataFrame(list(error.places), columns=["row", "column", "problem", "remedy"])
    for folder in (path.parent, Path()):
        target = folder / f"{path.stem}.faults.csv"
        with contextlib.suppress(AgmpkError, OSError, UnicodeDecodeError):
            if target.exists() and not target.read_text("utf-8").startswith(",".join(frame)):
                continue  # somebody else's file of that name
            write_csv(frame, target)
            return TableError(error.faults, error.places, str(target))
    return error


def parse_times(text: str | None) -> NDArray[np.float64] | None:
    """Hours from ``0.5,1,2`` or ``0:24:0.5`` (the stop is included); None stays None.

    Raises:
        AgmpkError: not numbers, not between 0 and 1e6 h, not increasing, or more than 10,000.
    """
    import numpy as np

    from agmpk.studies.units import MAX_HOURS

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


def progress(items: Sequence[Item], what: str, unit: str) -> Iterator[Item]:
    """Go through the items with a bar on a terminal, else with a line every ten seconds."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, desc=what, unit=unit)
        return
    began = time.monotonic()
    due = began + 5
    for number, item in enumerate(items):
        if (now := time.monotonic()) > due:
            done = f"{number} of {len(items)} {unit}s after {now - began:.0f} s"
            click.echo(f"agmpk: {what}: {done}", err=True)
            due = now + 10
        yield item


def print_json(values: dict[str, Any]) -> None:
    """Print plain values, or numpy's, as JSON; what is no number (NaN, infinite) is null."""
    import json

    from agmpk.files import jsonable

    click.echo(json.dumps(jsonable(values), indent=1, ensure_ascii=False, allow_nan=False))


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


def tell_notes(forecaster: Forecaster, context: int, notes: Sequence[str] = ()) -> None:
    """Say on the console (stderr) what the forecasts' notes say, once, and where the naive model
    has too few others to draw from."""
    if noted := [note for note in notes if note]:
        others = f" (and {len(noted) - 1} more)" if len(noted) > 1 else ""
        click.echo(f"agmpk: {noted[0]}{others}", err=True)
    if forecaster.name == "naive" and context <= 2:
        click.echo(
            f"agmpk: The naive model draws from the departures of the {context} individual(s) of "
            "the context, too few for intervals: its quantiles are (nearly) one value.",
            err=True,
        )
