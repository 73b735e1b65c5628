"""The operations that make things: the rows of :class:`stslab.kinds.kind.Creation`."""

from collections.abc import Mapping
from typing import Any

from stslab.kinds.kind import Creation, search
from stslab.kinds.table import BY_SETTING, KINDS

_OWNERS = ("User", "Role", "Group")


def _arn(resource: str, name: str) -> str:
    """An expression for the ARN that IAM gives a thing of this account."""
    return f"join('', ['arn:', target.partition, ':iam::', target.account, ':{resource}', {name}])"


CREATIONS: Mapping[str, Creation] = {
    "iam.CreateUser": Creation("iam.user", adopt="{User: User}", tags="Tags"),
    "iam.CreateRole": Creation("iam.role", adopt="{Role: Role}", tags="Tags"),
    "iam.CreateGroup": Creation("iam.group", adopt="{Group: Group}"),
    "iam.CreateInstanceProfile": Creation(
        "iam.instance_profile", adopt="{InstanceProfile: InstanceProfile}", tags="Tags"
    ),
    "iam.CreatePolicy": Creation(
        "iam.policy",
        names={"PolicyArn": _arn("policy", "params.Path || '/', params.PolicyName")},
        adopt="{Policy: Policy}",
        tags="Tags",
    ),
    "iam.CreateAccessKey": Creation(
        "iam.access_key",
        names={
            "UserName": "params.UserName || answer.AccessKey.UserName",
            "AccessKeyId": "answer.AccessKey.AccessKeyId",
        },
        discover="AccessKeyMetadata[].AccessKeyId",
        discovered="AccessKeyId",
    ),
    "iam.CreateServiceLinkedRole": Creation(
        "iam.service_linked_role", names={"RoleName": "answer.Role.RoleName"}
    ),
    **{call: Creation(kind.id, repeatable=True) for call, kind in BY_SETTING.items()},
    "iam.CreateLoginProfile": Creation("iam.login_profile", adopt="{LoginProfile: LoginProfile}"),
    "iam.CreateVirtualMFADevice": Creation(
        "iam.mfa_device",
        names={"SerialNumber": _arn("mfa", "params.Path || '/', params.VirtualMFADeviceName")},
        tags="Tags",
    ),
    "iam.CreateSAMLProvider": Creation(
        "iam.saml_provider",
        names={
            "SAMLProviderArn": _arn("saml-provider/", "params.Name"),
        },
        tags="Tags",
    ),
    "iam.CreateOpenIDConnectProvider": Creation(
        "iam.oidc_provider",
        names={
            "OpenIDConnectProviderArn": _arn("oidc-provider/", "host"),
        },
        tags="Tags",
    ),
    "iam.AddUserToGroup": Creation("iam.membership", repeatable=True, overwrites=True),
    "iam.AddRoleToInstanceProfile": Creation("iam.profile_role"),
    **{
        f"iam.Put{owner}Policy": Creation(
            f"iam.{owner.lower()}_policy", repeatable=True, overwrites=True
        )
        for owner in _OWNERS
    },
    **{
        f"iam.Attach{owner}Policy": Creation(
            f"iam.{owner.lower()}_attachment", repeatable=True, overwrites=True
        )
        for owner in _OWNERS
    },
    **{
        f"iam.Put{owner}PermissionsBoundary": Creation(
            f"iam.{owner.lower()}_boundary", repeatable=True, overwrites=True
        )
        for owner in ("User", "Role")
    },
    **dict.fromkeys(
        ("cloudformation.CreateStack", "cloudformation.CreateChangeSet CREATE"),
        Creation("cloudformation.stack", adopt="{StackId: Stacks[0].StackId}", tags="Tags"),
    ),
    # In us-east-1 CreateBucket succeeds on a bucket that the caller has already.
    "s3.CreateBucket": Creation(
        "s3.bucket", overwrites=True, adopt="@", tags="CreateBucketConfiguration"
    ),
    "s3.PutObject": Creation("s3.object", repeatable=True, overwrites=True),
    "s3.PutBucketPolicy": Creation("s3.bucket_policy", repeatable=True, overwrites=True),
}


def creation_of(call: str, params: Mapping[str, Any]) -> Creation | None:
    """The row of a call (``service.Operation``), or None where it makes nothing that is known."""
    return CREATIONS.get(f"{call} {params.get('ChangeSetType', '')}", CREATIONS.get(call))


def names_made(
    creation: Creation,
    params: Mapping[str, Any],
    answer: Mapping[str, Any],
    account: str,
    partition: str,
) -> dict[str, str]:
    """What names the thing that a call makes, as far as its parameters and its answer tell."""
    known = {
        "params": params,
        "answer": answer,
        "target": {"account": account, "partition": partition},
        "host": str(params.get("Url", "")).partition("://")[2],
    }
    plain = {name: f"params.{name}" for name in KINDS[creation.kind].names}
    expressions = creation.names or plain
    found = {name: search(expression, known) for name, expression in expressions.items()}
    return {name: str(value) for name, value in found.items() if value}


# Other operations that may be made again with the same parameters, told by their first word.
_REPEATABLE = (
    "Get",
    "List",
    "Describe",
    "Head",
    "BatchGet",
    "Simulate",
    "Validate",
    "Decode",
    "Assume",
    "Put",
    "Attach",
    "Detach",
    "Delete",
    "Tag",
    "Untag",
    "Set",
    "Enable",
    "Disable",
    "Remove",
    "Update",
    "Abort",
)


def is_repeatable(call: str) -> bool:
    """Whether a call (``service.Operation``) whose answer was lost may simply be made again."""
    creation = CREATIONS.get(call)
    return creation.repeatable if creation else call.partition(".")[2].startswith(_REPEATABLE)
