"""A group of commands that are imported when they are invoked, and not before."""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:  # click imports it only when a shell asks for completions
    from click.shell_completion import CompletionItem


class Entry(NamedTuple):
    """Where a command is (``module:attribute``), and its help in one line."""

    where: str
    help: str


class LazyGroup(click.Group):
    """A group that knows its commands by a table, so that help and completion import none."""

    def __init__(self, *args: Any, entries: Mapping[str, Entry], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the table's order."""
        del ctx
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now; None where there is none."""
        del ctx
        entry = self._entries.get(cmd_name)
        return _imported(entry.where) if entry else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; an unknown one gets the nearest name's hint."""
        name = args[0]
        if name not in self._entries and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"There is no command {name!r}.{_nearest(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, as the help shows it."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self._entries.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """The commands that begin so; options where it looks like one."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=entry.help)
            for name, entry in self._entries.items()
            if name.startswith(incomplete)
        ]
        return found or click.Command.shell_complete(self, ctx, incomplete)


def no_color_option() -> click.Option:
    """``--no-color``: as if ``NO_COLOR`` stood in the environment."""
    return click.Option(
        ["--no-color"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_without_color,
        help="No colours; NO_COLOR=1 in the environment does the same.",
    )


def _without_color(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        import os

        os.environ["NO_COLOR"] = "1"
        ctx.find_root().color = ctx.color = False


def _imported(where: str) -> click.Command:
    module, _, attribute = where.partition(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    _offer_no_color(command)
    return command


def _offer_no_color(command: click.Command) -> None:
    if isinstance(command, click.Group):
        for member in command.commands.values():
            _offer_no_color(member)
    elif not any("--no-color" in param.opts for param in command.params):
        command.params.append(no_color_option())


def _nearest(name: str, names: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, names, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
