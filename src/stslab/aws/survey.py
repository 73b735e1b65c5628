"""What the guard and the doctor look at in an account, and on the way to it: they only read.

What the caller may not look at is left open: then the lab's own first call tells.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import groupby

import msgspec
from botocore import exceptions as boto

from stslab.aws import answers
from stslab.aws.answers import Response
from stslab.aws.clients import Clients
from stslab.runner.run.dry import Footprint, Needed

_SESSION = re.compile(r"arn:[^:]+:sts::\d+:assumed-role/([^/]+)/.+")
_CALLABLE = re.compile(r"arn:[^:]+:iam::\d+:(user|role)/.+")
# A word that says production: acme-prod, prod1, production, prd; not product.
_PRODUCTION = re.compile(r"prod(?!uct(?!ion))|(?<![a-z])(prd|live)(?![a-z])")
# For each kind, its entry in IAM's GetAccountSummary; with Quota behind it, how many there may be.
_SUMMARY = {
    "iam.user": "Users",
    "iam.role": "Roles",
    "iam.group": "Groups",
    "iam.policy": "Policies",
    "iam.instance_profile": "InstanceProfiles",
}


class Survey(msgspec.Struct, frozen=True):
    """What was seen. ``alias`` is empty where there is none, None where it can't be told.

    ``denied`` are the actions that the caller lacks (``action on resource``), None where
    AWS would not simulate them. ``short`` are sentences on quotas that leave no room.
    """

    alias: str | None
    denied: tuple[str, ...] | None
    short: tuple[str, ...]


def says_production(alias: str) -> bool:
    return bool(_PRODUCTION.search(alias.lower()))


def survey(clients: Clients, arn: str, footprint: Footprint) -> Survey:
    """Look at the account as the caller of this ARN, for a lab with this footprint."""
    return Survey(
        alias=alias(clients),
        denied=_denied(clients, arn, footprint.needed),
        short=tuple(_short(clients, footprint.counts)),
    )


def alias(clients: Clients) -> str | None:
    """The account's alias: empty where it has none, None where the caller may not ask."""
    said = _asked(clients, "list_account_aliases")
    return None if said is None else next(iter(said.get("AccountAliases", [])), "")


def _denied(clients: Clients, arn: str, needed: Iterable[Needed]) -> tuple[str, ...] | None:
    """The actions that IAM's policy simulator denies the caller, for certain.

    IAM API Reference, "SimulatePrincipalPolicy": it takes a user or a role, no session.
    """
    source = _principal(clients, arn)
    if not source:
        return None
    found: list[str] = []
    by_resource = sorted(needed, key=lambda one: one.resource)
    ask = partial(_asked, clients, "simulate_principal_policy", PolicySourceArn=source)
    for resource, group in groupby(by_resource, key=lambda one: one.resource):
        actions = list(dict.fromkeys(one.action for one in group))
        said = ask(ActionNames=actions, ResourceArns=[resource], MaxItems=1000)
        if said is None:
            return None
        on = "" if resource == "*" else f" on {resource}"
        results = said.get("EvaluationResults", [])
        found += [f"{one.get('EvalActionName')}{on}" for one in results if _is_denied(one)]
    return tuple(found)


def _is_denied(result: Response) -> bool:
    """Denied, whatever the call's own circumstances (its tags, its time) will be."""
    denied = result.get("EvalDecision") in ("explicitDeny", "implicitDeny")
    return denied and not result.get("MissingContextValues")


def _principal(clients: Clients, arn: str) -> str:
    """The user or role whose policies count for the caller; nothing where that can't be told."""
    if _CALLABLE.fullmatch(arn):
        return arn
    session = _SESSION.fullmatch(arn)
    said = _asked(clients, "get_role", RoleName=session[1]) if session else None
    return str(said["Role"]["Arn"]) if said else ""


def _short(clients: Clients, counts: Mapping[str, int]) -> Iterator[str]:
    said = _asked(clients, "get_account_summary")
    summary = said.get("SummaryMap", {}) if said else {}
    for kind, count in counts.items():
        entry = _SUMMARY.get(kind, "")
        used, quota = summary.get(entry), summary.get(f"{entry}Quota")
        if used is not None and quota is not None and used + count > quota:
            things = re.sub(r"\B(?=[A-Z])", " ", entry).lower()
            yield f"{used} of {quota} IAM {things} are in use, and the lab makes {count}"


def _asked(clients: Clients, method: str, **params: object) -> Response | None:
    """IAM's answer; None where the caller may not ask, or none came."""
    try:
        answer: Response = getattr(clients.with_own("iam", patient=True), method)(**params)
    except (boto.ClientError, boto.BotoCoreError):
        return None
    return answer


# -- for the doctor: whether an endpoint answers, its time, and where credentials come from ------


class Reach(msgspec.Struct, frozen=True):
    """Whether ``url`` answered; its ``date`` (aware, UTC) if it told; else the ``problem``."""

    url: str
    answered: bool
    date: datetime | None = None
    problem: str = ""


class CredentialsFound(msgspec.Struct, frozen=True):
    """How botocore's chain calls the source, and when they end (aware, UTC), if they do."""

    method: str
    expires: datetime | None = None


def reach(clients: Clients) -> Reach:
    """Ask STS something that it refuses: any answer will do.

    Nothing is signed, so that a clock that is wrong can't spoil the answer.
    """
    client = clients.unsigned("sts")
    url = str(client.meta.endpoint_url)
    try:
        response: Response = client.get_caller_identity()
    except boto.ClientError as error:
        response = error.response
    except boto.BotoCoreError as error:
        return Reach(url, answered=False, problem=type(error).__name__)
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    date = None
    with suppress(ValueError, TypeError):
        date = parsedate_to_datetime(str(headers.get("date", ""))).astimezone(UTC)
    return Reach(url, answered=True, date=date)


def credentials_found(clients: Clients) -> CredentialsFound:
    """Where the learner's credentials come from; CredentialsError where they can't be had."""
    try:
        found = clients.own_credentials()
        if found is None:
            raise boto.NoCredentialsError
        found.get_frozen_credentials()
    except boto.BotoCoreError as error:
        raise answers.no_credentials(error) from error
    ends = getattr(found, "_expiry_time", None)  # botocore tells it nowhere else
    return CredentialsFound(str(found.method), ends.astimezone(UTC) if ends else None)
