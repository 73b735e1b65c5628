"""The guard's part at the terminal: who, where, what and what for; then the account's id typed."""

import sys

from rich.console import Console

from stslab.aws.survey import Survey
from stslab.cli.accounts import Open
from stslab.cli.bench import Bench
from stslab.errors import CredentialsError
from stslab.lab.foresight import PARTNER
from stslab.lab.model import Lab
from stslab.render.changes import enforced, show_changes
from stslab.render.terminal.paper import Paper
from stslab.resources import is_foreign


def brief(console: Console, opened: Open, lab: Lab, *, force: bool) -> None:
    """Look at the account, and say who and where the learner is, and what a run will make there.

    Raises:
        CredentialsError: the guard refuses.
    """
    from stslab.aws.guard import surveyed
    from stslab.runner.run.footprint import footprint

    if opened.source is None or opened.identity is None:
        return
    makes = footprint(lab, opened.target.info)
    seen = surveyed(opened.source, opened.identity, makes, force=force)
    other = []
    if opened.partner and lab.accounts:
        who, source = opened.partner
        theirs = surveyed(source, who, footprint(lab, opened.target.info, PARTNER), force=force)
        other = [
            ("and there", who.arn),
            ("account", who.account),
            ("alias", _alias(theirs)),
            ("may you?", _permissions(theirs)),
        ]
    paper = Paper(console)
    where = "a real AWS account" if opened.kind == "aws" else opened.target.endpoint_url
    paper.line(paper.symbols.warning, "yellow", f"This works on {where}")
    paper.fields([*_where(opened, seen), *other, ("costs", makes.costs)], indent=2)
    show_changes(paper, makes.summary)
    paper.prose(
        "What it makes carries the run's id in its name, and its tag stslab:run where AWS has"
        " tags. All is undone at the end, or at any time with `stslab cleanup`. "
        + enforced(makes.summary),
        indent=2,
    )
    paper.blank()


def introduce(laid: Bench, opened: Open, lab: Lab) -> None:
    """Before a lab that did not come with stslab runs here for the first time: what it calls."""
    from stslab.runner.run.footprint import footprint

    if not is_foreign(lab.path) or any(one.sha256 == lab.sha256 for one in laid.journal.runs()):
        return
    paper = Paper(laid.console)
    title = f"The lab {lab.id} did not come with stslab. This is what it does."
    paper.line(paper.symbols.warning, "yellow", title)
    makes = footprint(lab, opened.target.info)
    show_changes(paper, makes.summary)
    paper.prose(enforced(makes.summary), indent=2)
    if laid.asker:
        laid.console.print("Press Enter to go on, Ctrl-C to stop: ", end="")
        sys.stdin.readline()


def say_where(console: Console, opened: Open, why: str) -> None:
    """In two lines: on which account and as whom."""
    info = opened.target.info
    paper = Paper(console)
    paper.line(paper.symbols.warning, "yellow", why)
    paper.prose(f"account {info.account} ({info.region}), as {info.caller}", indent=2)
    if opened.partner:
        paper.prose(f"account {opened.partner[0].account}, as {opened.partner[0].arn}", indent=2)
    paper.blank()


def confirm_account(console: Console, opened: Open) -> None:
    """The person types the account's id to go on, and that of the second one."""
    for account in (opened.target.info.account, *opened.target.info.accounts.values()):
        console.print()
        asked = f"Type the account's id ({account}) to go on, anything else to stop: "
        console.print(asked, end="")
        if sys.stdin.readline().strip().replace("-", "") != account:
            raise CredentialsError(
                "That is not the account's id. Nothing was made.",
                "Without --target, the lab runs on the embedded account.",
            )


def allowed_services(laid: Bench, lab: Lab, given: tuple[str, ...]) -> tuple[str, ...]:
    """The services that the person lets the lab use: by flags, or typed one by one.

    Raises:
        CredentialsError: one is not allowed.
    """
    from stslab.runner.run.begin import require_services

    for service in sorted({*lab.services} - {*given}) if laid.asker else ():
        laid.console.print()
        laid.console.print(
            f"The lab uses {service}, whose changes and costs stslab does not know. Type {service}"
            " to allow it, anything else to stop: ",
            end="",
        )
        if sys.stdin.readline().strip() != service:
            break
        given = (*given, service)
    require_services(lab, given)
    return given


def _where(opened: Open, seen: Survey) -> list[tuple[str, str]]:
    info = opened.target.info
    pairs = [
        ("you are", info.caller),
        ("account", info.account),
        ("alias", _alias(seen)),
        ("region", info.region),
        ("calls go to", opened.target.endpoint_url),
        ("may you?", _permissions(seen)),
    ]
    return [(label, value) for label, value in pairs if value]


def _alias(seen: Survey) -> str:
    return "not known (you may not ask)" if seen.alias is None else seen.alias or "none"


def _permissions(seen: Survey) -> str:
    if seen.denied is None:
        return "not known (IAM would not simulate it): the first call tells"
    if seen.denied:
        return f"IAM says no to {len(seen.denied)} of the actions; you said --force"
    return "yes: IAM's policy simulator allows each action that the lab needs"
