"""What the guard looks at in an account before a lab begins there: it reads, and only reads.

What the caller may not look at is left open: then the lab's own first call tells.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from botocore import exceptions as boto

from stslab.aws.clients import Clients
from stslab.runner.run.footprint import Footprint, Needed

_SESSION = re.compile(r"arn:([^:]+):sts::(\d+):assumed-role/([^/]+)/.+")
_CALLABLE = re.compile(r"arn:[^:]+:iam::\d+:(user|role)/.+")
# A word that says production: acme-prod, prod1, production, prd; not product.
_PRODUCTION = re.compile(r"prod(?!uct(?!ion))|(?<![a-z])(prd|live)(?![a-z])")
# For each kind, its entries in IAM's GetAccountSummary: in use, and the quota.
_SUMMARY: Mapping[str, tuple[str, str]] = {
    "iam.user": ("Users", "UsersQuota"),
    "iam.role": ("Roles", "RolesQuota"),
    "iam.group": ("Groups", "GroupsQuota"),
    "iam.policy": ("Policies", "PoliciesQuota"),
    "iam.instance_profile": ("InstanceProfiles", "InstanceProfilesQuota"),
}
_REFUSED = (boto.ClientError, boto.BotoCoreError)


@dataclass(frozen=True, slots=True)
class Survey:
    """What was seen. ``alias`` is empty where there is none, None where it can't be told.

    ``denied`` are the actions that the caller lacks (``action on resource``), None where
    AWS would not simulate them. ``short`` are sentences on quotas that leave no room.
    """

    alias: str | None
    denied: tuple[str, ...] | None
    short: tuple[str, ...]

    @property
    def says_production(self) -> bool:
        """Whether the account's alias says that it is one of production."""
        return says_production(self.alias or "")


def says_production(alias: str) -> bool:
    """Whether an account's alias has a word for production in it."""
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
        found += [_said(one, resource) for one in results if _is_denied(one)]
    return tuple(found)


def _simulated(
    clients: Clients, source: str, actions: list[str], resource: str
) -> list[Mapping[str, Any]] | None:
    iam = clients.with_own("iam", patient=True)
    said = _asked(
        lambda: iam.simulate_principal_policy(
            PolicySourceArn=source, ActionNames=actions, ResourceArns=[resource], MaxItems=1000
        )
    )
    return None if said is None else said.get("EvaluationResults", [])


def _is_denied(result: Mapping[str, Any]) -> bool:
    """Denied, whatever the call's own circumstances (its tags, its time) will be."""
    denied = result.get("EvalDecision") in ("explicitDeny", "implicitDeny")
    return denied and not result.get("MissingContextValues")


def _said(result: Mapping[str, Any], resource: str) -> str:
    action = str(result.get("EvalActionName"))
    return action if resource == "*" else f"{action} on {resource}"


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
        used, quota = (summary.get(name) for name in _SUMMARY.get(kind, ("", "")))
        if used is not None and quota is not None and used + count > quota:
            yield f"{used} of {quota} {_words(kind)} are in use, and the lab makes {count}"


def _words(kind: str) -> str:
    return f"IAM {kind.partition('.')[2].replace('_', ' ')}s".replace("policys", "policies")


def _asked(ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The answer; None where the caller may not ask, or none came."""
    try:
        return ask()
    except _REFUSED:
        return None
