"""The rows of :mod:`stslab.kinds.kind`: each kind of thing."""

from collections.abc import Mapping

from stslab.kinds import children
from stslab.kinds.kind import Child, Kind, Remove

_TAGS_OF = "answer.{0}.Tags"


def _entity(word: str, what: str, before: tuple[Child, ...], resource_type: str) -> Kind:
    """An IAM user, role, group or instance profile."""
    entity = "".join(part.capitalize() for part in word.split("_"))
    name = f"{entity}Name"
    return Kind(
        id=f"iam.{word}",
        what=f"{what} {{{name}}}",
        names=(name,),
        look=f"Get{entity}",
        look_names=(name,),
        present=f"answer.{entity}",
        remove=Remove(f"Delete{entity}", (name,)),
        tags=_TAGS_OF.format(entity),
        children=before,
        resource_type=resource_type,
        identity=f"answer.{entity}.{entity}Id",
    )


def _inline_kind(owner: str) -> Kind:
    name = f"{owner}Name"
    return Kind(
        id=f"iam.{owner.lower()}_policy",
        what=f"inline policy {{PolicyName}} of {owner.lower()} {{{name}}}",
        names=(name, "PolicyName"),
        look=f"Get{owner}Policy",
        look_names=(name, "PolicyName"),
        present="answer.PolicyName",
        remove=Remove(f"Delete{owner}Policy", (name, "PolicyName")),
        parent=f"iam.{owner.lower()}",
        parent_names=(name,),
    )


def _attachment_kind(owner: str) -> Kind:
    name = f"{owner}Name"
    return Kind(
        id=f"iam.{owner.lower()}_attachment",
        what=f"attachment of {{PolicyArn}} to {owner.lower()} {{{name}}}",
        names=(name, "PolicyArn"),
        look=f"ListAttached{owner}Policies",
        look_names=(name,),
        present="contains(answer.AttachedPolicies[].PolicyArn, thing.PolicyArn)",
        remove=Remove(f"Detach{owner}Policy", (name, "PolicyArn")),
        parent=f"iam.{owner.lower()}",
        parent_names=(name,),
    )


def _boundary_kind(owner: str) -> Kind:
    name = f"{owner}Name"
    return Kind(
        id=f"iam.{owner.lower()}_boundary",
        what=f"permissions boundary of {owner.lower()} {{{name}}}",
        names=(name,),
        look=f"Get{owner}",
        look_names=(name,),
        present=f"answer.{owner}.PermissionsBoundary",
        remove=Remove(f"Delete{owner}PermissionsBoundary", (name,)),
        parent=f"iam.{owner.lower()}",
        parent_names=(name,),
    )


_OWNERS = ("User", "Role", "Group")
_PASSWORD_POLICY = ", ".join(
    f"{name}: {name}"
    for name in (
        "AllowUsersToChangePassword", "HardExpiry", "MaxPasswordAge", "MinimumPasswordLength",
        "PasswordReusePrevention", "RequireLowercaseCharacters", "RequireNumbers",
        "RequireSymbols", "RequireUppercaseCharacters",
    )
)  # fmt: skip
_KINDS = (
    _entity("user", "IAM user", children.USER, "AWS::IAM::User"),
    _entity("role", "IAM role", children.ROLE, "AWS::IAM::Role"),
    _entity("group", "IAM group", children.GROUP, "AWS::IAM::Group"),
    _entity(
        "instance_profile",
        "instance profile",
        children.INSTANCE_PROFILE,
        "AWS::IAM::InstanceProfile",
    ),
    Kind(
        id="iam.policy",
        what="managed policy {PolicyArn}",
        names=("PolicyArn",),
        look="GetPolicy",
        look_names=("PolicyArn",),
        present="answer.Policy",
        remove=Remove("DeletePolicy", ("PolicyArn",)),
        tags=_TAGS_OF.format("Policy"),
        identity="answer.Policy.PolicyId",
        children=children.POLICY,
        resource_type="AWS::IAM::ManagedPolicy",
    ),
    Kind(
        id="iam.access_key",
        what="access key {AccessKeyId} of user {UserName}",
        names=("UserName", "AccessKeyId"),
        look="ListAccessKeys",
        look_names=("UserName",),
        present="contains(answer.AccessKeyMetadata[].AccessKeyId, thing.AccessKeyId)",
        remove=Remove("DeleteAccessKey", ("UserName", "AccessKeyId")),
        parent="iam.user",
        parent_names=("UserName",),
    ),
    Kind(
        id="iam.login_profile",
        what="password of user {UserName}",
        names=("UserName",),
        look="GetLoginProfile",
        look_names=("UserName",),
        present="answer.LoginProfile",
        remove=Remove("DeleteLoginProfile", ("UserName",)),
        parent="iam.user",
        parent_names=("UserName",),
    ),
    Kind(
        id="iam.mfa_device",
        what="virtual MFA device {SerialNumber}",
        names=("SerialNumber",),
        look="ListVirtualMFADevices",
        look_names=(),
        present="contains(answer.VirtualMFADevices[].SerialNumber, thing.SerialNumber)",
        remove=Remove("DeleteVirtualMFADevice", ("SerialNumber",)),
        children=children.MFA_DEVICE,
        tagging="ListMFADeviceTags",
        tagging_names=("SerialNumber",),
        tags="answer.Tags",
        resource_type="AWS::IAM::VirtualMFADevice",
    ),
    Kind(
        id="iam.saml_provider",
        what="SAML provider {SAMLProviderArn}",
        names=("SAMLProviderArn",),
        look="GetSAMLProvider",
        look_names=("SAMLProviderArn",),
        present="answer",
        remove=Remove("DeleteSAMLProvider", ("SAMLProviderArn",)),
        tags="answer.Tags",
        identity="answer.CreateDate",
        resource_type="AWS::IAM::SAMLProvider",
    ),
    Kind(
        id="iam.oidc_provider",
        what="OpenID Connect provider {OpenIDConnectProviderArn}",
        names=("OpenIDConnectProviderArn",),
        look="GetOpenIDConnectProvider",
        look_names=("OpenIDConnectProviderArn",),
        present="answer",
        remove=Remove("DeleteOpenIDConnectProvider", ("OpenIDConnectProviderArn",)),
        tags="answer.Tags",
        identity="answer.CreateDate",
        resource_type="AWS::IAM::OIDCProvider",
    ),
    Kind(
        id="iam.membership",
        what="membership of user {UserName} in group {GroupName}",
        names=("UserName", "GroupName"),
        look="ListGroupsForUser",
        look_names=("UserName",),
        present="contains(answer.Groups[].GroupName, thing.GroupName)",
        remove=Remove("RemoveUserFromGroup", ("UserName", "GroupName")),
        parent="iam.user",
        parent_names=("UserName",),
    ),
    Kind(
        id="iam.profile_role",
        what="role {RoleName} in instance profile {InstanceProfileName}",
        names=("InstanceProfileName", "RoleName"),
        look="GetInstanceProfile",
        look_names=("InstanceProfileName",),
        present="contains(answer.InstanceProfile.Roles[].RoleName, thing.RoleName)",
        remove=Remove("RemoveRoleFromInstanceProfile", ("InstanceProfileName", "RoleName")),
        parent="iam.instance_profile",
        parent_names=("InstanceProfileName",),
    ),
    Kind(
        id="iam.service_linked_role",
        what="service-linked role {RoleName}",
        names=("RoleName",),
        look="GetRole",
        look_names=("RoleName",),
        present="answer.Role",
        remove=Remove("DeleteServiceLinkedRole", ("RoleName",)),
        identity="answer.Role.RoleId",
    ),
    Kind(
        id="iam.account_alias",
        what="alias of the account",
        names=(),
        look="ListAccountAliases",
        look_names=(),
        present="answer.AccountAliases",
        remove=Remove("DeleteAccountAlias", ("AccountAlias",)),
        put="CreateAccountAlias",
        was="{AccountAlias: answer.AccountAliases[0]}",
    ),
    Kind(
        id="iam.password_policy",
        what="password policy of the account",
        names=(),
        look="GetAccountPasswordPolicy",
        look_names=(),
        present="answer.PasswordPolicy",
        remove=Remove("DeleteAccountPasswordPolicy", ()),
        put="UpdateAccountPasswordPolicy",
        was=f"answer.PasswordPolicy.{{{_PASSWORD_POLICY}}}",
    ),
    *map(_inline_kind, _OWNERS),
    *map(_attachment_kind, _OWNERS),
    *map(_boundary_kind, ("User", "Role")),
    Kind(
        id="cloudformation.stack",
        what="CloudFormation stack {StackName}",
        names=("StackName",),
        look="DescribeStacks",
        look_names=("StackName",),
        present="answer.Stacks[?StackStatus != 'DELETE_COMPLETE']",
        remove=Remove("DeleteStack", ("StackName",)),
        tags="answer.Stacks[0].Tags",
        identity="answer.StackId || answer.Stacks[0].StackId",
        guarded="answer.Stacks[0].EnableTerminationProtection",
        unguard=(
            "aws cloudformation update-termination-protection --no-enable-termination-protection"
            " --stack-name {StackName} --profile {identity}"
        ),
    ),
    Kind(
        id="s3.bucket",
        what="S3 bucket {Bucket}",
        names=("Bucket",),
        look="HeadBucket",
        look_names=("Bucket",),
        present="`true`",
        remove=Remove("DeleteBucket", ("Bucket",)),
        tagging="GetBucketTagging",
        tagging_names=("Bucket",),
        tags="answer.TagSet",
        children=children.BUCKET,
        resource_type="AWS::S3::Bucket",
        by_hand="aws s3 rb s3://{Bucket} --force --profile {identity}",
    ),
    Kind(
        id="s3.object",
        what="object {Key} in bucket {Bucket}",
        names=("Bucket", "Key"),
        look="HeadObject",
        look_names=("Bucket", "Key"),
        present="`true`",
        remove=Remove("DeleteObject", ("Bucket", "Key")),
        parent="s3.bucket",
        parent_names=("Bucket",),
    ),
    Kind(
        id="s3.bucket_policy",
        what="policy of bucket {Bucket}",
        names=("Bucket",),
        look="GetBucketPolicy",
        look_names=("Bucket",),
        present="answer.Policy",
        remove=Remove("DeleteBucketPolicy", ("Bucket",)),
        parent="s3.bucket",
        parent_names=("Bucket",),
    ),
)

KINDS: Mapping[str, Kind] = {kind.id: kind for kind in _KINDS}
BY_RESOURCE_TYPE: Mapping[str, Kind] = {k.resource_type: k for k in _KINDS if k.resource_type}
BY_SETTING: Mapping[str, Kind] = {
    f"{k.service}.{operation}": k
    for k in _KINDS
    for operation in (k.put, k.remove.operation)
    if k.put
}
"""The settings of the whole account, by the operations that change them."""
BY_REMOVAL: Mapping[str, Kind] = {f"{k.service}.{k.remove.operation}": k for k in _KINDS}
