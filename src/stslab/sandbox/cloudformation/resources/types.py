"""The table of resource types, from "AWS resource and property types reference".

Which properties replace the resource is what each property's "Update requires" says.
"""

from __future__ import annotations

import re

from stslab.sandbox.cloudformation.names import physical, physical_lower, physical_short
from stslab.sandbox.cloudformation.resources import buckets, credentials, identities, policies
from stslab.sandbox.cloudformation.resources.kinds import Property, ResourceType
from stslab.sandbox.cloudformation.resources.services import SERVICES

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
    identities.Role(),
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
    identities.User(),
    attributes=frozenset({"Arn"}),
    acknowledged=True,
    name_property="UserName",
    make_name=physical,
    tagged=True,
)
GROUP = ResourceType(
    "AWS::IAM::Group",
    {"GroupName": NAME, "ManagedPolicyArns": TEXTS, "Path": TEXT, "Policies": LIST},
    identities.Group(),
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
    policies.INLINE_POLICY,
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
    policies.ManagedPolicy(),
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
    credentials.AccessKey(),
    attributes=frozenset({"SecretAccessKey"}),
    acknowledged=True,
)
MEMBERSHIP = ResourceType(
    "AWS::IAM::UserToGroupAddition",
    {"GroupName": NEEDED_TEXT, "Users": NEEDED_TEXTS},
    policies.MEMBERSHIP,
    attributes=frozenset({"Id"}),
    acknowledged=True,
    make_name=physical_short,
)
INSTANCE_PROFILE = ResourceType(
    "AWS::IAM::InstanceProfile",
    {"InstanceProfileName": NAME, "Path": NAME, "Roles": NEEDED_TEXTS},
    credentials.InstanceProfile(),
    attributes=frozenset({"Arn"}),
    acknowledged=True,
    name_property="InstanceProfileName",
    name_limit=128,
    make_name=physical,
)
OIDC_PROVIDER = ResourceType(
    "AWS::IAM::OIDCProvider",
    {"ClientIdList": TEXTS, "Tags": LIST, "ThumbprintList": TEXTS, "Url": NAME},
    credentials.OidcProvider(),
    attributes=frozenset({"Arn"}),
    tagged=True,
)


def _policy_of(kind: str) -> ResourceType:
    return ResourceType(
        f"AWS::IAM::{kind}Policy",
        {"PolicyDocument": JSON, "PolicyName": FIXED, f"{kind}Name": FIXED},
        policies.policy_of(kind),
        acknowledged=True,
    )


BUCKET = ResourceType(
    "AWS::S3::Bucket",
    {
        "AccessControl": Property("text", allowed=tuple(buckets.CANNED_ACLS)),
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
    buckets.Bucket(),
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
    buckets.BucketPolicy(),
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
