"""What IAM says of the whole account: alias, summary, authorization details, reports."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.iam import faults, lookups, paging, shapes
from stslab.sandbox.saved.account import World

Answer = Mapping[str, Any]

_ALL = ("User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy")
_GONE = 410
_TWELVE_DIGITS = re.compile(r"\d{12}")
# IAM User Guide, "IAM and AWS STS quotas".
_QUOTAS = {
    "AccessKeysPerUserQuota": 2,
    "AssumeRolePolicySizeQuota": 2048,
    "AttachedPoliciesPerGroupQuota": 10,
    "AttachedPoliciesPerRoleQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "GlobalEndpointTokenVersion": 1,
    "GroupPolicySizeQuota": 5120,
    "GroupsPerUserQuota": 10,
    "GroupsQuota": 300,
    "InstanceProfilesQuota": 1000,
    "PoliciesQuota": 1500,
    "PolicySizeQuota": 6144,
    "PolicyVersionsInUseQuota": 10000,
    "RolePolicySizeQuota": 10240,
    "RolesQuota": 1000,
    "ServerCertificatesQuota": 20,
    "SigningCertificatesPerUserQuota": 2,
    "UserPolicySizeQuota": 2048,
    "UsersQuota": 5000,
    "VersionsPerPolicyQuota": 5,
}


def get_account_summary(world: World, request: ApiRequest) -> Answer:
    """GetAccountSummary: what there is, and how much there may be."""
    account = world.account(request.account)
    iam = account.iam
    own = [policy for policy in iam.managed_policies.values() if not lookups.is_aws_managed(policy)]
    counts = {
        "AccountAccessKeysPresent": int(bool(account.root_keys)),
        "AccountMFAEnabled": 0,
        "AccountPasswordPresent": 1,
        "AccountSigningCertificatesPresent": 0,
        "Groups": len(iam.groups),
        "InstanceProfiles": len(iam.instance_profiles),
        "MFADevices": len(iam.virtual_mfa_devices),
        "MFADevicesInUse": sum(len(user.mfa_devices) for user in iam.users.values()),
        "Policies": len(own),
        "PolicyVersionsInUse": sum(len(policy.versions) for policy in own),
        "Providers": len(iam.open_id_providers) + len(iam.saml_providers),
        "Roles": len(iam.roles),
        "ServerCertificates": len(iam.certificates),
        "Users": len(iam.users),
    }
    return {"SummaryMap": {**_QUOTAS, **counts}}


def get_account_authorization_details(world: World, request: ApiRequest) -> Answer:
    """GetAccountAuthorizationDetails, in pages over all kinds of entities together."""
    iam, params = lookups.backend(world, request), request.params
    wanted = params.get("Filter") or _ALL
    entries = [
        (member, show(world, iam, entity))
        for kind, member, entities, show in _details(iam)
        if kind in wanted
        for entity in shapes.under_path(entities, None)
    ]
    listed = paging.page("entries", entries, params)
    chosen = listed.pop("entries")
    members = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
    return {
        **{name: [shown for member, shown in chosen if member == name] for name in members},
        **listed,
    }


def _details(iam: Any) -> tuple[tuple[str, str, list[Any], Any], ...]:
    policies = list(iam.managed_policies.values())
    own = [policy for policy in policies if not lookups.is_aws_managed(policy)]
    aws = [policy for policy in policies if lookups.is_aws_managed(policy)]
    return (
        ("User", "UserDetailList", list(iam.users.values()), _user_detail),
        ("Group", "GroupDetailList", list(iam.groups.values()), _group_detail),
        ("Role", "RoleDetailList", list(iam.roles.values()), _role_detail),
        ("LocalManagedPolicy", "Policies", own, _policy_detail),
        ("AWSManagedPolicy", "Policies", aws, _policy_detail),
    )


def _user_detail(world: World, iam: Any, user: Any) -> dict[str, Any]:
    shown = shapes.whole_user(world, iam, user)
    shown.pop("PasswordLastUsed", None)
    return {
        **shown,
        "UserPolicyList": shapes.inline(user.policies),
        "GroupList": [group.name for group in iam.get_groups_for_user(user.name)],
        "AttachedManagedPolicies": shapes.managed(user.managed_policies),
    }


def _group_detail(_world: World, _iam: Any, group: Any) -> dict[str, Any]:
    return {
        **shapes.group(group),
        "GroupPolicyList": shapes.inline(group.policies),
        "AttachedManagedPolicies": shapes.managed(group.managed_policies),
    }


def _role_detail(world: World, iam: Any, role: Any) -> dict[str, Any]:
    shown = shapes.whole_role(world, iam, role)
    profiles = iam.get_instance_profiles_for_role(role.name)
    return {
        **shown,
        "InstanceProfileList": [
            shapes.instance_profile(world, iam, profile, whole=False) for profile in profiles
        ],
        "RolePolicyList": shapes.inline(role.policies),
        "AttachedManagedPolicies": shapes.managed(role.managed_policies),
    }


def _policy_detail(world: World, _iam: Any, policy: Any) -> dict[str, Any]:
    return {
        **shapes.policy(world, policy),
        "PolicyVersionList": [
            shapes.policy_version(version, with_document=True) for version in policy.versions
        ],
    }


def list_account_aliases(world: World, request: ApiRequest) -> Answer:
    """ListAccountAliases: one at most."""
    aliases = lookups.backend(world, request).account_aliases
    return paging.page("AccountAliases", aliases, request.params)


def create_account_alias(world: World, request: ApiRequest) -> Answer:
    """CreateAccountAlias, in place of any before; no two accounts have the same."""
    alias = request.params["AccountAlias"]
    if _TWELVE_DIGITS.fullmatch(alias):
        raise faults.invalid_input("An account alias can't be a 12-digit number.")
    others = (other for other in world.accounts.values() if other.account_id != request.account)
    if any(alias in other.iam.account_aliases for other in others):
        raise faults.exists(f"The account alias {alias} already exists.")
    lookups.backend(world, request).account_aliases = [alias]
    return {}


def delete_account_alias(world: World, request: ApiRequest) -> Answer:
    """DeleteAccountAlias."""
    iam, alias = lookups.backend(world, request), request.params["AccountAlias"]
    if alias not in iam.account_aliases:
        raise faults.no_such(f"The account alias {alias} cannot be found.")
    iam.account_aliases = []
    return {}


def generate_credential_report(world: World, request: ApiRequest) -> Answer:
    """GenerateCredentialReport: it is ready at once, and says so when asked again."""
    account = world.account(request.account)
    before = account.iam.credential_report
    account.iam.credential_report = {"at": request.now, "text": _report(account, request.now)}
    if before:
        return {"State": "COMPLETE"}
    return {
        "State": "STARTED",
        "Description": "No report exists. Starting a new report generation task",
    }


def get_credential_report(world: World, request: ApiRequest) -> Answer:
    """GetCredentialReport: the one that was generated last."""
    report = lookups.backend(world, request).credential_report
    if not isinstance(report, dict):
        raise ApiFault("ReportNotPresent", "No credential report is present.", _GONE)
    return {
        "Content": report["text"].encode(),
        "ReportFormat": "text/csv",
        "GeneratedTime": report["at"],
    }


def _report(account: Any, now: datetime) -> str:
    """The report's rows (IAM User Guide, "Getting credential reports for your account")."""
    rows = [_root_row(account, now)]
    rows += [_user_row(user) for user in sorted(account.iam.users.values(), key=lambda u: u.name)]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _root_row(account: Any, now: datetime) -> dict[str, str]:
    password = dict.fromkeys(
        ("password_enabled", "password_last_changed", "password_next_rotation"), "not_supported"
    )
    return {
        "user": "<root_account>",
        "arn": account.root_arn,
        "user_creation_time": _stamp(now),
        "password_enabled": "not_supported",
        "password_last_used": "no_information",
        **password,
        "mfa_active": "false",
        **_key_columns(1, None, active=bool(account.root_keys)),
        **_key_columns(2, None, active=False),
        **_certificate_columns(),
    }


def _user_row(user: Any) -> dict[str, str]:
    keys = [*user.access_keys, None, None]
    return {
        "user": user.name,
        "arn": user.arn,
        "user_creation_time": _stamp(user.create_date),
        "password_enabled": _flag(user.password),
        "password_last_used": "no_information" if user.password else "N/A",
        "password_last_changed": "N/A",
        "password_next_rotation": "N/A",
        "mfa_active": _flag(user.mfa_devices),
        **_key_columns(1, keys[0], active=keys[0] is not None and keys[0].status == "Active"),
        **_key_columns(2, keys[1], active=keys[1] is not None and keys[1].status == "Active"),
        **_certificate_columns(),
    }


def _key_columns(number: int, key: Any, *, active: bool) -> dict[str, str]:
    used = key.last_used if key is not None else None
    start = f"access_key_{number}"
    return {
        f"{start}_active": _flag(active),
        f"{start}_last_rotated": _stamp(key.create_date) if key is not None else "N/A",
        f"{start}_last_used_date": _stamp(used.timestamp) if used else "N/A",
        f"{start}_last_used_region": used.region if used else "N/A",
        f"{start}_last_used_service": used.service if used else "N/A",
    }


def _certificate_columns() -> dict[str, str]:
    return {
        "cert_1_active": "false",
        "cert_1_last_rotated": "N/A",
        "cert_2_active": "false",
        "cert_2_last_rotated": "N/A",
    }


def _stamp(at: datetime) -> str:
    aware = shapes.moment(at)
    return aware.strftime("%Y-%m-%dT%H:%M:%S+00:00") if aware is not None else "N/A"


def _flag(value: object) -> str:
    return "true" if value else "false"


HANDLERS = {
    "GetAccountSummary": get_account_summary,
    "GetAccountAuthorizationDetails": get_account_authorization_details,
    "ListAccountAliases": list_account_aliases,
    "CreateAccountAlias": create_account_alias,
    "DeleteAccountAlias": delete_account_alias,
    "GenerateCredentialReport": generate_credential_report,
    "GetCredentialReport": get_credential_report,
}
