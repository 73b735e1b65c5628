"""Find out who the learner is on a real account, and whether stslab may work there.

The first call is sts:GetCallerIdentity, which needs no permission (AWS STS API Reference,
"GetCallerIdentity"). Before a lab begins, the account is surveyed with calls that only read.
"""

import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import NamedTuple

import msgspec
from botocore import exceptions as boto

from stslab.aws.account import FAILED, Response, failure, no_credentials, refusal, unusable
from stslab.aws.clients import NOBODY, OWN, Clients, is_local, own_clients
from stslab.aws.target import AWS, LOCAL_PACE, Target, denied_accounts, name_of
from stslab.errors import RunError
from stslab.kinds.harmless import resources_of
from stslab.kinds.table import BY_RESOURCE_TYPE, KINDS
from stslab.lab.effects import CHECK, STEP, UNDO, LabCall, Summary, costs, lab_calls, summary
from stslab.lab.model import Lab
from stslab.policy.catalogue import action_of
from stslab.runner.ports import Data, Refusal, TargetInfo
from stslab.runner.run.scope import basis
from stslab.vocabulary import ADMIN


class Learner(NamedTuple):
    account: str
    arn: str
    clients: Clients


def identify(clients: Clients) -> Learner:
    """Ask AWS who the learner is; CredentialsError if refused, RunError if unreachable."""
    try:
        response = clients.client("sts", OWN, patient=True).get_caller_identity()
        return Learner(str(response["Account"]), str(response["Arn"]), clients)
    except boto.ClientError as error:
        answer, profile = refusal(error.response), clients.own_profile
        named = f" --profile {shlex.quote(profile)}" if profile else ""
        raise unusable("by AWS", code=answer.code, message=answer.message, named=named) from error
    except FAILED as error:
        outcome = failure(error, local=False)
        message = outcome.message if isinstance(outcome, Refusal) else outcome.text
        fix = "Check the network, the region and the endpoint, and try again."
        raise RunError(f"stslab could not ask AWS who you are: {message}", fix) from error


def require(identity: Learner, account: str = "", *, root_may: bool = False) -> None:
    """Refuse root, accounts on the deny list, and, if ``account`` is given, all other accounts.

    ``root_may``: local endpoints often give everybody root's credentials.
    """
    listed = denied_accounts().get(identity.account)
    if listed:
        raise unusable("on the deny list", account=identity.account, listed=listed)
    if identity.arn.endswith(":root") and not root_may:
        raise unusable("root user", account=identity.account)
    if account and account != identity.account:
        raise unusable("another account", account=identity.account, wanted=account)


def real_target(
    profile: str = "", region: str = "", url: str = "", account: str = ""
) -> tuple[Target, Learner]:
    """The real account, or the endpoint, that the guard accepts, and who the learner is there.

    ``account`` is the id from --account; empty if the user confirms the account later.
    """
    denied_accounts()
    clients = own_clients(profile, region, url)
    identity = identify(clients)
    require(identity, account, root_may=is_local(url))
    info = TargetInfo(
        name=name_of(url) if url else AWS,
        kind="endpoint" if url else AWS,
        account=identity.account,
        region=clients.region,
        partition=identity.arn.split(":")[1],
        instance="" if url else clients.endpoint_url,
        caller=identity.arn,
        eventually_consistent=not (url and clients.local),
        pace=LOCAL_PACE if clients.local else 2.0,
    )
    return Target(info, clients.endpoint_url, own={ADMIN: clients.own_profile}), identity


# -- what a lab needs of the account --------------------------------------------------------------

_UNKNOWN = re.compile(r"<[^<>]*>")


class Footprint(msgspec.Struct, frozen=True):
    """What a lab changes and costs, and the actions that ``admin`` needs, by resource.

    ``counts`` is how many things of each kind (``iam.user``) it makes, for the quotas.
    """

    summary: Summary
    costs: str
    needed: Mapping[str, Collection[str]]
    counts: Mapping[str, int]


def footprint(lab: Lab, target: TargetInfo, admin: str = ADMIN) -> Footprint:
    """The footprint of the whole lab, with the permissions needed in the account of ``admin``."""
    listed = list(lab_calls(lab, basis(lab, "<run>", target), embedded=target.embedded))
    kinds = [kind for each in listed if each.when == STEP for kind in each.kinds]
    there = target.of(target.accounts.get(admin, ""))
    needed: dict[str, dict[str, None]] = {}
    for each in listed:
        for action, resource in _needed(each, there):
            needed.setdefault(resource, {})[action] = None
    return Footprint(summary(listed), costs(listed), needed, Counter(kinds))


def _needed(lab_call: LabCall, target: TargetInfo) -> Iterator[tuple[str, str]]:
    """The actions that ``admin`` needs for a call, and to clean up, with resources (or ``*``)."""
    params = lab_call.params
    if lab_call.when not in (STEP, UNDO, CHECK) or lab_call.fails:
        return
    if lab_call.identity == target.admin:
        service, _, operation = lab_call.call.partition(".")
        action = action_of(service, operation) or f"{service}:{operation}"
        yield action, _resource(params, target)
    inside = resources_of(params, lab_call.own) if "TemplateBody" in params else ()
    for kind in (BY_RESOURCE_TYPE[each.type] for each in inside if each.type in BY_RESOURCE_TYPE):
        yield from ((f"{kind.service}:{action}", "*") for action in kind.deployed)
    for kind in map(KINDS.__getitem__, lab_call.kinds):
        names = params if lab_call.made and lab_call.made[0] == kind.id else {}
        named = {name: names[name] for name in kind.names if name in names}
        for action in kind.cleaned:
            yield f"{kind.service}:{action}", _resource(named, target)


def _resource(params: Data, target: TargetInfo) -> str:
    for kind in (one for one in KINDS.values() if one.arn):
        value = params.get(kind.names[0])
        if not isinstance(value, str):
            continue
        named = _UNKNOWN.sub("preflight", value)
        arn = kind.arn.format(
            partition=target.partition, account=target.account, region=target.region, name=named
        )
        key = params.get("Key")
        return f"{arn}/{_UNKNOWN.sub('preflight', key)}" if isinstance(key, str) else arn
    return "*"


def surveyed(
    identity: Learner, footprint: Footprint, *, force: bool
) -> tuple[str | None, tuple[str, ...] | None]:
    """Look at the account before a lab begins, and refuse one where the lab can't work.

    Return its alias, as :func:`alias` does, and the actions (on resources) that the lab needs and
    IAM denies, which ``force`` lets pass; None: AWS would not simulate them.
    """
    clients = identity.clients
    name = alias(clients)
    denied = _denied(identity, footprint.needed)
    if says_production(name or ""):
        raise unusable("production", account=identity.account, name=name)
    if denied and not force:
        raise unusable("denied", arn=identity.arn, missing="".join(f"\n  {one}" for one in denied))
    short = list(_short(clients, footprint.counts))
    if short:
        raise unusable("no room", short="; ".join(short))
    return name, denied


# -- what is looked at before a lab begins ---------------------------------------------------------
# Only calls that read. Where the caller may not read, nothing is refused here: the lab's own
# calls show whether they are allowed.

# Words for production: acme-prod, prod1, production, prd; not product.
_PRODUCTION = re.compile(r"prod(?!uct(?!ion))|(?<![a-z])(prd|live)(?![a-z])")


def says_production(alias: str) -> bool:
    return bool(_PRODUCTION.search(alias.lower()))


def alias(clients: Clients) -> str | None:
    """The account's alias: empty where it has none, None where the caller may not ask."""
    response = _ask_iam(clients, "list_account_aliases")
    return None if response is None else next(iter(response.get("AccountAliases", [])), "")


def _denied(who: Learner, needed: Mapping[str, Collection[str]]) -> tuple[str, ...] | None:
    """The actions that IAM's policy simulator denies in any context of the request."""
    source = _principal(who)
    if not source:
        return None
    denied: list[str] = []
    simulate = partial(_ask_iam, who.clients, "simulate_principal_policy", PolicySourceArn=source)
    for resource, actions in sorted(needed.items()):
        response = simulate(ActionNames=list(actions), ResourceArns=[resource], MaxItems=1000)
        if response is None:
            return None
        on = "" if resource == "*" else f" on {resource}"
        for result in response.get("EvaluationResults", []):
            # No missing context values: tags or the time can't change the decision.
            refused = result.get("EvalDecision") in ("explicitDeny", "implicitDeny")
            if refused and not result.get("MissingContextValues"):
                denied.append(f"{result.get('EvalActionName')}{on}")
    return tuple(denied)


def _principal(who: Learner) -> str:
    """The user or role whose policies apply to the caller, or "": no session is simulated.

    IAM API Reference, "SimulatePrincipalPolicy".
    """
    if re.fullmatch(r"arn:[^:]+:iam::\d+:(user|role)/.+", who.arn):
        return who.arn
    session = re.fullmatch(r"arn:[^:]+:sts::\d+:assumed-role/([^/]+)/.+", who.arn)
    response = _ask_iam(who.clients, "get_role", RoleName=session[1]) if session else None
    return str(response["Role"]["Arn"]) if response else ""


def _short(clients: Clients, counts: Mapping[str, int]) -> Iterator[str]:
    summary = (_ask_iam(clients, "get_account_summary") or {}).get("SummaryMap", {})
    for kind, count in counts.items():
        entry = KINDS[kind].counted
        used, quota = summary.get(entry), summary.get(f"{entry}Quota")
        if used is not None and quota is not None and used + count > quota:
            things = re.sub(r"\B(?=[A-Z])", " ", entry).lower()
            yield f"{used} of {quota} IAM {things} are in use, and the lab makes {count}"


def _ask_iam(clients: Clients, method: str, **params: object) -> Response | None:
    """IAM's response; None if IAM refused the call or didn't answer."""
    with suppress(boto.ClientError, *FAILED):
        answer: Response = getattr(clients.client("iam", OWN, patient=True), method)(**params)
        return answer
    return None


# -- for the doctor: whether an endpoint answers, its time, and where credentials come from ------


def reach(clients: Clients) -> tuple[str, str, datetime | None]:
    """Send STS an unsigned call, which it refuses even if this machine's clock is wrong.

    The endpoint's URL, why it did not answer or "", and its time (aware, UTC) if it sent one.
    """
    client = clients.client("sts", NOBODY)
    url = str(client.meta.endpoint_url)
    try:
        response: Response = client.get_caller_identity()
    except boto.ClientError as error:
        response = error.response
    except FAILED as error:
        return url, type(error).__name__, None
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    with suppress(ValueError, TypeError):
        return url, "", parsedate_to_datetime(str(headers.get("date", ""))).astimezone(UTC)
    return url, "", None


def credentials_found(clients: Clients) -> tuple[str, datetime | None]:
    """Where the learner's credentials come from, and when they expire (aware, UTC), if ever."""
    try:
        found = clients.own_credentials()
        found.get_frozen_credentials()
    except boto.BotoCoreError as error:
        raise no_credentials(error) from error
    ends = getattr(found, "_expiry_time", None)  # botocore has no public name for it
    return str(found.method), ends.astimezone(UTC) if ends else None
