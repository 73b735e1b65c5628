"""Bucket policies: put, checked as S3 checks them, and shown.

S3 User Guide, "Bucket policies for Amazon S3"; S3 API Reference, "PutBucketPolicy".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.iam.policies import trust
from stslab.sandbox.s3 import errors
from stslab.sandbox.s3.access import bucket_policy, policy_check, public
from stslab.sandbox.saved import moto_backends
from stslab.sandbox.saved.account import World

_FORBIDDEN, _NOT_FOUND, _NOT_ALLOWED = 403, 404, 405


def put(world: World, request: ApiRequest) -> Mapping[str, Any]:
    """PutBucketPolicy: keep a policy that is one, for this bucket, and may be public.

    Raises:
        ApiFault: MalformedPolicy, PolicyTooLarge, or AccessDenied by Block Public Access.
    """
    bucket = _bucket(request)
    text = str(request.params.get("Policy", ""))
    policy_check.check(text, bucket.name)
    if bucket_policy.blocks(bucket, "block_public_policy") and public.policy_is_public(text):
        raise _blocked(request, bucket.name)
    bucket.policy = _kept(text, world).encode()
    return {}


def get(world: World, request: ApiRequest) -> Mapping[str, Any]:
    """GetBucketPolicy: the policy's text, with principals that are gone by their ids."""
    return {"Policy": _text(world, request)}


def status(world: World, request: ApiRequest) -> Mapping[str, Any]:
    """GetBucketPolicyStatus: whether the policy is public."""
    return {"PolicyStatus": {"IsPublic": public.policy_is_public(_text(world, request))}}


def _text(world: World, request: ApiRequest) -> str:
    bucket = _bucket(request)
    text = bucket_policy.text_of(bucket)
    if not text:
        raise ApiFault(
            "NoSuchBucketPolicy",
            "The bucket policy does not exist",
            _NOT_FOUND,
            extra={"BucketName": bucket.name},
        )
    return trust.shown(text, world)


def _bucket(request: ApiRequest) -> Any:
    """The bucket; whose policy only its own account may read or write.

    S3 API Reference, "PutBucketPolicy": others get MethodNotAllowed, whatever is allowed.
    """
    name = request.params["Bucket"]
    bucket = moto_backends.bucket(name)
    if bucket is None:
        raise errors.no_such_bucket(request)
    if bucket.account_id != request.caller.account:
        raise ApiFault(
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
            _NOT_ALLOWED,
        )
    return bucket


def _kept(text: str, world: World) -> str:
    try:
        return trust.kept(text, world)
    except ApiFault:
        raise policy_check.malformed("Invalid principal in policy") from None


def _blocked(request: ApiRequest, bucket: str) -> ApiFault:
    return ApiFault(
        "AccessDenied",
        f"User: {request.caller.principal.arn} is not authorized to perform: s3:PutBucketPolicy "
        f'on resource: "arn:aws:s3:::{bucket}" because public policies are prevented by the '
        "BlockPublicPolicy setting in S3 Block Public Access.",
        _FORBIDDEN,
    )
