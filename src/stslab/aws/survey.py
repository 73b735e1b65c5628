"""What the guard looks at in an account before a lab begins there: it reads, and only reads.

What the caller may not look at is left open: then the lab's own first call tells.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby

import msgspec
from botocore import exceptions as boto

from stslab.aws.answers import Response
from stslab.aws.clients import Clients
from stslab.runner.run.dry import Footprint, Needed

_SESSION = re.compile(r"arn:([^:]+):sts::(\d+):assumed-role/([^/]+)/.+")
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
_REFUSED = (boto.ClientError, boto.BotoCoreError)


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
    said = _asked(lambda: clients.with_own("iam", patient=True).list_account_aliases())
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
    for resource, group in groupby(by_resource, key=lambda one: one.resource):
        actions = list(dict.fromkeys(one.action for one in group))
        results = _simulated(clients, source, actions, resource)
        if results is None:
            return None
        on = "" if resource == "*" else f" on {resource}"
        found += [f"{one.get('EvalActionName')}{on}" for one in results if _is_denied(one)]
    return tuple(found)


def _simulated(
    clients: Clients, source: str, actions: list[str], resource: str
) -> list[Response] | None:
    iam = clients.with_own("iam", patient=True)
    said = _asked(
        lambda: iam.simulate_principal_policy(
            PolicySourceArn=source, ActionNames=actions, ResourceArns=[resource], MaxItems=1000
        )
    )
    return None if said is None else said.get("EvaluationResults", [])


def _is_denied(result: Response) -> bool:
    """Denied, whatever the call's own circumstances (its tags, its time) will be."""
    denied = result.get("EvalDecision") in ("explicitDeny", "implicitDeny")
    return denied and not result.get("MissingContextValues")


def _principal(clients: Clients, arn: str) -> str:
    """The user or role whose policies count for the caller; nothing where that can't be told."""
    if _CALLABLE.fullmatch(arn):
        return arn
    session = _SESSION.fullmatch(arn)
    if session is None:
        return ""
    name = session[3]
    said = _asked(lambda: clients.with_own("iam", patient=True).get_role(RoleName=name))
    return str(said["Role"]["Arn"]) if said else ""


def _short(clients: Clients, counts: Mapping[str, int]) -> Iterator[str]:
    said = _asked(lambda: clients.with_own("iam", patient=True).get_account_summary())
    summary = said.get("SummaryMap", {}) if said else {}
    for kind, count in counts.items():
        entry = _SUMMARY.get(kind, "")
        used, quota = summary.get(entry), summary.get(f"{entry}Quota")
        if used is not None and quota is not None and used + count > quota:
            things = re.sub(r"\B(?=[A-Z])", " ", entry).lower()
            yield f"{used} of {quota} IAM {things} are in use, and the lab makes {count}"


def _asked(ask: Callable[[], Response]) -> Response | None:
    """The answer; None where the caller may not ask, or none came."""
    try:
        return ask()
    except _REFUSED:
        return None
