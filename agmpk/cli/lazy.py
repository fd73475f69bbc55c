"""Groups of commands that import a command when it is called, and end bad input with one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click

from agmpk.errors import AgmpkError


class OneLineGroup(click.Group):
    """Turns an :class:`AgmpkError` into one line and exit status 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except AgmpkError as error:
            click.echo(f"agmpk: {error}", err=True)
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
