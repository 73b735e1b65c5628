"""``stslab report``: what a run did, from its journal."""

import json
import sys

import click

from stslab.errors import UsageError
from stslab.home import home


@click.command("report")
@click.argument("run", default="")
@click.option("--json", "form", flag_value="json", help="A JSON object, on stdout.")
@click.option("--markdown", "form", flag_value="markdown", help="A Markdown page, to hand in.")
def command(*, run: str, form: str | None) -> None:
    """Tell what RUN (the newest one) did: who, when, where, each claim and its proof.

    It comes from the journal alone: nothing is called, and no secret is in it.
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


def _known(ids: list[str], wanted: str) -> str:
    if not ids:
        raise UsageError("There are no runs yet.", "Begin with: stslab run")
    if wanted and wanted not in ids:
        raise UsageError(f"There is no run {wanted!r}.", "See which there are: stslab status")
    return wanted or ids[0]
