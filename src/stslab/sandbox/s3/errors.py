"""moto's errors of S3, as S3 answers them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiFault, ApiRequest

# HTTP statuses other than 400 (S3 API Reference, "Error responses").
_STATUSES: Mapping[str, int] = {
    "AccessDenied": 403,
    "AccessForbidden": 403,
    "BucketAlreadyExists": 409,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "InvalidBucketState": 409,
    "InvalidObjectState": 403,
    "InvalidRange": 416,
    "MethodNotAllowed": 405,
    "NoSuchBucket": 404,
    "NoSuchBucketPolicy": 404,
    "NoSuchCORSConfiguration": 404,
    "NoSuchKey": 404,
    "NoSuchLifecycleConfiguration": 404,
    "NoSuchPublicAccessBlockConfiguration": 404,
    "NoSuchTagSet": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NoSuchWebsiteConfiguration": 404,
    "NotImplemented": 501,
    "ObjectLockConfigurationNotFoundError": 404,
    "OwnershipControlsNotFoundError": 404,
    "PreconditionFailed": 412,
    "ReplicationConfigurationNotFoundError": 404,
    "ServerSideEncryptionConfigurationNotFoundError": 404,
}
# Attribute of moto's error -> element of S3's.
_MEMBERS: Mapping[str, str] = {
    "bucket_name": "BucketName",
    "bucket": "BucketName",
    "key": "Key",
    "upload_id": "UploadId",
    "version_id": "VersionId",
    "argument_name": "ArgumentName",
    "argument_value": "ArgumentValue",
    "condition": "Condition",
    "actual_object_size": "ActualObjectSize",
    "range_requested": "RangeRequested",
    "method": "Method",
    "resource_type": "ResourceType",
}


def of_moto(request: ApiRequest, error: Any) -> ApiFault:
    """The fault that S3 answers for moto's ``error``."""
    extra = {
        member: getattr(error, attribute)
        for attribute, member in _MEMBERS.items()
        if getattr(error, attribute, None)
    }
    if error.code == "NoSuchBucket":
        extra.setdefault("BucketName", request.params.get("Bucket", ""))
    return ApiFault(error.code, error.message, status_of(error.code), extra=extra)


NOT_FOUND = 404


def no_such_bucket(request: ApiRequest) -> ApiFault:
    """What S3 answers for a bucket that is in no account."""
    extra = {"BucketName": request.params.get("Bucket", "")}
    return ApiFault("NoSuchBucket", "The specified bucket does not exist", NOT_FOUND, extra=extra)


def status_of(code: str) -> int:
    """The HTTP status of an error code of S3."""
    shapes = {shape.name: shape for shape in operations.model("s3").error_shapes}
    shape = shapes.get(code)
    modelled = shape.metadata.get("error", {}).get("httpStatusCode") if shape else None
    return _STATUSES.get(code) or modelled or 400
