"""What S3 refuses before it changes anything: access control lists where they are disabled.

S3 User Guide, "Controlling ownership of objects and disabling ACLs for your bucket" and
"Blocking public access to your Amazon S3 storage".
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.s3 import bucket_names
from stslab.sandbox.s3.access import bucket_policy, public
from stslab.sandbox.saved import moto_backends

FORBIDDEN = 403
_OWNERS = "bucket-owner-full-control"
_PUBLIC_ACLS = frozenset({"public-read", "public-read-write", "authenticated-read"})
_GRANTS = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")


def check(request: ApiRequest) -> None:
    """Refuse what the bucket's settings forbid.

    Raises:
        ApiFault: InvalidBucketName, InvalidLocationConstraint, AccessControlListNotSupported,
            InvalidBucketAclWithObjectOwnership, or AccessDenied for a public list where Block
            Public Access blocks it.
    """
    guard = _GUARDS.get(request.operation)
    if guard is not None:
        guard(request)


def _creating(request: ApiRequest) -> None:
    bucket_names.check(request.params["Bucket"])
    _check_location(request)
    enforced = request.params.get("ObjectOwnership", bucket_policy.ENFORCED)
    if enforced == bucket_policy.ENFORCED and (_lists(request) or _canned(request)):
        raise ApiFault(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )
    if _is_public(request):
        raise ApiFault("AccessDenied", "Access Denied", FORBIDDEN)


def _check_location(request: ApiRequest) -> None:
    """Refuse a location that no bucket can have (S3 API Reference, "CreateBucket")."""
    asked = (request.params.get("CreateBucketConfiguration") or {}).get("LocationConstraint")
    if asked and asked not in _locations():
        raise ApiFault(
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
            extra={"LocationConstraint": asked},
        )


@functools.cache
def _locations() -> frozenset[str]:
    shape = operations.operation("s3", "CreateBucket").input_shape
    configuration = shape.members["CreateBucketConfiguration"]
    return frozenset(configuration.members["LocationConstraint"].enum)


def _storing(request: ApiRequest) -> None:
    bucket = _bucket(request)
    if bucket is None:
        return
    disabled = not bucket_policy.acls_enabled(bucket)
    if disabled and (_lists(request) or _canned(request) not in ("", _OWNERS)):
        raise _not_supported()
    _refuse_public(request, bucket)


def _changing(request: ApiRequest) -> None:
    bucket = _bucket(request)
    if bucket is None:
        return
    if not bucket_policy.acls_enabled(bucket):
        raise _not_supported()
    _refuse_public(request, bucket)


def _owning(request: ApiRequest) -> None:
    """Lists can be disabled only where the bucket's gives nothing to anybody else."""
    controls = request.params.get("OwnershipControls") or {}
    rules = [rule.get("ObjectOwnership") for rule in controls.get("Rules") or ()]
    bucket = _bucket(request)
    if bucket is not None and bucket_policy.ENFORCED in rules and _gives(bucket):
        raise ApiFault(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )


def _gives(bucket: Any) -> bool:
    held = getattr(bucket, "acl", None)
    grants = held.grants if held is not None else ()
    return any(grantee.uri for grant in grants for grantee in grant.grantees)


def _refuse_public(request: ApiRequest, bucket: Any) -> None:
    if _is_public(request) and bucket_policy.blocks(bucket, "block_public_acls"):
        raise ApiFault("AccessDenied", "Access Denied", FORBIDDEN)


def _is_public(request: ApiRequest) -> bool:
    written = [str(request.params.get(name, "")) for name in _GRANTS]
    policy = request.params.get("AccessControlPolicy") or {}
    written += [
        str((grant.get("Grantee") or {}).get("URI", "")) for grant in policy.get("Grants") or ()
    ]
    return _canned(request) in _PUBLIC_ACLS or any(
        group in text for text in written for group in public.PUBLIC_GROUPS
    )


def _bucket(request: ApiRequest) -> Any:
    return moto_backends.bucket(request.params["Bucket"])


def _canned(request: ApiRequest) -> str:
    return str(request.params.get("ACL", ""))


def _lists(request: ApiRequest) -> bool:
    return any(request.params.get(name) for name in _GRANTS)


def _not_supported() -> ApiFault:
    return ApiFault("AccessControlListNotSupported", "The bucket does not allow ACLs")


_GUARDS: Mapping[str, Callable[[ApiRequest], None]] = {
    "CreateBucket": _creating,
    "PutObject": _storing,
    "CopyObject": _storing,
    "CreateMultipartUpload": _storing,
    "PutBucketOwnershipControls": _owning,
    "PutBucketAcl": _changing,
    "PutObjectAcl": _changing,
}
