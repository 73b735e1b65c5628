"""Which operations change what: the rules that a changing call must keep.

A call may change only what is the run's own. Each rule says where a call's parameters, or a
resource's properties, name something (JMESPath), and what that must be;
:mod:`stslab.kinds.own` judges by them. What has no row here is refused. Sources: the pages of the
operations in the API references of IAM, STS, Amazon S3 and CloudFormation, and the
"Resource type reference" of CloudFormation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Must(StrEnum):
    """What the value that a rule finds must be."""

    OWN = "own"
    """It names a thing of the rule's kind that is the run's own."""
    NEW = "new"
    """It names a new thing of the rule's kind: the name holds the run's id."""
    TAGGED = "tagged"
    """It is a list of tags with the run's own among them."""
    UNTAGGED = "untagged"
    """It names no tag by which the run knows its things, or gives it the run's value."""
    ATTACHED = "attached"
    """It is the ARN of a managed policy: the run's own, or AWS's."""
    ROLE = "role"
    """It is a role: the run's own, or one that the lab declares."""
    TRUST = "trust"
    """It is a policy that lets in nobody whom the lab may not let in."""
    RIGHTS = "rights"
    """It is a policy of the run's own; wide ones are told."""
    PRIVATE = "private"
    """It is an access control list that lets in nobody else."""
    SOURCE = "source"
    """It is what an object is copied from: the run's own bucket."""
    TEMPLATE = "template"
    """It is a template, whose resources keep the rules of their types."""
    NAME = "name"
    """It is a name, no ARN."""
    ABSENT = "absent"
    """It is not there: what it leads to can't be judged, or undone."""
    EMBEDDED = "embedded"
    """It belongs to the whole account: on the embedded account only."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``needed``: what it looks for must be there.

    ``implied``: a user that is left out is the one that calls. ``either`` are rules of which
    one must hold. ``says`` is why something must be absent.
    """

    must: Must
    where: str = ""
    kind: str = ""
    needed: bool = False
    implied: bool = False
    either: tuple["Rule", ...] = ()
    says: str = ""


Rules = tuple[Rule, ...]


def _own(kind: str, where: str) -> Rule:
    return Rule(Must.OWN, where, kind, needed=True)


def _if_named(kind: str, where: str) -> Rule:
    return Rule(Must.OWN, where, kind)


def _new(kind: str, where: str) -> Rule:
    return Rule(Must.NEW, where, kind, needed=True)


def _either(*rules: Rule) -> Rule:
    return Rule(Must.OWN, either=rules)


def _absent(where: str, says: str) -> Rule:
    return Rule(Must.ABSENT, where, says=says)


def _tagged(where: str) -> Rule:
    return Rule(Must.TAGGED, where, needed=True)


def _attached(where: str) -> Rule:
    return Rule(Must.ATTACHED, where)


def _role(where: str) -> Rule:
    return Rule(Must.ROLE, where)


def _trust(where: str) -> Rule:
    return Rule(Must.TRUST, where)


def _rights(where: str) -> Rule:
    return Rule(Must.RIGHTS, where)


_NAMES = {
    "User": ("iam.user", "UserName"),
    "Role": ("iam.role", "RoleName"),
    "Group": ("iam.group", "GroupName"),
    "InstanceProfile": ("iam.instance_profile", "InstanceProfileName"),
    "Policy": ("iam.policy", "PolicyArn"),
    "MFADevice": ("iam.mfa_device", "SerialNumber"),
    "OpenIDConnectProvider": ("iam.oidc_provider", "OpenIDConnectProviderArn"),
    "SAMLProvider": ("iam.saml_provider", "SAMLProviderArn"),
}
_OF = {word: _own(*row) for word, row in _NAMES.items()}
_OWNERS = ("User", "Role", "Group")
_USER, _ROLE, _GROUP, _PROFILE = (_OF[word] for word in (*_OWNERS, "InstanceProfile"))
_POLICY, _MFA = _OF["Policy"], _OF["MFADevice"]
_CALLER = Rule(Must.OWN, "UserName", "iam.user", needed=True, implied=True)
_RENAMED = "what is renamed is not found again by its name"
_WHOLE_ACCOUNT = (Rule(Must.EMBEDDED),)
_BOUNDARY = _attached("PermissionsBoundary")

_IAM: dict[str, Rules] = {
    "AddClientIDToOpenIDConnectProvider": (_OF["OpenIDConnectProvider"],),
    "AddRoleToInstanceProfile": (_PROFILE, _ROLE),
    "AddUserToGroup": (_USER, _GROUP),
    "CreateAccessKey": (_CALLER,),
    "CreateAccountAlias": _WHOLE_ACCOUNT,
    "CreateGroup": (_new("iam.group", "GroupName"),),
    "CreateInstanceProfile": (
        _new("iam.instance_profile", "InstanceProfileName"),
        _tagged("Tags"),
    ),
    "CreateLoginProfile": (_CALLER,),
    "CreateOpenIDConnectProvider": (_tagged("Tags"),),
    "CreatePolicy": (_new("iam.policy", "PolicyName"), _tagged("Tags"), _rights("PolicyDocument")),
    "CreatePolicyVersion": (_POLICY, _rights("PolicyDocument")),
    "CreateRole": (
        _new("iam.role", "RoleName"),
        _tagged("Tags"),
        _BOUNDARY,
        _trust("AssumeRolePolicyDocument"),
    ),
    "CreateSAMLProvider": (_new("iam.saml_provider", "Name"), _tagged("Tags")),
    "CreateServiceLinkedRole": _WHOLE_ACCOUNT,
    "CreateUser": (_new("iam.user", "UserName"), _tagged("Tags"), _BOUNDARY),
    "CreateVirtualMFADevice": (_new("iam.mfa_device", "VirtualMFADeviceName"), _tagged("Tags")),
    "DeactivateMFADevice": (_either(_CALLER, _MFA),),
    "DeleteAccessKey": (_CALLER,),
    "DeleteAccountAlias": _WHOLE_ACCOUNT,
    "DeleteAccountPasswordPolicy": _WHOLE_ACCOUNT,
    "DeleteGroup": (_GROUP,),
    "DeleteInstanceProfile": (_PROFILE,),
    "DeleteLoginProfile": (_CALLER,),
    "DeleteOpenIDConnectProvider": (_OF["OpenIDConnectProvider"],),
    "DeletePolicy": (_POLICY,),
    "DeletePolicyVersion": (_POLICY,),
    "DeleteRole": (_ROLE,),
    "DeleteSAMLProvider": (_OF["SAMLProvider"],),
    "DeleteSSHPublicKey": (_USER,),
    "DeleteServiceLinkedRole": (*_WHOLE_ACCOUNT, _own("iam.service_linked_role", "RoleName")),
    "DeleteServiceSpecificCredential": (_CALLER,),
    "DeleteSigningCertificate": (_CALLER,),
    "DeleteUser": (_USER,),
    "DeleteVirtualMFADevice": (_MFA,),
    "EnableMFADevice": (_USER, _MFA),
    "RemoveClientIDFromOpenIDConnectProvider": (_OF["OpenIDConnectProvider"],),
    "RemoveRoleFromInstanceProfile": (_either(_PROFILE, _ROLE),),
    "RemoveUserFromGroup": (_either(_USER, _GROUP),),
    "ResyncMFADevice": (_USER, _MFA),
    "SetDefaultPolicyVersion": (_POLICY,),
    "UpdateAccessKey": (_CALLER,),
    "UpdateAccountPasswordPolicy": _WHOLE_ACCOUNT,
    "UpdateAssumeRolePolicy": (_ROLE, _trust("PolicyDocument")),
    "UpdateGroup": (_GROUP, _absent("NewGroupName", _RENAMED)),
    "UpdateLoginProfile": (_USER,),
    "UpdateOpenIDConnectProviderThumbprint": (_OF["OpenIDConnectProvider"],),
    "UpdateRole": (_ROLE,),
    "UpdateRoleDescription": (_ROLE,),
    "UpdateSAMLProvider": (_OF["SAMLProvider"],),
    "UpdateUser": (_USER, _absent("NewUserName", _RENAMED)),
    **{f"Put{one}Policy": (_OF[one], _rights("PolicyDocument")) for one in _OWNERS},
    **{f"Delete{one}Policy": (_OF[one],) for one in _OWNERS},
    **{f"Attach{one}Policy": (_OF[one], _attached("PolicyArn")) for one in _OWNERS},
    **{f"Detach{one}Policy": (_either(_OF[one], _POLICY),) for one in _OWNERS},
    **{f"Put{one}PermissionsBoundary": (_OF[one], _BOUNDARY) for one in ("User", "Role")},
    **{f"Delete{one}PermissionsBoundary": (_OF[one],) for one in ("User", "Role")},
    **{
        f"{verb}{word}": (_OF[word], Rule(Must.UNTAGGED, where))
        for word in _NAMES
        if word != "Group"
        for verb, where in (("Tag", "Tags"), ("Untag", "TagKeys"))
    },
}

_STS: dict[str, Rules] = {
    "AssumeRole": (_role("RoleArn"),),
    "AssumeRoleWithSAML": (_role("RoleArn"),),
    "AssumeRoleWithWebIdentity": (_role("RoleArn"),),
    "AssumeRoot": (_absent("TargetPrincipal", "it would act as the root of an account"),),
    # They hand out credentials of who calls, and change nothing.
    "GetFederationToken": (),
    "GetSessionToken": (),
}

_BUCKET = _own("s3.bucket", "Bucket")
_FOR_GOOD = "nobody could delete the object before its time, and so nothing could undo it"
_SENT = "what happens in the bucket would be sent to another service"
_TO_OTHERS = (
    Rule(Must.PRIVATE, "ACL"),
    Rule(
        Must.PRIVATE,
        "[GrantFullControl, GrantRead, GrantReadACP, GrantWrite, GrantWriteACP][]",
    ),
    Rule(Must.PRIVATE, "AccessControlPolicy.Grants[].Grantee"),
)
_KEPT = _absent("[@][?ObjectLockMode == 'COMPLIANCE'].ObjectLockMode", _FOR_GOOD)
_SOURCE = Rule(Must.SOURCE, "CopySource", needed=True)

_ON_A_BUCKET = """
    AbortMultipartUpload CompleteMultipartUpload DeleteBucket DeleteBucketCors
    DeleteBucketEncryption DeleteBucketLifecycle DeleteBucketOwnershipControls DeleteBucketPolicy
    DeleteBucketReplication DeleteBucketWebsite DeleteObject DeleteObjectTagging DeleteObjects
    DeletePublicAccessBlock PutBucketAccelerateConfiguration PutBucketCors PutBucketEncryption
    PutBucketLifecycleConfiguration PutBucketOwnershipControls PutBucketVersioning
    PutBucketWebsite PutObjectLegalHold PutObjectTagging PutPublicAccessBlock UploadPart
"""
_S3: dict[str, Rules] = {
    **dict.fromkeys(_ON_A_BUCKET.split(), (_BUCKET,)),
    "CopyObject": (_BUCKET, _SOURCE, _KEPT, *_TO_OTHERS),
    "CreateBucket": (
        _new("s3.bucket", "Bucket"), _tagged("CreateBucketConfiguration.Tags"), *_TO_OTHERS,
    ),
    "CreateMultipartUpload": (_BUCKET, _KEPT, *_TO_OTHERS),
    "DeleteBucketTagging": (
        _BUCKET, _absent("Bucket", "the run knows its bucket by its tag"),
    ),
    "PutBucketAcl": (_BUCKET, *_TO_OTHERS),
    "PutBucketInventoryConfiguration": (
        _BUCKET,
        _if_named("s3.bucket", "InventoryConfiguration.Destination.S3BucketDestination.Bucket"),
    ),
    "PutBucketLogging": (
        _BUCKET,
        _if_named("s3.bucket", "BucketLoggingStatus.LoggingEnabled.TargetBucket"),
        Rule(Must.PRIVATE, "BucketLoggingStatus.LoggingEnabled.TargetGrants[].Grantee"),
    ),
    "PutBucketNotificationConfiguration": (
        _BUCKET,
        _absent(
            "NotificationConfiguration.[TopicConfigurations, QueueConfigurations,"
            " LambdaFunctionConfigurations][][]",
            _SENT,
        ),
    ),
    "PutBucketPolicy": (_BUCKET, _trust("Policy")),
    "PutBucketReplication": (
        _BUCKET,
        _role("ReplicationConfiguration.Role"),
        _if_named("s3.bucket", "ReplicationConfiguration.Rules[].Destination.Bucket"),
    ),
    "PutBucketTagging": (_BUCKET, _tagged("Tagging.TagSet")),
    "PutObject": (_BUCKET, _KEPT, *_TO_OTHERS),
    "PutObjectAcl": (_BUCKET, *_TO_OTHERS),
    "PutObjectLockConfiguration": (
        _BUCKET,
        _absent(
            "ObjectLockConfiguration.Rule.DefaultRetention | [@][?Mode == 'COMPLIANCE'].Mode",
            _FOR_GOOD,
        ),
    ),
    "PutObjectRetention": (
        _BUCKET, _absent("[Retention][?Mode == 'COMPLIANCE'].Mode", _FOR_GOOD),
    ),
    "RestoreObject": (
        _BUCKET, _if_named("s3.bucket", "RestoreRequest.OutputLocation.S3.BucketName"),
    ),
    "UploadPartCopy": (_BUCKET, _SOURCE),
}  # fmt: skip

_STACK = _own("cloudformation.stack", "StackName")
_UNSEEN = "what stands there can't be judged: write it into the lab"
_IMPORTED = "what it imports is not the run's"
_SERVICE_ROLE = _role("RoleARN")
_DEPLOYS = (
    Rule(Must.TEMPLATE, "TemplateBody", needed=True),
    _SERVICE_ROLE,
    _absent("TemplateURL", _UNSEEN),
    _absent("UsePreviousTemplate", _UNSEEN),
    _absent("Parameters[].UsePreviousValue", _UNSEEN),
    _absent("StackPolicyURL", _UNSEEN),
    _absent("StackPolicyDuringUpdateURL", _UNSEEN),
    _absent("NotificationARNs[]", "what happens to the stack would be sent to another service"),
    _absent("ResourcesToImport[]", _IMPORTED),
    _absent("ImportExistingResources", _IMPORTED),
)
_NEW_STACK = (_new("cloudformation.stack", "StackName"), _tagged("Tags"), *_DEPLOYS)
_CHANGED_STACK = (_STACK, Rule(Must.TAGGED, "Tags"), *_DEPLOYS)
_CHANGE_SET = Rule(Must.NAME, "ChangeSetName", needed=True)

_CLOUDFORMATION: dict[str, Rules] = {
    "CancelUpdateStack": (_STACK,),
    "ContinueUpdateRollback": (_STACK, _SERVICE_ROLE),
    "CreateChangeSet": (*_CHANGED_STACK, _CHANGE_SET),
    "CreateChangeSet CREATE": (*_NEW_STACK, _CHANGE_SET),
    "CreateChangeSet IMPORT": (_absent("StackName", _IMPORTED),),
    "CreateStack": _NEW_STACK,
    "DeleteChangeSet": (_STACK, _CHANGE_SET),
    "DeleteStack": (_STACK, _SERVICE_ROLE),
    "ExecuteChangeSet": (_STACK, _CHANGE_SET),
    "RollbackStack": (_STACK, _SERVICE_ROLE),
    "SetStackPolicy": (_STACK, _absent("StackPolicyURL", _UNSEEN)),
    "UpdateStack": _CHANGED_STACK,
    "UpdateTerminationProtection": (_STACK,),
}

_TABLES = {"iam": _IAM, "sts": _STS, "s3": _S3, "cloudformation": _CLOUDFORMATION}
CHANGES: Mapping[str, Rules] = {
    f"{service}.{name}": rules
    for service, table in _TABLES.items()
    for name, rules in table.items()
}
"""The rules of each changing operation; with a change set's type, where it has rules of its own."""


def _owners() -> Rules:
    return (
        _if_named("iam.user", "[Users][]"),
        _if_named("iam.role", "[Roles][]"),
        _if_named("iam.group", "[Groups][]"),
    )


def _named(kind: str, where: str) -> Rule:
    """CloudFormation makes a name where none is given, from the stack's."""
    return Rule(Must.NEW, where, kind)


# A list of one may be written without its brackets, which `[Users][]` finds too.
_INLINE = _rights("[Policies][].PolicyDocument")
_MANAGED = _attached("[ManagedPolicyArns][]")
RESOURCES: Mapping[str, Rules] = {
    "AWS::CloudFormation::WaitCondition": (),
    "AWS::CloudFormation::WaitConditionHandle": (),
    "AWS::IAM::AccessKey": (_own("iam.user", "UserName"),),
    "AWS::IAM::Group": (_named("iam.group", "GroupName"), _MANAGED, _INLINE),
    "AWS::IAM::GroupPolicy": (_own("iam.group", "GroupName"), _rights("PolicyDocument")),
    "AWS::IAM::InstanceProfile": (
        _named("iam.instance_profile", "InstanceProfileName"),
        _if_named("iam.role", "[Roles][]"),
    ),
    "AWS::IAM::ManagedPolicy": (
        _named("iam.policy", "ManagedPolicyName"), *_owners(), _rights("PolicyDocument"),
    ),
    "AWS::IAM::OIDCProvider": (),
    "AWS::IAM::Policy": (*_owners(), _rights("PolicyDocument")),
    "AWS::IAM::Role": (
        _named("iam.role", "RoleName"),
        _trust("AssumeRolePolicyDocument"),
        _MANAGED,
        _BOUNDARY,
        _INLINE,
    ),
    "AWS::IAM::RolePolicy": (_own("iam.role", "RoleName"), _rights("PolicyDocument")),
    "AWS::IAM::SAMLProvider": (_named("iam.saml_provider", "Name"),),
    "AWS::IAM::User": (
        _named("iam.user", "UserName"),
        _if_named("iam.group", "[Groups][]"),
        _MANAGED,
        _BOUNDARY,
        _INLINE,
    ),
    "AWS::IAM::UserPolicy": (_own("iam.user", "UserName"), _rights("PolicyDocument")),
    "AWS::IAM::UserToGroupAddition": (
        _own("iam.group", "GroupName"), _own("iam.user", "[Users][]"),
    ),
    "AWS::IAM::VirtualMFADevice": (
        _named("iam.mfa_device", "VirtualMfaDeviceName"), _if_named("iam.user", "[Users][]"),
    ),
    "AWS::S3::Bucket": (
        _named("s3.bucket", "BucketName"),
        Rule(Must.PRIVATE, "AccessControl"),
        _role("ReplicationConfiguration.Role"),
        _if_named("s3.bucket", "[ReplicationConfiguration.Rules][].Destination.Bucket"),
        _if_named("s3.bucket", "LoggingConfiguration.DestinationBucketName"),
        _if_named("s3.bucket", "[InventoryConfigurations][].Destination.BucketArn"),
        _if_named(
            "s3.bucket",
            "[AnalyticsConfigurations][].StorageClassAnalysis.DataExport.Destination.BucketArn",
        ),
        _absent(
            "NotificationConfiguration.[TopicConfigurations, QueueConfigurations,"
            " LambdaConfigurations][][]",
            _SENT,
        ),
        _absent(
            "ObjectLockConfiguration.Rule.DefaultRetention | [@][?Mode == 'COMPLIANCE'].Mode",
            _FOR_GOOD,
        ),
        _absent("[MetadataTableConfiguration, MetadataConfiguration]", _SENT),
    ),
    "AWS::S3::BucketPolicy": (_own("s3.bucket", "Bucket"), _trust("PolicyDocument")),
}  # fmt: skip
"""The rules of each type of resource that costs nothing, over its properties."""

HOME = frozenset(_TABLES)
"""The services that stslab knows: those of the embedded account."""

_READS_AT_HOME = (
    "Decode", "Describe", "Detect", "Estimate", "Generate", "Get", "Head", "List", "Select",
    "Simulate", "Validate",
)  # fmt: skip
_READS = ("BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Query", "Scan", "Search")


def changes(call: str) -> bool:
    """Whether a call (``service.Operation``) may change something, or hand out a role."""
    service, _, operation = call.partition(".")
    reads = _READS_AT_HOME if service in HOME else _READS
    return call in CHANGES or not operation.startswith(reads)
