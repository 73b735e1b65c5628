"""Consent before a run: where, who, what it makes and costs; by flags, or by typing the id."""

import sys
from dataclasses import replace

from stslab.aws.guard import Footprint, Learner, footprint, surveyed
from stslab.aws.target import name_of
from stslab.cli.accounts import OpenAccount, open_account
from stslab.cli.options import SANDBOX, Where
from stslab.cli.workspace import Workspace
from stslab.errors import CredentialsError, UsageError
from stslab.lab.model import Lab
from stslab.render.terminal.lab import enforced, show_changes
from stslab.render.terminal.paper import Paper
from stslab.resources import is_foreign
from stslab.runner.journal.records import RunRecord
from stslab.runner.journal.store import Journal
from stslab.runner.run.scope import require_anywhere, require_services, second_accounts
from stslab.structures import beside, said
from stslab.vocabulary import PARTNER_ADMIN


def opened_for(workspace: Workspace, where: Where, lab: Lab) -> OpenAccount:
    """Open the account, with consent by flags or by a person, who is shown what a run will make.

    A run that was begun on this account with this lab was agreed to then. UsageError: nobody can
    be asked and flags are missing, or the lab needs the embedded account. CredentialsError: the
    guard refuses, or the person does not confirm.
    """
    if where.target != SANDBOX:
        require_anywhere(lab)
    unfinished = unfinished_run(workspace.journal, where, lab.id)
    if unfinished and unfinished.kind != "sandbox":
        where = where.at(unfinished.region)
    opened = open_account(workspace.home, where)
    info = opened.target.info
    second_accounts(lab, info)
    if unfinished and workspace.journal.past(unfinished.id).broken() and opened.goes_on(unfinished):
        raise UsageError(*said(beside(__file__, "refused.yaml"), "fault", run=unfinished.id))
    require_consent(where, opened, interactive=workspace.asks)

    if opened.kind == "sandbox":
        introduce(workspace, opened, lab)
        return opened
    if unfinished and opened.goes_on(unfinished) and unfinished.sha256 == lab.sha256:
        say_where(workspace.paper, opened, f"Continuing run {unfinished.id} on a real account")
        return opened
    brief(workspace.paper, opened, lab, force=where.force)
    services = allowed_services(workspace, lab, where.services)
    for account in (info.account, *info.accounts.values()) if workspace.asks else ():
        question = f"Type the account's id ({account}) to continue, anything else to stop: "
        if _typed(workspace.paper, question).replace("-", "") != account:
            fix = "Without --target, the lab runs on the embedded account."
            raise CredentialsError("That is not the account's id. Nothing was made.", fix)
    return replace(opened, services=services)


def unfinished_run(journal: Journal, where: Where, lab: str) -> RunRecord | None:
    return next(iter(journal.unfinished(name_of(where.target), lab)), None)


def require_consent(where: Where, opened: OpenAccount, *, interactive: bool) -> None:
    """Require flags that agree to work on another account, if nobody can be asked."""
    if opened.kind == "sandbox" or interactive:
        return
    missing = [] if where.yes else ["--yes"]
    if opened.wants_id and not where.account:
        missing.append(f"--account {opened.target.info.account}")
    if opened.wants_id and opened.partner and not where.partner_account:
        missing.append(f"--partner-account {opened.partner.account}")
    if missing:
        info = opened.target.info
        place = f"account {info.account}" if opened.wants_id else info.name
        flags = " ".join(missing)
        raise UsageError(*said(beside(__file__, "refused.yaml"), "flags", place=place, flags=flags))


def brief(paper: Paper, opened: OpenAccount, lab: Lab, *, force: bool) -> None:
    """Show the identity, the account and what a run makes there, unless the guard refuses."""
    if opened.learner is None:
        return
    info, url = opened.target.info, opened.target.endpoint_url
    makes = footprint(lab, info)
    fields = [("you are", info.caller), ("account", info.account)]
    fields += [*_fields(opened.learner, makes, force=force), ("region", info.region)]
    fields += [("calls go to", url)] if url else []
    if opened.partner and lab.accounts:
        fields += [("and there", opened.partner.arn), ("account", opened.partner.account)]
        fields += _fields(opened.partner, footprint(lab, info, PARTNER_ADMIN), force=force)
    paper.line("warning", f"This works on {url if opened.kind != 'aws' else 'a real AWS account'}")
    paper.fields([*fields, ("costs", makes.costs)], indent=2)
    show_changes(paper, makes.summary)
    made = beside(__file__, "texts.yaml")["made"]
    paper.prose(f"{made} {enforced(makes.summary)}", indent=2)
    paper.blank()


def introduce(workspace: Workspace, opened: OpenAccount, lab: Lab) -> None:
    """Show what a foreign lab does before it runs here for the first time."""
    if not is_foreign(lab.path) or lab.sha256 in (run.sha256 for run in workspace.journal.runs()):
        return
    paper = workspace.paper
    paper.line("warning", f"The lab {lab.id} did not come with stslab. This is what it does.")
    makes = footprint(lab, opened.target.info)
    show_changes(paper, makes.summary)
    paper.prose(enforced(makes.summary), indent=2)
    if workspace.asks:
        _typed(paper, "Press Enter to continue, Ctrl-C to stop: ")


def say_where(paper: Paper, opened: OpenAccount, why: str) -> None:
    info = opened.target.info
    paper.line("warning", why)
    paper.prose(f"account {info.account} ({info.region}), as {info.caller}", indent=2)
    if opened.partner:
        paper.prose(f"account {opened.partner.account}, as {opened.partner.arn}", indent=2)
    paper.blank()


def _typed(paper: Paper, question: str) -> str:
    paper.blank()
    paper.console.print(question, end="")
    return sys.stdin.readline().strip()


def allowed_services(workspace: Workspace, lab: Lab, given: tuple[str, ...]) -> tuple[str, ...]:
    """The services that the person allows, by flags or typed; CredentialsError if one is not."""
    for service in sorted({*lab.services} - {*given}) if workspace.asks else ():
        question = (
            f"The lab uses {service}, whose changes and costs stslab does not know. Type {service}"
            " to allow it, anything else to stop: "
        )
        if _typed(workspace.paper, question) != service:
            break
        given = (*given, service)
    require_services(lab, given)
    return given


def _fields(who: Learner, makes: Footprint, *, force: bool) -> list[tuple[str, str]]:
    alias, denied = surveyed(who, makes, force=force)
    may = "yes: IAM's policy simulator allows each action that the lab needs"
    if denied is None:
        may = "unknown (IAM would not simulate it): the first call will show it"
    elif denied:
        may = f"IAM says no to {len(denied)} of the actions; you used --force"
    known = "unknown (you have no permission to ask)" if alias is None else alias or "none"
    return [("alias", known), ("may you?", may)]
