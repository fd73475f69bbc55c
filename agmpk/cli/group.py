"""A group of commands that ends bad input with one line."""

from __future__ import annotations

import click

from agmpk.errors import AgmpkError


class OneLineGroup(click.Group):
    """Turns an :class:`AgmpkError` into one line and exit status 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except AgmpkError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(2)
