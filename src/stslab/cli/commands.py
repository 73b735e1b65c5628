"""The table of commands in ``commands.txt``, and groups that import a command when it is called."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import click

_ROW = re.compile(r"# (?P<name>\S+(?: \S+)*)  (?P<where>\S+)(?:  (?P<help>.*))?")


class Row(NamedTuple):
    where: str  # ``MODULE:ATTRIBUTE``
    help: str
    examples: Sequence[str]


def _table() -> dict[tuple[str, str], Row]:
    """The commands by their groups and names. A row's examples are the lines below it."""
    text = Path(__file__).with_name("commands.txt").read_text(encoding="utf-8")
    table: dict[tuple[str, str], Row] = {}
    examples: list[str] = []
    for line in text.splitlines():
        row = _ROW.fullmatch(line)
        if row:
            group, _, name = row["name"].rpartition(" ")
            examples = []
            table[group, name] = Row(f"stslab.cli.{row['where']}", row["help"] or "", examples)
        else:
            examples.append(line)
    return table


class LazyGroup(click.Group):
    """A group with a table of its commands, so that help and completion import none of them.

    ``family`` is the group's full name (``sandbox saml``). A command without help is hidden.
    """

    def __init__(self, *args: Any, family: str = "", **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.entries = {name: row for (of, name), row in _table().items() if of == family}

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [name for name, entry in self.entries.items() if entry.help]

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.where.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
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
            of = next((group for group, other in _table() if group and other == name), "")
            near = f" Did you mean '{of} {name}'?" if of else nearest(name, self.entries)
            ctx.fail(f"There is no command {name!r}.{near}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, self.entries[name].help) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=self.entries[name].help)
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return found or click.Command.shell_complete(self, ctx, incomplete)


def looks() -> Iterator[click.Option]:
    """``--no-color`` and ``--plain``, which set their environment variables."""

    def switch(ctx: click.Context, param: click.Parameter, given: bool) -> None:
        if given:
            os.environ["STSLAB_PLAIN" if param.name == "plain" else "NO_COLOR"] = "1"
            ctx.find_root().color = ctx.color = False

    for flag, says in (
        ("--no-color", "No colours; NO_COLOR=1 in the environment does the same."),
        ("--plain", "Words only: no boxes, no colours, no redrawing."),
    ):
        yield click.Option(
            [flag], is_flag=True, is_eager=True, expose_value=False, callback=switch, help=says
        )


def advised(error: click.ClickException) -> click.ClickException:
    """The error; of an option that is an argument, or a file that needs an option, it says so."""
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return error
    unknown, extra = getattr(error, "option_name", ""), "extra argument" in error.message
    for param in error.ctx.command.params:
        usage = param.make_metavar(error.ctx)
        meant = isinstance(param, click.Argument) and unknown == f"--{param.name}"
        if extra and isinstance(param, click.Option) and isinstance(param.type, click.Path):
            usage, meant = f"{param.opts[0]} {usage}", True
        if meant:
            so = f"Write it so: {error.ctx.command_path} {usage}"
            return click.UsageError(f"{error.message.rstrip('.')}. {so}", error.ctx)
    return error


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint with the most similar name, or ""."""
    from stslab.policy.catalogue import suggestions

    return "".join(f" Did you mean {near!r}?" for near in suggestions(name, names))
