"""Why a resource failed, in the words of CloudFormation's resource handlers.

CloudFormation CLI User Guide, "Handler error codes".
"""

from __future__ import annotations

import uuid

from stslab.sandbox.cloudformation.resources.work import Refused

GENERAL = "GeneralServiceException"
CODES = {
    "AccessDenied": "AccessDenied",
    "BucketAlreadyExists": "AlreadyExists",
    "BucketAlreadyOwnedByYou": "AlreadyExists",
    "ConcurrentModification": "ResourceConflict",
    "DeleteConflict": "ResourceConflict",
    "EntityAlreadyExists": "AlreadyExists",
    "ExpiredToken": "InvalidCredentials",
    "InvalidClientTokenId": "InvalidCredentials",
    "InvalidInput": "InvalidRequest",
    "LimitExceeded": "ServiceLimitExceeded",
    "MalformedPolicy": "InvalidRequest",
    "MalformedPolicyDocument": "InvalidRequest",
    "NoSuchBucket": "NotFound",
    "NoSuchEntity": "NotFound",
    "Throttling": "Throttling",
    "ValidationError": "InvalidRequest",
}
SERVICE_NAMES = {"iam": "Iam", "s3": "S3"}
NAME_TAKEN = frozenset({"BucketAlreadyExists", "BucketAlreadyOwnedByYou"})


def of_refused(refused: Refused, name: str) -> str:
    """What a service's refusal becomes in the event of a resource called ``name``."""
    if refused.code in NAME_TAKEN:
        message = f"{name} already exists (Service: S3, Status Code: 0, Request ID: null)"
    else:
        message = f"{refused.message} ({_trailer(refused)})"
    return of_handler(message, CODES.get(refused.code, GENERAL))


def of_handler(message: str, code: str) -> str:
    """What a resource handler's own failure becomes in an event."""
    return (
        f'Resource handler returned message: "{message}" '
        f"(RequestToken: {uuid.uuid4()}, HandlerErrorCode: {code})"
    )


def _trailer(refused: Refused) -> str:
    parts = [
        f"Service: {SERVICE_NAMES[refused.service]}",
        f"Status Code: {refused.status}",
        f"Request ID: {uuid.uuid4()}",
    ]
    if refused.service == "s3":
        parts.append(f"Extended Request ID: {uuid.uuid4().hex}")
    return ", ".join(parts)
