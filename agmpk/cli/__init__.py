"""The command line ``agmpk``.

Commands are imported when they are called, so that ``agmpk --help`` does not wait for PyTorch.
"""

from __future__ import annotations

import importlib
import sys

import click

import agmpk
from agmpk.errors import AgmpkError

COMMANDS = {
    "check": "agmpk.cli.check:check",
    "forecast": "agmpk.cli.forecast:forecast",
    "cohort": "agmpk.cli.cohort:cohort",
    "benchmark": "agmpk.cli.benchmark:benchmark",
    "simulate": "agmpk.cli.simulate:simulate",
    "train": "agmpk.cli.train:train",
    "literature": "agmpk.cli.literature:literature",
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports them on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        return getattr(importlib.import_module(module), name)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(agmpk.__version__, prog_name="agmpk")
def cli() -> None:
    """Amortized generative models for pharmacokinetics: forecast individuals, generate cohorts,
    simulate studies, train and benchmark models."""


def main() -> None:
    """Entry point: input that cannot be used ends with one clear sentence and status 2."""
    try:
        cli(prog_name="agmpk")
    except AgmpkError as error:
        click.echo(f"agmpk: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)
