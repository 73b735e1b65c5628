"""``stslab help``, pages from the documentation, and ``completion``, scripts for shells."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import click

from stslab.cli.commands import nearest
from stslab.errors import UsageError
from stslab.resources import bundled, text_of
from stslab.structures import beside

topics: Callable[[], Mapping[str, Sequence[str]]] = partial(beside, __file__, "topics.yaml")
"""Each topic's page, its heading there, and a description."""


@click.command("help")
@click.argument("topic", nargs=-1, shell_complete=lambda _ctx, _param, start: [
                name for name in topics() if name.startswith(start)])  # fmt: skip
@click.pass_context
def command(ctx: click.Context, *, topic: tuple[str, ...]) -> None:
    """Show a page about TOPIC, or the help of a command; without either, list the topics."""
    if not topic:
        formatter = ctx.make_formatter()
        formatter.write_usage("stslab help", "[TOPIC | COMMAND]")
        with formatter.section("Topics"):
            formatter.write_dl([(name, about) for name, (_, _, about) in topics().items()])
        click.echo(formatter.getvalue(), nl=False)
    elif len(topic) == 1 and topic[0] in topics():
        from stslab.render.terminal.paper import paper_on

        page, heading, _ = topics()[topic[0]]
        paper = paper_on(sys.stdout)
        paper.prose(heading, style="bold")
        paper.blank()
        text = text_of(bundled() / "docs" / page)
        paper.markdown("\n".join(_section(text.splitlines(), heading)))
        paper.prose(f"From docs/{page}. Other topics: stslab help", style="dim", apart=True)
    else:
        _show_command(ctx.find_root(), topic)


def _section(lines: list[str], heading: str) -> Iterator[str]:
    level = fenced = 0
    for line in lines:
        fenced ^= line.startswith("```")
        depth = 0 if fenced else len(line) - len(line.lstrip("#"))
        if level and depth > 0:
            return
        if level:
            yield line
        elif depth and line[depth:].strip() == heading:
            level = depth


def _show_command(root: click.Context, names: tuple[str, ...]) -> None:
    ctx, command = root, root.command
    for name in names:
        group = command if isinstance(command, click.Group) else click.Group()
        inner = group.get_command(ctx, name)
        if inner is None:
            near = nearest(name, (*topics(), *group.list_commands(ctx))).strip()
            hint = near or "List the topics: stslab help"
            raise UsageError(f"There is no topic or command {' '.join(names)!r}.", hint)
        ctx, command = click.Context(inner, parent=ctx, info_name=name), inner
    click.echo(ctx.get_help())


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete commands, flags, labs, stages and run ids.

    For bash and zsh, put the line of the example into ~/.bashrc or ~/.zshrc.
    """
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    completers = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
    source = completers[shell](ctx.find_root().command, {}, "stslab", "_STSLAB_COMPLETE").source()
    click.echo(source.replace('split ","', 'split -m 1 ","'))  # in fish a description has commas
