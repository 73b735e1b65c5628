"""``stslab report``: the report of a run, its verification, and the merging of a class's."""

import json
import sys
from pathlib import Path

import click
from msgspec.structs import replace

from stslab.cli.commands import LazyGroup
from stslab.cli.failures import reading, writing
from stslab.cli.options import complete_run
from stslab.errors import CheckFailed, UsageError
from stslab.home import home

_ABOUT = "of"
_LARGEST = 64 * 1024 * 1024  # bytes of a report that are read
_File = click.Path(dir_okay=False, allow_dash=True)


class _ReportGroup(LazyGroup):
    """The command ``report``, which takes a run's id as well as the name of a subcommand."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = bool(args) and args[0] in {*self.entries, *ctx.help_option_names}
        return super().parse_args(ctx, args if named else [_ABOUT, *args])

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        named = self.get_command(ctx, _ABOUT) or about
        for part in (named.format_usage, named.format_help_text, named.format_options):
            part(ctx, formatter)
        self.format_commands(ctx, formatter)
        self.format_epilog(ctx, formatter)


class _Unnamed(click.Context):
    """The context of the subcommand that is meant where none is named."""

    @property
    def command_path(self) -> str:
        return self.parent.command_path if self.parent else super().command_path


command = _ReportGroup("report", family="report")


@click.command(_ABOUT)
@click.argument("run", default="", shell_complete=complete_run)
@click.option("--json", "form", flag_value="json", help="A JSON object, with the run's records.")
@click.option("--markdown", "form", flag_value="markdown", help="A Markdown page, to read.")
@click.option("--html", metavar="FILE", type=_File, help="Write a page to view and print.")
@click.option("--junit", metavar="FILE", type=_File, help="Write JUnit XML, for a CI system.")
@click.option("--mask", is_flag=True, help="Hide account ids; then it can't be verified.")
@click.option("--learner", default="", metavar="NAME", help="The learner's name (self-reported).")
def about(
    *, run: str, form: str | None, html: str | None, junit: str | None, mask: bool, learner: str
) -> None:
    """Report what RUN (by default the newest) did: who, when, where, each claim and its proof.

    Every claim of the lab is there, tried or not. It comes from the journal alone, and holds
    no secret. The HTML page also shows how the embedded account decided, from its log. FILE
    may be - for stdout.
    """
    from stslab.render.report import html as as_html
    from stslab.render.report import junit as as_junit
    from stslab.render.report import text as page
    from stslab.render.terminal.paper import paper_on
    from stslab.runner.journal.store import Journal
    from stslab.runner.report import masked
    from stslab.runner.report import report as report_of
    from stslab.sandbox.pipeline.log_file import newest_first

    place = home()
    with Journal.of(place) as journal:
        ids = [each.id for each in journal.runs(place.target if place.named and not run else "")]
        if not ids:
            raise UsageError("There are no runs yet.", "Begin with: stslab run")
        if run and run not in ids:
            raise UsageError(f"There is no run {run!r}.", "List the runs: stslab status")
        chosen = run or next((one for one in ids if journal.past(one).how), ids[0])
        made = report_of(journal.past(chosen), journal.links(chosen))
    report = replace(made, learner=learner)
    claims = report.standing.claims if report.run.kind == "sandbox" else ()
    requests = {claim.request_id for claim in claims} - {""}
    log = newest_first(place.account(report.run.target))
    decisions = {one["requestID"]: one["decisions"] for one in log if one["requestID"] in requests}
    if mask:
        report, decisions = masked(report), masked(decisions)
    if html:
        _write(html, as_html.page_of(report, decisions))
    if junit:
        _write(junit, as_junit.as_junit(report))
    if form == "json":  # a masked report has no records: their seals would not fit
        masks = {"records": [], "masked": True} if mask else {}
        click.echo(json.dumps(dict(report.as_dict()) | masks, indent=2, ensure_ascii=False))
    elif form == "markdown":
        click.echo(page.as_markdown(report), nl=False)
    elif not html and not junit:
        page.show_report(paper_on(sys.stdout), report)


def _write(file: str, text: str) -> None:
    if file == "-":
        click.echo(text, nl=False)
        return
    with writing(file):
        Path(file).write_text(text, encoding="utf-8")
    click.echo(f"The report is in {file}", err=True)


about.context_class = _Unnamed


@click.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
def verify(*, file: str) -> None:
    """Say what can be known about a report in FILE (JSON), and what can't.

    Exit code 3 if it was changed.
    """
    from stslab.render.report.text import show_verified
    from stslab.render.terminal.paper import paper_on
    from stslab.runner.report import verify as verified

    report, findings = verified(_text(file))
    show_verified(paper_on(sys.stdout), report, findings)
    wrong = [finding.says for finding in findings if not finding.right]
    if wrong:
        raise CheckFailed(f"{'. '.join(wrong)}.", "Ask for another: stslab report RUN --json")


@click.command("merge")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True))
@click.option("--csv", "form", flag_value="csv", default="csv",
              help="As CSV, for a spreadsheet (the default).")  # fmt: skip
@click.option("--html", "form", flag_value="html", help="As a page to view and print.")
def merge(*, files: tuple[str, ...], form: str) -> None:
    """Merge the reports of a class (FILES, in JSON, or folders of them) into one table, on stdout.

    It has a row for each learner, and columns for stages and concepts; each report is
    verified. The page also shows the most frequent wrong predictions.
    """
    from stslab.render.report import merged

    every = (report for file in files for report in _reports(file))
    reports = merged.compared(merged.handed_in(_text(file), file) for file in every)
    as_form = merged.as_page if form == "html" else merged.as_csv
    click.echo(as_form(reports), nl=False)


def _reports(file: str) -> list[str]:
    """The reports in a folder, or the file itself."""
    if not Path(file).is_dir():
        return [file]
    found = sorted(map(str, Path(file).glob("*.json")))
    if not found:
        raise UsageError(f"There is no report in {file}.", "Reports are files *.json there.")
    return found


def _text(file: str) -> str:
    with reading(file), click.open_file(file, "rb") as stream:
        return str(stream.read(_LARGEST).decode())
