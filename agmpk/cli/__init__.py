"""The command line ``agmpk``.

Commands are imported when they are called, so that ``agmpk --help`` does not wait for PyTorch.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Mapping

import click

import agmpk
from agmpk.errors import AgmpkError

_MODULES = {
    "book": "IPython docutils grimp jupytext myst_nb nbclient nbformat papermill sphinx",
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
    """Knows its commands by a sentence each, and imports one on demand.

    Args:
        sections: by title, the names of the commands with the sentence that ``--help`` shows.
        load: from a name to the command.
    """

    def __init__(
        self,
        *arguments,
        sections: Mapping[str, Mapping[str, str]],
        load: Callable[[str], click.Command],
        **keywords,
    ) -> None:
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
    if name == "check":
        from agmpk.cli.check import check as command
    elif name == "forecast":
        from agmpk.cli.forecast import forecast as command
    elif name == "cohort":
        from agmpk.cli.cohort import cohort as command
    elif name == "whatif":
        from agmpk.cli.whatif import whatif as command
    elif name == "report":
        from agmpk.cli.report import report as command
    elif name == "benchmark":
        from agmpk.cli.benchmark import benchmark as command
    elif name == "simulate":
        from agmpk.cli.simulate import simulate as command
    elif name == "train":
        from agmpk.cli.train import train as command
    elif name == "literature":
        from agmpk.cli.literature import literature as command
    elif name == "book":
        from agmpk.cli.book import book as command
    else:
        from agmpk.cli.paper import paper as command
    return command


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    load=_load,
    context_settings={"help_option_names": ["-h", "--help"]},
)
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
