"""Lists all that is in an account, so that two lists tell what a lab left, took or changed.

Far more than a run's own things: users with their policies, groups, boundaries and keys, roles,
groups, policies, providers, devices, buckets with every version, and stacks. When something was
last used is left out: looking changes it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stslab.kinds.kind import search
from stslab.runner.calls.calls import Calls
from stslab.runner.ports import Answer

Inventory = Mapping[str, str]
"""What there is, each thing by what people call it, with all that it consists of."""

_MARKER = {"Marker": "Marker"}
_VERSIONS = {"KeyMarker": "NextKeyMarker", "VersionIdMarker": "NextVersionIdMarker"}
_UPLOADS = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}
_LAST_USED = ("LastUsed", "LastAuthenticated")


@dataclass(frozen=True, slots=True)
class _Row:
    """One listing: its ``things`` (JMESPath) are ``{name: …, is: …}``, of one ``kind``."""

    kind: str
    service: str
    operation: str
    things: str
    params: Mapping[str, Any] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)


def _details(kind: str, only: str, members: str, name: str) -> _Row:
    return _Row(
        kind,
        "iam",
        "GetAccountAuthorizationDetails",
        f"{members}[].{{name: {name}, is: @}}",
        {"Filter": [only]},
        _MARKER,
    )


def _of_iam(kind: str, operation: str, members: str, name: str = "Arn") -> _Row:
    return _Row(kind, "iam", operation, f"{members}[].{{name: {name}, is: @}}")


_ROWS = (
    _details("IAM user", "User", "UserDetailList", "UserName"),
    _details("IAM role", "Role", "RoleDetailList", "RoleName"),
    _details("IAM group", "Group", "GroupDetailList", "GroupName"),
    _details("IAM policy", "LocalManagedPolicy", "Policies", "Arn"),
    _of_iam("instance profile", "ListInstanceProfiles", "InstanceProfiles"),
    _of_iam("OIDC provider", "ListOpenIDConnectProviders", "OpenIDConnectProviderList"),
    _of_iam("SAML provider", "ListSAMLProviders", "SAMLProviderList"),
    _of_iam("MFA device", "ListVirtualMFADevices", "VirtualMFADevices", "SerialNumber"),
    _Row("account alias", "iam", "ListAccountAliases", "AccountAliases[].{name: @, is: @}"),
    _Row("password policy", "iam", "GetAccountPasswordPolicy", "[{name: 'own', is: @}]"),
    _Row("S3 bucket", "s3", "ListBuckets", "Buckets[].{name: Name, is: @}"),
    _Row(
        "CloudFormation stack",
        "cloudformation",
        "DescribeStacks",
        "Stacks[].{name: StackName, is: @}",
        pages={"NextToken": "NextToken"},
    ),
)
_OF_USER = (
    _Row("access key", "iam", "ListAccessKeys", "AccessKeyMetadata[].{name: AccessKeyId, is: @}"),
    _Row("password", "iam", "GetLoginProfile", "[{name: LoginProfile.UserName, is: LoginProfile}]"),
    _Row("SSH key", "iam", "ListSSHPublicKeys", "SSHPublicKeys[].{name: SSHPublicKeyId, is: @}"),
)
_OF_BUCKET = (
    _Row(
        "object",
        "s3",
        "ListObjectVersions",
        "[Versions, DeleteMarkers][][].{name: join(' version ', [Key, VersionId]), is: @}",
        pages=_VERSIONS,
    ),
    _Row(
        "unfinished upload",
        "s3",
        "ListMultipartUploads",
        "Uploads[].{name: join(' ', [Key, UploadId]), is: @}",
        pages=_UPLOADS,
    ),
)
_BELOW = {
    "IAM user": ("UserName", _OF_USER),
    "S3 bucket": ("Bucket", _OF_BUCKET),
}


def inventory(calls: Calls) -> Inventory:
    """All that is in the account now, as ``admin`` sees it."""
    return dict(_everything(calls))


def differences(before: Inventory, after: Inventory) -> tuple[str, ...]:
    """What is no longer as it was, a sentence each."""
    return tuple(
        f"{name} {_what(name, before, after)}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def _what(name: str, before: Inventory, after: Inventory) -> str:
    if name not in before:
        return "is left"
    return "is gone" if name not in after else "was changed"


def _everything(calls: Calls) -> Iterator[tuple[str, str]]:
    for row in _ROWS:
        parameter, rows = _BELOW.get(row.kind, ("", ()))
        for name, content in _listed(calls, row, {}):
            yield f"{row.kind} {name}", content
            for below in rows:
                for inner, more in _listed(calls, below, {parameter: name}):
                    yield f"{below.kind} {inner} of {row.kind} {name}", more


def _listed(calls: Calls, row: _Row, params: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The things of one row; none where the account has not this kind of thing."""
    for page in calls.pages(row.service, row.operation, {**row.params, **params}, row.pages):
        data = page.data if isinstance(page, Answer) else None
        for thing in search(row.things, data) or [] if data else []:
            yield str(thing["name"]), json.dumps(_lasting(thing["is"]), sort_keys=True)


def _lasting(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _lasting(part) for key, part in value.items()}
        return {key: part for key, part in kept.items() if not any(w in key for w in _LAST_USED)}
    return [_lasting(part) for part in value] if isinstance(value, list) else value
