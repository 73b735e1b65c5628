"""Operations on the whole account: summary, authorization details, alias, credential report."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NoReturn

from msgspec.structs import replace

from stslab.sandbox.api import faults, pages
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, iso, shown
from stslab.sandbox.api.policies import Uses, uses_of
from stslab.sandbox.iam import answers, aws_policies, lookups
from stslab.sandbox.iam.answers import tags
from stslab.sandbox.state.identities import AccessKey, Group, ManagedPolicy, MfaDevice, Role, User
from stslab.sandbox.state.snapshot import Account, CredentialReport, Transaction, View
from stslab.structures import beside

_Detailed = User | Role | Group | ManagedPolicy


def get_account_summary(view: View, request: ApiRequest) -> Answer:
    account = request.account
    attached, bounding = uses_of(view, account)
    kinds, devices = lookups.KINDS.items(), view.all(MfaDevice, account)
    there = {row.quota.removesuffix("PerAccount"): view.count(kind, account) for kind, row in kinds}
    counts = {
        **{name: there[name] for name in lookups.SUMMARISED if name in there},
        "AccountAccessKeysPresent": int(bool(lookups.access_keys(view, account, None))),
        "MFADevices": there["VirtualMFADevices"],
        "MFADevicesInUse": sum(bool(one.enabled) for one in devices),
        "PolicyVersionsInUse": len({*attached, *bounding}),
        "Providers": there["OpenIdConnectProviders"] + there["SAMLProviders"],
    }
    quotas = {f"{name}Quota": most for name, most in lookups.SUMMARISED.items()}
    return {"SummaryMap": {**quotas, **lookups.FIXED, **counts}}


def get_account_authorization_details(view: View, request: ApiRequest) -> Answer:
    """The pages run over all kinds of entities together. Of AWS's policies those in use count."""
    account, wanted = request.account, request.params.get("Filter")
    uses = uses_of(view, account)
    found: dict[str, Iterable[_Detailed]] = {
        "User": view.all(User, account),
        "Role": view.all(Role, account),
        "Group": view.all(Group, account),
        "LocalManagedPolicy": view.all(ManagedPolicy, account),
        "AWSManagedPolicy": (
            policy for policy in aws_policies.all() if any(policy.arn in used for used in uses)
        ),
    }
    groups = [those if not wanted or kind in wanted else () for kind, those in found.items()]
    show = partial(_detail, view, uses, request.now)
    members = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
    return pages.page_of_all(request, groups, show, members)


def _detail(view: View, uses: Uses, now: datetime, entity: _Detailed) -> tuple[str, Answer]:
    """The list in the answer that has the entity, and the entity with all that it holds."""
    if isinstance(entity, ManagedPolicy):
        show = partial(answers.policy_version, entity, with_document=True)
        versions = list(map(show, entity.versions[::-1]))
        return "Policies", {**answers.policy(entity, uses), "PolicyVersionList": versions}
    if isinstance(entity, User):
        groups = [group.name for group in lookups.groups_of(view, entity)]
        details = {**answers.whole_user(entity), "GroupList": groups, "Tags": tags(entity.tags)}
    elif isinstance(entity, Role):
        held = answers.by_name(lookups.profiles_with(view, entity))
        profiles = [answers.listed_profile(view, profile) for profile in held]
        details = {**answers.whole_role(view, entity, now), "InstanceProfileList": profiles}
        details["Tags"] = tags(entity.tags)
    else:
        details = shown(entity)
    kind = entity.table.title()
    inline = [
        {"PolicyName": name, "PolicyDocument": answers.document(text)}
        for name, text in sorted(entity.inline.items())
    ]
    return f"{kind}DetailList", {
        **details,
        f"{kind}PolicyList": inline or (None if kind == "User" else []),
        "AttachedManagedPolicies": list(map(answers.attached, answers.managed(view, entity))),
    }


def get_outbound_web_identity_federation_info(_view: View, request: ApiRequest) -> NoReturn:
    """Tokens of the account for services outside AWS can't be enabled here."""
    raise lookups.fault("no outbound", account=request.account)


def list_account_aliases(view: View, request: ApiRequest) -> Answer:
    alias = lookups.account(view, request.account).alias
    return pages.page(request, "AccountAliases", [alias] if alias else [], str, str)


def create_account_alias(tx: Transaction, request: ApiRequest) -> None:
    """Replaces the account's earlier alias. An alias is unique across accounts."""
    alias = request.params["AccountAlias"]
    if re.fullmatch(r"\d{12}", alias):
        raise faults.invalid_input("An account alias can't be a 12-digit number.")
    if any(one.alias == alias for one in tx.everywhere(Account)):
        raise faults.exists(f"The account alias {alias} already exists.")
    tx.put(replace(lookups.account(tx, request.account), alias=alias))


def delete_account_alias(tx: Transaction, request: ApiRequest) -> None:
    account, alias = lookups.account(tx, request.account), request.params["AccountAlias"]
    if account.alias != alias:
        raise faults.no_such(f"The account alias {alias} cannot be found.")
    tx.put(replace(account, alias=""))


# -- the credential report (IAM User Guide, "Generate credential reports for your AWS account") ----

_REPORT_HOLDS = timedelta(hours=4)
Row = Sequence[str]


def generate_credential_report(tx: Transaction, request: ApiRequest) -> Answer:
    account = lookups.account(tx, request.account)
    if _is_recent(account.credential_report, request):
        return {"State": "COMPLETE"}
    report = CredentialReport(request.now, _report(tx, account, lookups.root_created(tx, request)))
    tx.put(replace(account, credential_report=report))
    return {
        "State": "STARTED",
        "Description": "No report exists. Starting a new report generation task",
    }


def get_credential_report(view: View, request: ApiRequest) -> Answer:
    report = lookups.account(view, request.account).credential_report
    if report is None or not _is_recent(report, request):
        raise ApiFault("ReportExpired" if report else "ReportNotPresent")  # without a message
    return {
        "Content": report.text.encode(),
        "ReportFormat": "text/csv",
        "GeneratedTime": report.generated,
    }


def _is_recent(report: CredentialReport | None, request: ApiRequest) -> bool:
    return report is not None and request.now - report.generated <= _REPORT_HOLDS


def _report(view: View, account: Account, created: datetime) -> str:
    roots = lookups.access_keys(view, account.account, None)
    of_root = ("true", "no_information", _stamp(created), "not_supported", "false")
    rows = [_row("<root_account>", account.root_arn, created, of_root, roots)]
    days = account.password_policy.max_age if account.password_policy else 0
    for user in answers.by_name(view.all(User, account.account)):
        changed = (user.login.changed or user.login.created) if user.login else None
        due = changed + timedelta(days) if changed and days else None
        enabled, used = _flag(user.login), "no_information" if user.login else "N/A"
        password = enabled, used, _stamp(changed), _stamp(due), _flag(user.mfa_devices)
        keys = lookups.access_keys(view, user.account, user)
        rows.append(_row(user.name, user.arn, user.created, password, keys))
    out = io.StringIO()
    columns = beside(__file__, "credential_report.yaml")
    csv.writer(out, lineterminator="\n").writerows([columns, *rows])
    return out.getvalue().rstrip()


def _row(name: str, arn: str, created: datetime, password: Row, keys: Sequence[AccessKey]) -> Row:
    """A line in the order of credential_report.yaml, in which ``password`` has five values."""
    row = [name, arn, _stamp(created), *password]
    ordered = sorted(keys, key=lambda key: not key.active)  # the one that is active comes first
    for key in (*ordered, None, None)[:2]:
        used = key.last_used if key else None
        row += [_flag(key and key.active), _stamp(key.created if key else None)]
        region = used.region if used and used.service != "s3" else "N/A"
        row += [_stamp(used.at if used else None), region, used.service if used else "N/A"]
    return [*row, *["false", "N/A"] * 2]  # there are no certificates


def _stamp(at: datetime | None) -> str:
    return iso(at) if at else "N/A"


def _flag(value: object) -> str:
    return "true" if value else "false"
