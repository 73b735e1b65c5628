"""S3: what the sandbox does itself, and what moto does between S3's own checks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.utils import parse_timestamp
from moto.s3.models import PublicAccessBlock

from stslab.sandbox.api.model import ApiFault, ApiRequest, ApiResponse
from stslab.sandbox.pipeline.judge import Judge
from stslab.sandbox.s3 import deletion, guards, lacking, port, uploads, versions
from stslab.sandbox.s3.access import bucket_policy, policies
from stslab.sandbox.s3.requests import arguments, needs
from stslab.sandbox.s3.requests.address import Address
from stslab.sandbox.saved import moto_backends
from stslab.sandbox.saved.account import World

Handler = Callable[[ApiRequest], Mapping[str, Any]]
_NOT_FOUND = 404
_ENCRYPTION = {
    "Rule": {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": "false",
    }
}


class S3Service:
    """The operations of S3. ``handlers`` are the sandbox's own; ``answer`` is for the rest."""

    def __init__(self, world: World, judge: Judge) -> None:
        self.handlers: Mapping[str, Handler] = {
            "DeleteObjects": functools.partial(deletion.delete_objects, world, judge),
            "GetBucketPolicy": functools.partial(policies.get, world),
            "GetBucketPolicyStatus": functools.partial(policies.status, world),
            "GetBucketRequestPayment": _payer,
            "GetObjectRetention": _retention,
            "PutBucketPolicy": functools.partial(policies.put, world),
        }
        self.backed = needs.OPERATIONS - lacking.OPERATIONS - self.handlers.keys()
        self._world = world

    def answer(self, request: ApiRequest) -> ApiResponse:
        """Let moto carry out an operation that it has.

        Raises:
            ApiFault: what S3 answers where it can't be.
        """
        guards.check(request)
        uploads.check(request)
        arguments.check(request)
        versions.check(request)
        _require_object(request)
        name = request.params.get("Bucket", "")
        is_new = moto_backends.bucket(name) is None
        response = versions.answer(request)
        if request.operation == "CreateBucket" and is_new:
            _set_defaults(moto_backends.bucket(name))
        account = self._world.accounts.get(request.account)
        return response if account is None else port.owned_by(account.canonical_id, response)


def _require_object(request: ApiRequest) -> None:
    """Refuse to take tags from an object that is not there, over which moto stumbles."""
    if request.operation == "DeleteObjectTagging":
        _held(request)


def _held(request: ApiRequest) -> Any:
    where = Address(request.params["Bucket"], request.params["Key"])
    held = needs.found(where, request.params.get("VersionId"))
    if held is None:
        raise ApiFault(
            "NoSuchKey",
            "The specified key does not exist.",
            _NOT_FOUND,
            extra={"Key": where.key},
        )
    return held


def _set_defaults(bucket: Any) -> None:
    """What new buckets have (S3 User Guide, "Default settings for new S3 buckets FAQ")."""
    bucket.public_access_block = PublicAccessBlock("true", "true", "true", "true")
    bucket.ownership_rule = bucket.ownership_rule or bucket_policy.ENFORCED
    bucket.encryption = _ENCRYPTION


def _payer(request: ApiRequest) -> Mapping[str, Any]:
    """Who pays: always the owner, since requester pays is not offered."""
    if moto_backends.bucket(request.params["Bucket"]) is None:
        raise ApiFault("NoSuchBucket", "The specified bucket does not exist", _NOT_FOUND)
    return {"Payer": "BucketOwner"}


def _retention(request: ApiRequest) -> Mapping[str, Any]:
    """Until when, and how, an object version is retained."""
    held = _held(request)
    if not held.lock_mode or not held.lock_until:
        raise ApiFault(
            "NoSuchObjectLockConfiguration",
            "The specified object does not have a ObjectLock configuration",
            _NOT_FOUND,
        )
    until: datetime = parse_timestamp(str(held.lock_until)).astimezone(UTC)
    return {"Retention": {"Mode": held.lock_mode, "RetainUntilDate": until}}
