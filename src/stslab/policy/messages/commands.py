"""The aws commands that show what refused, with the names of the message filled in.

They read, and change nothing. Where a name was blacked out or has a wildcard there is none.
"""

import re
from collections.abc import Mapping
from shlex import quote
from typing import Final

from stslab.policy import arn as arns

WHO: Final = "aws sts get-caller-identity"
DECODE: Final = (
    'aws sts decode-authorization-message --encoded-message "$(cat encoded.txt)" '
    "--query DecodedMessage --output text"
)
ENDPOINTS: Final = (
    "aws ec2 describe-vpc-endpoints "
    "--query 'VpcEndpoints[].[VpcEndpointId,ServiceName,PolicyDocument]'"
)
ISSUERS: Final = "aws iam list-open-id-connect-providers"
ORGANIZATION: Final = "aws organizations describe-organization"
SAML_PROVIDERS: Final = "aws iam list-saml-providers"

# "IAM and AWS STS quotas": the characters of IAM's names, and of S3's buckets.
_NAME: Final = r"[\w+=,.@-]{1,128}"
_OWNER: Final = re.compile(r"arn:[^:]*:(?:iam|sts)::[^:]*:(user|role|assumed-role)/(.*)", re.DOTALL)
_BUCKET: Final = re.compile(r"arn:[^:]*:s3:::([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/.*)?", re.DOTALL)
_ORGANIZATIONS_POLICY: Final = re.compile(r"arn:[^:]*:organizations::.*/(p-[a-zA-Z0-9]{4,128})")
_MANAGED_POLICY: Final = re.compile(r"arn:aws[a-z-]*:iam::(?:\d{12}|aws):policy/[\w+=,.@/-]{1,600}")
_WHOLE: Final = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(?:\d{12})?:[^\s*?<>]{1,1024}")
_ACTION: Final = re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+", re.IGNORECASE)

# By the service of the resource's ARN: {arn} is the ARN, {name} its last part.
_RESOURCE_POLICIES: Final[Mapping[str, str]] = {
    "dynamodb": "aws dynamodb get-resource-policy --resource-arn {arn}",
    "ecr": "aws ecr get-repository-policy --repository-name {path}",
    "kms": "aws kms get-key-policy --key-id {arn} --policy-name default --output text",
    "lambda": "aws lambda get-policy --function-name {arn} --query Policy --output text",
    "secretsmanager": (
        "aws secretsmanager get-resource-policy --secret-id {arn} "
        "--query ResourcePolicy --output text"
    ),
    "sns": "aws sns get-topic-attributes --topic-arn {arn} --query Attributes.Policy",
    "sqs": (
        "aws sqs get-queue-attributes --attribute-names Policy --queue-url "
        "$(aws sqs get-queue-url --queue-name {name} --query QueueUrl --output text)"
    ),
}


def owner(caller: str) -> tuple[str, str]:
    """``("user", name)`` or ``("role", name)``, whose policies the caller has; or two blanks."""
    found = _OWNER.fullmatch(caller)
    if not found:
        return "", ""
    kind, path = found.groups()
    name = path.partition("/")[0] if kind == "assumed-role" else path.rpartition("/")[2]
    return ("user" if kind == "user" else "role", name) if re.fullmatch(_NAME, name) else ("", "")


def identity_policies(caller: str) -> tuple[str, ...]:
    """What is attached to the caller, and what stands in it."""
    kind, name = owner(caller)
    if not kind:
        return ()
    option = f"--{kind}-name {quote(name)}"
    groups = (f"aws iam list-groups-for-user {option}",) if kind == "user" else ()
    return (
        f"aws iam list-attached-{kind}-policies {option}",
        f"aws iam list-{kind}-policies {option}",
        *groups,
    )


def boundary(caller: str) -> tuple[str, ...]:
    """The permissions boundary of the caller."""
    kind, name = owner(caller)
    if not kind:
        return ()
    what = f"{kind.title()}.PermissionsBoundary"
    return (f"aws iam get-{kind} --{kind}-name {quote(name)} --query {what}",)


def trust(role: str) -> tuple[str, ...]:
    """The trust policy of a role."""
    kind, name = owner(role)
    if kind != "role":
        return ()
    return (f"aws iam get-role --role-name {quote(name)} --query Role.AssumeRolePolicyDocument",)


def simulation(caller: str, action: str, resource: str) -> tuple[str, ...]:
    """What the caller's own policies and its boundary decide."""
    kind, name = owner(caller)
    if not kind or not _ACTION.fullmatch(action):
        return ()
    source = quote(caller)
    if ":iam:" not in caller or not _WHOLE.fullmatch(caller):
        source = f"$({_own_arn(kind, name)})"  # a session's ARN lacks the path of its role
    on = f" --resource-arns {quote(resource)}" if _WHOLE.fullmatch(resource) else ""
    command = (
        f"aws iam simulate-principal-policy --policy-source-arn {source} "
        f"--action-names {action}{on} --query 'EvaluationResults[].EvalDecision'"
    )
    return (command,)


def _own_arn(kind: str, name: str) -> str:
    return (
        f"aws iam get-{kind} --{kind}-name {quote(name)} --query {kind.title()}.Arn --output text"
    )


def policy_document(policy: str) -> tuple[str, ...]:
    """The document of the policy that a message names."""
    if found := _ORGANIZATIONS_POLICY.fullmatch(policy):
        read = "--query Policy.Content --output text"
        return (f"aws organizations describe-policy --policy-id {found[1]} {read}",)
    if not _MANAGED_POLICY.fullmatch(policy):
        return ()
    default = "--query Policy.DefaultVersionId --output text"
    version = f"$(aws iam get-policy --policy-arn {policy} {default})"
    return (f"aws iam get-policy-version --policy-arn {policy} --version-id {version}",)


def organization_policies(account: str, kind: str) -> tuple[str, ...]:
    """The SCPs or RCPs (``kind``: SERVICE or RESOURCE) that are attached to the account itself."""
    if not arns.ACCOUNT.fullmatch(account):
        return ()
    listing = "aws organizations list-policies-for-target"
    return (f"{listing} --target-id {account} --filter {kind}_CONTROL_POLICY",)


def resource_policy(resource: str) -> tuple[str, ...]:
    """The policy of the resource itself."""
    if found := _BUCKET.fullmatch(resource):
        return (f"aws s3api get-bucket-policy --bucket {found[1]} --query Policy --output text",)
    arn = arns.split(resource)
    if not arn or arn.service not in _RESOURCE_POLICIES or not _WHOLE.fullmatch(resource):
        return ()
    name, path = re.split("[:/]", arn.resource)[-1], arn.resource.partition("/")[2]
    command = _RESOURCE_POLICIES[arn.service].format(
        arn=quote(resource), name=quote(name), path=quote(path)
    )
    return (f"{command} --region {arn.region}" if arn.region else command,)


def public_access(resource: str) -> tuple[str, ...]:
    """The bucket's own settings of S3 Block Public Access."""
    found = _BUCKET.fullmatch(resource)
    return (f"aws s3api get-public-access-block --bucket {found[1]}",) if found else ()


def event(operation: str) -> tuple[str, ...]:
    """What CloudTrail has of the latest calls of the operation."""
    if not re.fullmatch(r"[A-Z]\w{1,100}", operation):
        return ()
    by_name = f"AttributeKey=EventName,AttributeValue={operation}"
    return (f"aws cloudtrail lookup-events --max-results 5 --lookup-attributes {by_name}",)
