"""Who the learner is on a real account, and whether stslab may work there.

First only sts:GetCallerIdentity is called: it needs no permission (AWS STS API Reference,
"GetCallerIdentity"). The root user and accounts on the deny list are refused there and
then. Before a lab begins, the account is looked at.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from botocore import exceptions as boto

from stslab.aws import answers, target
from stslab.aws.clients import Clients, configured_endpoint, configured_region, is_local
from stslab.errors import CredentialsError, RunError, UsageError
from stslab.home import config_file
from stslab.runner.run.dry import Footprint, Needed

_DEFAULT_REGION = "us-east-1"


class Identity(NamedTuple):
    """Who calls: account id, ARN, and the ARN's partition."""

    account: str
    arn: str
    partition: str


class Source:
    """Where the learner's credentials come from.

    ``profile`` is empty for what botocore's chain finds. ``endpoint_url`` is empty for AWS;
    then ``instead`` is the URL that the learner's own settings put in its place, if any.
    """

    def __init__(self, profile: str = "", region: str = "", endpoint_url: str = "") -> None:
        self.profile, self.region, self.endpoint_url = profile, region, endpoint_url
        self.instead = "" if endpoint_url else configured_endpoint(profile)
        used = region or configured_region(profile) or _DEFAULT_REGION
        self.clients = Clients(used, endpoint_url or self.instead, profile)

    def found_region(self) -> str:
        """The region asked for, else the one in the learner's settings, else us-east-1."""
        try:
            return self.region or self.clients.own_region() or _DEFAULT_REGION
        except boto.BotoCoreError as error:
            raise answers.no_credentials(error) from error


def identify(source: Source) -> Identity:
    """Ask AWS who the learner is. CredentialsError: it does not say; RunError: it is not there."""
    try:
        client = source.clients.with_own("sts", patient=True)
        if source.clients.own_credentials() is None:
            raise boto.NoCredentialsError
        said = client.get_caller_identity()
        return Identity(str(said["Account"]), str(said["Arn"]), str(said["Arn"]).split(":")[1])
    except boto.ClientError as error:
        refusal = answers.refusal(error.response)
        raise CredentialsError(
            f"AWS did not take your credentials ({refusal.code}): {refusal.message}",
            "Sign in again or set new ones, and try them: aws sts get-caller-identity.",
        ) from error
    except boto.BotoCoreError as error:
        outcome = answers.failure(error, local=False)
        message = getattr(outcome, "message", "") or getattr(outcome, "reason", "")
        fix = "Check the network, the region and the endpoint, and try again."
        raise RunError(f"AWS could not be asked who you are: {message}", fix) from error


def require(identity: Identity, account: str = "", *, root_may: bool = False) -> None:
    """Refuse root, accounts on the user's deny list, and any but ``account``, if that is given.

    ``root_may``: the endpoint is on this machine, where everybody is often root.
    """
    listed = denied_accounts().get(identity.account)
    if listed:
        raise CredentialsError(
            f"Account {identity.account} is on your deny list ({listed}). Nothing was called there"
            " but the question who you are.",
            "Use the credentials (--profile) of an account that is meant for learning.",
        )
    if identity.arn.endswith(":root") and not root_may:
        raise CredentialsError(
            f"These are the credentials of account {identity.account}'s root user.",
            "Use an IAM user or role instead: a lab never needs what only root may do.",
        )
    if account and account != identity.account:
        raise CredentialsError(
            f"Your credentials are for account {identity.account}, not for {account}.",
            "Name the profile of that account with --profile, or the other --account.",
        )


def real_target(source: Source, account: str = "") -> tuple[target.Target, Identity]:
    """The real account that the credentials are for, after the guard let it pass.

    ``account`` is the id that was asked for; empty where it is to be asked afterwards.
    """
    denied_accounts()
    identity, region = identify(source), source.found_region()
    require(identity, account, root_may=is_local(source.endpoint_url))
    made = target.elsewhere(
        identity.account,
        region,
        url=source.endpoint_url,
        instead=source.instead,
        partition=identity.partition,
        own_profile=source.profile,
        caller=identity.arn,
    )
    return made, identity


def surveyed(
    source: Source, identity: Identity, footprint: Footprint, *, force: bool = False
) -> "Survey":
    """Look at the account before a lab begins there, and refuse it where that would go wrong.

    ``force`` goes on although permissions seem to be missing.
    """
    clients = source.clients
    seen = Survey(
        alias=alias(clients),
        denied=_denied(clients, identity.arn, footprint.needed),
        short=tuple(_short(clients, footprint.counts)),
    )
    if says_production(seen.alias or ""):
        raise CredentialsError(
            f"The alias of account {identity.account} is “{seen.alias}”: that says production.",
            "Use an account that is meant for learning. No flag gets past this.",
        )
    if seen.denied and not force:
        missing = "".join(f"\n  {one}" for one in seen.denied)
        raise CredentialsError(
            f"IAM says that you ({identity.arn}) may not do what the lab needs:{missing}",
            "Get these permissions, or use another --profile. Nothing has been made."
            " If IAM's simulation is wrong, add --force.",
        )
    if seen.short:
        raise CredentialsError(
            f"The account has no room for the lab: {'; '.join(seen.short)}.",
            "Remove what is no longer needed, or use another account.",
        )
    return seen


# -- what is looked at before a lab begins ---------------------------------------------------------
# It reads, and only reads. What the caller may not look at is left open: then the lab's own first
# call tells.

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
    """What was seen. ``alias`` is empty where there is none, None where it can't be told."""

    alias: str | None
    denied: tuple[str, ...] | None  # actions (on resources); None: AWS would not simulate them
    short: tuple[str, ...]  # sentences on quotas that leave no room


def says_production(alias: str) -> bool:
    return bool(_PRODUCTION.search(alias.lower()))


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
        for one in said.get("EvaluationResults", []):
            # Denied, whatever the call's own circumstances (its tags, its time) will be.
            denied = one.get("EvalDecision") in ("explicitDeny", "implicitDeny")
            if denied and not one.get("MissingContextValues"):
                found.append(f"{one.get('EvalActionName')}{on}")
    return tuple(found)


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


def _asked(clients: Clients, method: str, **params: object) -> answers.Response | None:
    """IAM's answer; None where the caller may not ask, or none came."""
    try:
        answer: answers.Response = getattr(clients.with_own("iam", patient=True), method)(**params)
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
    """Ask STS what it refuses: unsigned, so that a wrong clock can't spoil the answer."""
    client = clients.unsigned("sts")
    url = str(client.meta.endpoint_url)
    try:
        response: answers.Response = client.get_caller_identity()
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


# -- the accounts that the user never wants a lab on -------------------------------------------
# ``deny_accounts`` in the ``[guard]`` of ``config.toml`` in the XDG config folder (or what
# ``STSLAB_CONFIG`` names), which stslab never writes; and ``STSLAB_DENY_ACCOUNTS``: ids, with
# commas or blanks between them. What can't be understood stops stslab before any call: a list that
# is not read protects nobody.

VARIABLE = "STSLAB_DENY_ACCOUNTS"
_ACCOUNT = re.compile(r"\d{12}")
_KNOWN = frozenset({("guard", "deny_accounts")})


def denied_accounts() -> dict[str, str]:
    """The ids on the deny list, each with where it stands; UsageError where it makes no sense."""
    path = config_file()
    listed = re.split(r"[,\s]+", os.environ.get(VARIABLE, "").strip())
    found = {_account(one, f"${VARIABLE}"): f"${VARIABLE}" for one in listed if one}
    return {**found, **{_account(one, str(path)): str(path) for one in _in_file(path)}}


def _in_file(path: Path) -> list[object]:
    settings = _settings(path)
    for table, keys in settings.items():
        names = keys if isinstance(keys, dict) else [""]
        unknown = [f"{table}.{name}".rstrip(".") for name in names if (table, name) not in _KNOWN]
        if unknown:
            raise _senseless(path, f"there is no setting {unknown[0]}")
    listed = settings.get("guard", {}).get("deny_accounts", [])
    if not isinstance(listed, list):
        raise _senseless(path, "deny_accounts is not a list")
    return listed


def _settings(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _senseless(path, getattr(error, "strerror", None) or str(error)) from error


def _account(value: object, where: str) -> str:
    text = value.replace("-", "") if isinstance(value, str) else ""
    if not _ACCOUNT.fullmatch(text):
        fix = 'Write its twelve digits as text: deny_accounts = ["111122223333"].'
        raise UsageError(f"{where}: {value!r} is not the id of an account.", fix)
    return text


def _senseless(path: Path, why: str) -> UsageError:
    fix = 'Write: [guard] and below it deny_accounts = ["111122223333"]; or remove the file.'
    return UsageError(f"The settings in {path} can't be understood: {why}.", fix)
