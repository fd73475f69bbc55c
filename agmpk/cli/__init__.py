"""The command line ``agmpk``.

Commands are imported when they are called, so that ``agmpk --help`` does not wait for PyTorch.
"""

from __future__ import annotations

import sys

import click

import agmpk
from agmpk.cli.lazy import LazyGroup
from agmpk.errors import AgmpkError

SECTIONS = {
    "Commands": {
        "forecast": "The rest of an individual's curve from its first samples and its study.",
        "cohort": "Virtual individuals of a study.",
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
    if name == "forecast":
        from agmpk.cli.forecast import forecast as command
    elif name == "cohort":
        from agmpk.cli.cohort import cohort as command
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
    """Entry point: input that cannot be used ends with one clear sentence and status 2."""
    try:
        cli(prog_name="agmpk")
    except AgmpkError as error:
        click.echo(f"agmpk: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)
