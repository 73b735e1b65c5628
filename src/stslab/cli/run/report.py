"""``stslab report``: what a run did, from its journal; and what can be known of a report."""

import json
import sys
from pathlib import Path

import click

from stslab.cli.commands import REPORT
from stslab.cli.lazy import LazyGroup
from stslab.cli.names import complete_run
from stslab.errors import CheckFailed, UsageError
from stslab.home import home

_ABOUT = "of"
_LARGEST = 64 * 1024 * 1024  # bytes of a report that are read


class _Report(LazyGroup):
    """``report`` and its arguments, beside the subcommands that are named first."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What names no subcommand is about a run."""
        named = bool(args) and args[0] in {*self.entries, *ctx.help_option_names}
        return super().parse_args(ctx, args if named else [_ABOUT, *args])

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help of ``report`` itself, and the subcommands below it."""
        named = self.get_command(ctx, _ABOUT) or about
        for part in (named.format_usage, named.format_help_text, named.format_options):
            part(ctx, formatter)
        self.format_commands(ctx, formatter)
        self.format_epilog(ctx, formatter)


@click.command(_ABOUT)
@click.argument("run", default="", shell_complete=complete_run)
@click.option("--json", "form", flag_value="json", help="A JSON object, with the run's records.")
@click.option("--markdown", "form", flag_value="markdown", help="A Markdown page, to read.")
def about(*, run: str, form: str | None) -> None:
    """Tell what RUN (the newest one) did: who, when, where, each claim and its proof.

    Every claim of the lab is there, whether it was tried or not. It comes from the journal
    alone: nothing is called, and no secret is in it.
    """
    from stslab.runner.journal.store import Journal
    from stslab.runner.report import report

    place = home()
    if not place.has_journal:
        raise UsageError("There are no runs yet.", "Begin with: stslab run")
    with Journal(place.journal) as journal:
        told = report(journal, _known([one.id for one in journal.runs()], run))
    if form == "json":
        click.echo(json.dumps(told.as_dict(), indent=2, ensure_ascii=False))
        return
    from stslab.render import report as page

    if form == "markdown":
        click.echo(page.as_markdown(told), nl=False)
        return
    from stslab.render.terminal.console import make_console

    page.show_report(make_console(sys.stdout), told)


@click.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
def verify(*, file: str) -> None:
    """Say what can be known of a report in FILE (JSON), and what can't.

    Exit code 3 if it is not as it was made.
    """
    from stslab.render.report import show_verified
    from stslab.render.terminal.console import make_console
    from stslab.runner import verify as verifying

    report, findings = verifying.verify(_text(file))
    show_verified(make_console(sys.stdout), report, findings)
    wrong = [one.says for one in findings if not one.right]
    if wrong:
        raise CheckFailed(f"{'. '.join(wrong)}.", "Ask for another: stslab report RUN --json")


command = _Report("report")
command.entries = REPORT


def _text(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read(_LARGEST) if file == "-" else _begin_of(Path(file))
        return raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(f"{file} can't be read: {reason}.") from None


def _begin_of(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_LARGEST)


def _known(ids: list[str], wanted: str) -> str:
    if not ids:
        raise UsageError("There are no runs yet.", "Begin with: stslab run")
    if wanted and wanted not in ids:
        raise UsageError(f"There is no run {wanted!r}.", "See which there are: stslab status")
    return wanted or ids[0]
