"""What services decide differently: a table of rules, each documented by its service."""

import re
from typing import Final

from stslab.policy.principal import PrincipalKind
from stslab.policy.reading import Question

_UNCONTROLLED: Final = {
    # "GetCallerIdentity", AWS STS API reference: no permissions are required, and an
    # explicit deny does not take the permission away.
    "sts:getcalleridentity": frozenset(PrincipalKind) - {PrincipalKind.ANONYMOUS},
    # "Permissions for GetSessionToken": policies can't control authentication operations.
    "sts:getsessiontoken": frozenset({PrincipalKind.USER, PrincipalKind.ROOT}),
}

# "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy", Amazon S3 API reference: the
# owner's root user can do these though the bucket policy denies it.
_ROOT_RECOVERS: Final = frozenset(
    {"s3:getbucketpolicy", "s3:putbucketpolicy", "s3:deletebucketpolicy"}
)

# "Resource control policies (RCPs)", "List of AWS services that support RCPs" (2026).
_SERVICES_WITH_RCPS: Final = """
    aoss appconfig appstream autoscaling autoscaling-plans budgets clouddirectory cloudfront
    cloudsearch cloudtrail-data codeartifact codebuild codecommit codepipeline cognito-identity
    cognito-idp comprehend comprehendmedical compute-optimizer cost-optimization-hub dax dsql
    dynamodb ecr ecr-public events firehose fis fms gamelift health inspector-scan kendra
    kinesisvideo kms logs memorydb networkmonitor notifications opensearch pca-connector-ad
    personalize polly pricing resource-groups rolesanywhere s3 secretsmanager servicediscovery
    signin sqs sts support swf textract timestream-influxdb transcribe transfer translate wafv2
    workspaces xray
"""
_RESOURCE_CONTROLLED: Final = frozenset(_SERVICES_WITH_RCPS.split())

_RESERVED: Final = {
    # "Managed policies and inline policies": only AWS changes the policies that it manages.
    r"arn:[^:]+:iam::aws:policy/.*": """
        iam:createpolicy iam:createpolicyversion iam:deletepolicy iam:deletepolicyversion
        iam:setdefaultpolicyversion iam:tagpolicy iam:untagpolicy
    """,
    # "IAM Identity Center", "Roles that IAM Identity Center creates": they can't be changed.
    r"arn:[^:]+:iam::[^:]*:role/aws-reserved/.*": """
        iam:attachrolepolicy iam:createrole iam:createservicelinkedrole iam:deleterole
        iam:deleterolepermissionsboundary iam:deleterolepolicy iam:deleteservicelinkedrole
        iam:detachrolepolicy iam:passrole iam:putrolepermissionsboundary iam:putrolepolicy
        iam:tagrole iam:untagrole iam:updateassumerolepolicy iam:updaterole
        iam:updateroledescription
    """,
    # "CreateAlias", AWS KMS API reference: the prefix alias/aws/ is reserved for AWS.
    r"arn:[^:]+:kms:[^:]*:[^:]*:alias/aws/.*": "kms:createalias kms:deletealias kms:updatealias",
}
_RESERVED_BY_ACTION: Final = {
    action: re.compile(resource)
    for resource, actions in _RESERVED.items()
    for action in actions.split()
}


def needs_no_permission(question: Question) -> bool:
    """Whether no policy can allow or deny the action."""
    kinds = _UNCONTROLLED.get(question.action)
    return kinds is not None and question.request.principal.kind in kinds


def is_trust(question: Question) -> bool:
    """Whether the resource is a role, and its resource-based policy the role's trust policy."""
    arn = question.arn
    return arn is not None and arn.is_role and question.action.startswith("sts:")


def resource_policy_must_allow(question: Question) -> bool:
    """Whether access needs a resource-based policy even within one account.

    "Policy evaluation logic": role trust policies and KMS key policies are the exceptions.
    """
    arn = question.arn
    is_key = arn is not None and arn.service == "kms" and arn.resource.startswith("key/")
    return is_key or is_trust(question)


def root_overrides(question: Question) -> bool:
    """Whether the resource-based policy's Deny does not bind its account's root user."""
    is_root = question.request.principal.kind is PrincipalKind.ROOT
    return is_root and question.action in _ROOT_RECOVERS


def exempt_from_resource_control(question: Question) -> bool:
    """What resource control policies can't restrict ("Resource control policies (RCPs)").

    Actions without a resource are not among "Resources and entities not restricted by RCPs", and
    "Resource control policy examples" denies such as sts:GetAccessKeyInfo. They have no part in
    a service-linked role's trust policy, by which its service has it.
    """
    principal, arn = question.request.principal, question.arn
    return (
        principal.service_linked
        or question.action.partition(":")[0] not in _RESOURCE_CONTROLLED
        or question.action == "kms:retiregrant"
        or (
            principal.kind is PrincipalKind.SERVICE
            and is_trust(question)
            and arn is not None
            and arn.resource.startswith("role/aws-service-role/")
        )
    )


def forbidden(question: Question) -> str:
    """Why AWS refuses what every policy allows, or ``""``."""
    request, arn = question.request, question.arn
    principal = request.principal
    if question.action == "sts:assumerole" and principal.kind is PrincipalKind.ROOT:
        # "AssumeRole", AWS STS API reference.
        return "roles may not be assumed by root accounts"
    if arn and principal.member and not principal.arn.startswith(f"arn:{arn.partition}:"):
        # "How IAM roles differ from resource-based policies": only within one partition.
        return f"{request.resource} is in another partition than {principal.arn}"
    reserved = _RESERVED_BY_ACTION.get(question.action)
    return (
        f"{request.resource} is managed by AWS"
        if reserved and reserved.fullmatch(request.resource)
        else ""
    )
