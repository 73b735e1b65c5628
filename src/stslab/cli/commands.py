"""The table of commands in ``commands.txt``, and groups that import a command when it is called."""

import importlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

_ROW = re.compile(r"# (?P<name>\S+(?: \S+)*)  (?P<where>\S+)(?:  (?P<help>.*))?")


class Entry(NamedTuple):
    """A command's place, its help in one line, and examples."""

    module: str
    attribute: str
    help: str
    examples: Sequence[str]


def family(group: str = "") -> dict[str, Entry]:
    """The commands of a group (``sandbox saml``), by name, in order."""
    words = (name.rpartition(" ") for name in _table())
    return {name: _table()[f"{of} {name}".lstrip()] for of, _, name in words if of == group}


@cache
def _table() -> dict[str, Entry]:
    """The commands by their full names. A row's examples are the lines below it."""
    text = Path(__file__).with_name("commands.txt").read_text(encoding="utf-8")
    table: dict[str, Entry] = {}
    examples: list[str] = []
    for line in text.splitlines():
        row = _ROW.fullmatch(line)
        if row:
            examples, (module, _, attribute) = [], row["where"].partition(":")
            where = f"stslab.cli.{module}", attribute or "command"
            table[row["name"]] = Entry(*where, row["help"] or "", examples)
        else:
            examples.append(line)
    return table


if TYPE_CHECKING:  # click imports it only when a shell asks for completions
    from click.shell_completion import CompletionItem


class LazyGroup(click.Group):
    """A group with a table of its commands, so that help and completion import none of them."""

    entries: Mapping[str, Entry] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the table's order. A command without help is hidden."""
        del ctx
        return [name for name, entry in self.entries.items() if entry.help]

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command of this name, or None."""
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(entry.module)
        command: click.Command = getattr(module, entry.attribute)
        shown = ["\b", "Examples:", *(f"  {example}" for example in entry.examples)]
        command.epilog = "\n".join(shown) if entry.examples else None
        if not any("--plain" in param.opts for param in command.params):
            command.params.extend(looks())
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name. For an unknown one, suggest the nearest name."""
        name = args[0]
        if name not in self.entries and not name.startswith("-") and not ctx.resilient_parsing:
            full = next((one for one in _table() if one.endswith(f" {name}")), "")
            near = f" Did you mean {full!r}?" if full else nearest(name, self.entries)
            ctx.fail(f"There is no command {name!r}.{near}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, self.entries[name].help) for name in self.list_commands(ctx)]
            )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """The commands that begin with ``incomplete``, or else options."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=self.entries[name].help)
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return found or click.Command.shell_complete(self, ctx, incomplete)


def looks() -> Iterator[click.Option]:
    """``--no-color`` and ``--plain``, which set their environment variables."""
    for flag, variable, says in (
        ("--no-color", "NO_COLOR", "No colours; NO_COLOR=1 in the environment does the same."),
        ("--plain", "STSLAB_PLAIN", "Words only: no boxes, no colours, no redrawing."),
    ):

        def switch(
            ctx: click.Context, _param: click.Parameter, given: bool, variable: str = variable
        ) -> None:
            if given:
                os.environ[variable] = "1"
                ctx.find_root().color = ctx.color = False

        yield click.Option(
            [flag], is_flag=True, is_eager=True, expose_value=False, callback=switch, help=says
        )


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint with the most similar name, or ""."""
    import difflib

    near = difflib.get_close_matches(name, list(names), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
