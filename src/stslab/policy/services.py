"""What services decide differently: a table of rules, each documented by its service."""

import re
from typing import Final

from stslab.policy import arn as arns
from stslab.policy.context import Request
from stslab.policy.principal import PrincipalKind
from stslab.policy.reading import Question

_STS: Final = "sts:"
_KMS: Final = "kms:"

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


_RESERVED: Final = (
    # "Managed policies and inline policies": only AWS changes the policies that it manages.
    (
        re.compile(r"arn:[^:]+:iam::aws:policy/.*"),
        frozenset(
            {
                "iam:createpolicy",
                "iam:createpolicyversion",
                "iam:deletepolicy",
                "iam:deletepolicyversion",
                "iam:setdefaultpolicyversion",
                "iam:tagpolicy",
                "iam:untagpolicy",
            }
        ),
    ),
    # "CreateAlias", AWS KMS API reference: the prefix alias/aws/ is reserved for AWS.
    (
        re.compile(r"arn:[^:]+:kms:[^:]*:[^:]*:alias/aws/.*"),
        frozenset({"kms:createalias", "kms:deletealias", "kms:updatealias"}),
    ),
)


def needs_no_permission(request: Request, action: str) -> bool:
    """Whether no policy can allow or deny ``action`` (lower case)."""
    return request.principal.kind in _UNCONTROLLED.get(action, ())


def is_trust(request: Request, action: str) -> bool:
    """Whether the resource is a role, and its resource-based policy the role's trust policy."""
    if not action.startswith(_STS):
        return False
    arn = arns.split(request.resource)
    return arn is not None and arn.service == "iam" and arn.resource.startswith("role/")


def resource_policy_must_allow(question: Question) -> bool:
    """Whether access needs a resource-based policy even within one account.

    "Policy evaluation logic": role trust policies and KMS key policies are the exceptions.
    """
    request, action = question.request, question.action
    if action.startswith(_KMS):
        arn = arns.split(request.resource)
        return arn is not None and arn.service == "kms" and arn.resource.startswith("key/")
    return is_trust(request, action)


def root_overrides(question: Question, *, same_account: bool) -> bool:
    """Whether the resource-based policy's Deny does not bind the account's root user."""
    is_root = question.request.principal.kind is PrincipalKind.ROOT
    return same_account and is_root and question.action in _ROOT_RECOVERS


def exempt_from_resource_control(question: Question) -> bool:
    """What resource control policies can't restrict ("Resource control policies (RCPs)")."""
    linked = question.request.principal.service_linked
    return linked or question.action == "kms:retiregrant"


def forbidden(question: Question) -> str:
    """Why AWS refuses what every policy allows, or ``""``."""
    request = question.request
    if question.action == "sts:assumerole" and request.principal.kind is PrincipalKind.ROOT:
        # "AssumeRole", AWS STS API reference.
        return "roles may not be assumed by root accounts"
    for resource, actions in _RESERVED:
        if question.action in actions and resource.fullmatch(request.resource):
            return f"{request.resource} is managed by AWS"
    return ""
