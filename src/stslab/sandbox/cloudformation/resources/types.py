"""What a resource type is, the table of them, and how resolved properties are checked against it.

AWS CloudFormation User Guide, "AWS resource and property types reference". Which properties
replace the resource is what each property's "Update requires" says.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from stslab.sandbox.cloudformation.names import physical, physical_lower, physical_short
from stslab.sandbox.cloudformation.resources import iam, s3
from stslab.sandbox.cloudformation.resources.services import SERVICES
from stslab.sandbox.cloudformation.resources.work import Properties, Unfit, Work, type_name, unfit
from stslab.sandbox.cloudformation.template.functions import as_text
from stslab.sandbox.cloudformation.template.source import Value


class Handler(Protocol):
    """Makes, changes and deletes the resources of one type, by calls in the caller's name.

    ``create`` sets ``work.physical_id`` where AWS gives the name, and the attributes. ``update``
    changes the resource from ``old`` properties to ``work.properties``. To ``delete`` what is gone
    already is no error. What was made before a call is refused is deleted with the resource.
    """

    def create(self, work: Work) -> None: ...

    def update(self, work: Work, old: Properties) -> None: ...

    def delete(self, work: Work) -> None: ...


@dataclass(frozen=True)
class Property:
    """One property. ``kind`` is text, number, flag, list, texts, object, or json (also text)."""

    kind: str
    required: bool = False
    replaces: bool = False
    allowed: tuple[str, ...] = ()
    supported: bool = True


@dataclass(frozen=True)
class ResourceType:
    """One type, as "AWS resource and property types reference" describes it.

    ``name_property`` names the resource and needs CAPABILITY_NAMED_IAM where
    ``acknowledged``; ``make_name`` makes a name where none is given. ``attributes`` are what
    ``Fn::GetAtt`` takes. One of ``any_of`` must be given.
    """

    name: str
    properties: Mapping[str, Property]
    handler: Handler
    attributes: frozenset[str] = frozenset()
    acknowledged: bool = False
    name_property: str = ""
    name_limit: int = 64
    make_name: Callable[[str, str, int], str] | None = None
    tagged: bool = False
    any_of: tuple[str, ...] = ()

    @property
    def replacing(self) -> frozenset[str]:
        """The properties whose update requires replacement."""
        return frozenset(name for name, each in self.properties.items() if each.replaces)


def fitted(kind: ResourceType, logical_id: str, properties: Properties) -> Properties:
    """The properties with scalars as their type has them ("3600" becomes 3600).

    Raises:
        Unfit: with all problems, in the words of CloudFormation's property validation.
    """
    problems = [
        f"#: required key [{name}] not found"
        for name, each in kind.properties.items()
        if each.required and name not in properties
    ]
    result: dict[str, Value] = {}
    for name, value in properties.items():
        declared = kind.properties.get(name)
        if declared is None:
            problems.append(f"#: extraneous key [{name}] is not permitted")
        elif not declared.supported:
            raise Unfit(f"Property {name} of {kind.name} is not supported by the sandbox")
        else:
            result[name] = _fit(name, value, declared, problems)
    if kind.any_of and not any(result.get(name) for name in kind.any_of):
        problems.append(f"#: at least one of [{', '.join(kind.any_of)}] must be specified")
    if problems:
        raise unfit(logical_id, problems)
    return result


def _fit(name: str, value: object, declared: Property, problems: list[str]) -> Value:
    wanted, fit_to = _KINDS[declared.kind]
    try:
        fit = fit_to(value)
    except (TypeError, ValueError, KeyError):
        problems.append(f"#/{name}: expected type: {wanted}, found: {type_name(value)}")
        return value
    if declared.allowed and fit not in declared.allowed:
        problems.append(f"#/{name}: {fit} is not a valid enum value")
    return fit


def _of(*types: type) -> Callable[[object], Value]:
    """What gives a value of one of these types back as it is."""

    def check(value: object) -> Value:
        if not isinstance(value, types):
            raise TypeError
        return value

    return check


def _text(value: object) -> str:
    return as_text(_of(str, int, float)(value))


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    number = int(value)
    if abs(number) > _LARGEST:
        raise ValueError
    return number


_LARGEST = 2**63 - 1
_KINDS: Mapping[str, tuple[str, Callable[[object], Value]]] = {
    "text": ("String", _text),
    "number": ("Integer", _number),
    "flag": ("Boolean", lambda value: {"true": True, "false": False}[as_text(value).lower()]),
    "list": ("JSONArray", _of(list)),
    "texts": ("JSONArray", lambda value: [_text(item) for item in _of(list)(value)]),
    "json": ("JSONObject", _of(dict, str)),
    "object": ("JSONObject", _of(dict)),
}
"""How a schema calls each kind of property, and what makes a value fit it."""


TEXT = Property("text")
TEXTS = Property("texts")
LIST = Property("list")
FLAG = Property("flag")
JSON = Property("json")
OBJECT = Property("object")
NAME = Property("text", replaces=True)
NEEDED_TEXT = Property("text", required=True)
NEEDED_TEXTS = Property("texts", required=True)
NEEDED_JSON = Property("json", required=True)
FIXED = Property("text", required=True, replaces=True)
UNSUPPORTED = Property("json", supported=False)

ROLE = ResourceType(
    "AWS::IAM::Role",
    {
        "AssumeRolePolicyDocument": NEEDED_JSON,
        "Description": TEXT,
        "ManagedPolicyArns": TEXTS,
        "MaxSessionDuration": Property("number"),
        "Path": NAME,
        "PermissionsBoundary": TEXT,
        "Policies": LIST,
        "RoleName": NAME,
        "Tags": LIST,
    },
    iam.Role(),
    attributes=frozenset({"Arn", "RoleId"}),
    acknowledged=True,
    name_property="RoleName",
    make_name=physical,
    tagged=True,
)
USER = ResourceType(
    "AWS::IAM::User",
    {
        "Groups": TEXTS,
        "LoginProfile": OBJECT,
        "ManagedPolicyArns": TEXTS,
        "Path": TEXT,
        "PermissionsBoundary": TEXT,
        "Policies": LIST,
        "Tags": LIST,
        "UserName": NAME,
    },
    iam.User(),
    attributes=frozenset({"Arn"}),
    acknowledged=True,
    name_property="UserName",
    make_name=physical,
    tagged=True,
)
GROUP = ResourceType(
    "AWS::IAM::Group",
    {"GroupName": NAME, "ManagedPolicyArns": TEXTS, "Path": TEXT, "Policies": LIST},
    iam.Group(),
    attributes=frozenset({"Arn"}),
    acknowledged=True,
    name_property="GroupName",
    name_limit=128,
    make_name=physical,
)
POLICY = ResourceType(
    "AWS::IAM::Policy",
    {
        "Groups": TEXTS,
        "PolicyDocument": NEEDED_JSON,
        "PolicyName": NEEDED_TEXT,
        "Roles": TEXTS,
        "Users": TEXTS,
    },
    iam.INLINE_POLICY,
    attributes=frozenset({"Id"}),
    acknowledged=True,
    make_name=physical_short,
    any_of=("Groups", "Roles", "Users"),
)
MANAGED_POLICY = ResourceType(
    "AWS::IAM::ManagedPolicy",
    {
        "Description": NAME,
        "Groups": TEXTS,
        "ManagedPolicyName": NAME,
        "Path": NAME,
        "PolicyDocument": NEEDED_JSON,
        "Roles": TEXTS,
        "Users": TEXTS,
    },
    iam.ManagedPolicy(),
    attributes=frozenset(
        {
            "AttachmentCount", "CreateDate", "DefaultVersionId", "IsAttachable",
            "PermissionsBoundaryUsageCount", "PolicyArn", "PolicyId", "UpdateDate",
        }
    ),
    acknowledged=True,
    name_property="ManagedPolicyName",
    name_limit=128,
    make_name=physical,
)  # fmt: skip
ACCESS_KEY = ResourceType(
    "AWS::IAM::AccessKey",
    {
        "Serial": Property("number", replaces=True),
        "Status": Property("text", allowed=("Active", "Inactive")),
        "UserName": FIXED,
    },
    iam.AccessKey(),
    attributes=frozenset({"SecretAccessKey"}),
    acknowledged=True,
)
MEMBERSHIP = ResourceType(
    "AWS::IAM::UserToGroupAddition",
    {"GroupName": NEEDED_TEXT, "Users": NEEDED_TEXTS},
    iam.MEMBERSHIP,
    attributes=frozenset({"Id"}),
    acknowledged=True,
    make_name=physical_short,
)
INSTANCE_PROFILE = ResourceType(
    "AWS::IAM::InstanceProfile",
    {"InstanceProfileName": NAME, "Path": NAME, "Roles": NEEDED_TEXTS},
    iam.InstanceProfile(),
    attributes=frozenset({"Arn"}),
    acknowledged=True,
    name_property="InstanceProfileName",
    name_limit=128,
    make_name=physical,
)
OIDC_PROVIDER = ResourceType(
    "AWS::IAM::OIDCProvider",
    {"ClientIdList": TEXTS, "Tags": LIST, "ThumbprintList": TEXTS, "Url": NAME},
    iam.OidcProvider(),
    attributes=frozenset({"Arn"}),
    tagged=True,
)


def _policy_of(kind: str) -> ResourceType:
    return ResourceType(
        f"AWS::IAM::{kind}Policy",
        {"PolicyDocument": JSON, "PolicyName": FIXED, f"{kind}Name": FIXED},
        iam.policy_of(kind),
        acknowledged=True,
    )


BUCKET = ResourceType(
    "AWS::S3::Bucket",
    {
        "AccessControl": Property("text", allowed=s3.CANNED_ACLS),
        "BucketEncryption": OBJECT,
        "BucketName": NAME,
        "LifecycleConfiguration": OBJECT,
        "ObjectLockEnabled": FLAG,
        "OwnershipControls": OBJECT,
        "PublicAccessBlockConfiguration": OBJECT,
        "Tags": LIST,
        "VersioningConfiguration": OBJECT,
        **dict.fromkeys(
            (
                "AbacStatus", "AccelerateConfiguration", "AnalyticsConfigurations",
                "BucketNamePrefix", "BucketNamespace", "CorsConfiguration",
                "IntelligentTieringConfigurations", "InventoryConfigurations",
                "LoggingConfiguration", "MetadataConfiguration", "MetadataTableConfiguration",
                "MetricsConfigurations", "NotificationConfiguration", "ObjectLockConfiguration",
                "ReplicationConfiguration", "WebsiteConfiguration",
            ),
            UNSUPPORTED,
        ),
    },
    s3.Bucket(),
    attributes=frozenset(
        {"Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL"}
    ),
    name_property="BucketName",
    name_limit=63,
    make_name=physical_lower,
    tagged=True,
)  # fmt: skip
BUCKET_POLICY = ResourceType(
    "AWS::S3::BucketPolicy",
    {"Bucket": FIXED, "PolicyDocument": NEEDED_JSON},
    s3.BucketPolicy(),
)

TYPES: dict[str, ResourceType] = {
    kind.name: kind
    for kind in (
        ROLE, USER, GROUP, POLICY, MANAGED_POLICY, ACCESS_KEY, MEMBERSHIP, INSTANCE_PROFILE,
        OIDC_PROVIDER, _policy_of("Role"), _policy_of("User"), _policy_of("Group"),
        BUCKET, BUCKET_POLICY,
    )
}  # fmt: skip

UNSUPPORTED_TYPES = frozenset(
    {
        "AWS::IAM::SAMLProvider", "AWS::IAM::ServerCertificate", "AWS::IAM::ServiceLinkedRole",
        "AWS::IAM::VirtualMFADevice", "AWS::S3::AccessGrant", "AWS::S3::AccessGrantsInstance",
        "AWS::S3::AccessGrantsLocation", "AWS::S3::AccessPoint",
        "AWS::S3::MultiRegionAccessPoint", "AWS::S3::MultiRegionAccessPointPolicy",
        "AWS::S3::StorageLens", "AWS::S3::StorageLensGroup",
    }
)  # fmt: skip
"""Types of IAM and S3 that AWS deploys and the sandbox does not; no others exist."""
_TYPE = re.compile(r"AWS::([A-Za-z0-9]+)::[A-Za-z0-9]+(::[A-Za-z0-9]+)?")
_OTHERS = re.compile(r"Custom::[\w@-]+|Alexa::ASK::Skill")


def exists(name: str) -> bool:
    """Whether AWS may have the type: all those of IAM and S3 are known, and other services."""
    if name in TYPES or name in UNSUPPORTED_TYPES or _OTHERS.fullmatch(name):
        return True
    found = _TYPE.fullmatch(name)
    return found is not None and found[1] in SERVICES - {"IAM", "S3"}
