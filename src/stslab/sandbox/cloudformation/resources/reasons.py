"""Why a resource failed, in the words of CloudFormation's resource handlers.

CloudFormation CLI User Guide, "Handler error codes".
"""

from __future__ import annotations

import uuid

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.names import request_token

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


def of_fault(fault: ApiFault, service: str, name: str) -> str:
    """What a fault of ``service`` becomes in the event of a resource called ``name``."""
    code = CODES.get(fault.code, GENERAL)
    if fault.code in NAME_TAKEN:
        message = f"{name} already exists (Service: S3, Status Code: 0, Request ID: null)"
    else:
        message = f"{fault.message} ({_trailer(fault, service)})"
    return of_handler(message, code)


def of_handler(message: str, code: str) -> str:
    """What a resource handler's own failure becomes in an event."""
    return (
        f'Resource handler returned message: "{message}" '
        f"(RequestToken: {request_token()}, HandlerErrorCode: {code})"
    )


def _trailer(fault: ApiFault, service: str) -> str:
    parts = [
        f"Service: {SERVICE_NAMES.get(service, service)}",
        f"Status Code: {fault.status}",
        f"Request ID: {uuid.uuid4()}",
    ]
    if service == "s3":
        parts.append(f"Extended Request ID: {uuid.uuid4().hex}")
    return ", ".join(parts)
