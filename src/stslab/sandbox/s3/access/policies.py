"""Bucket policies and Block Public Access: put, checked as S3 checks them, and shown.

S3 User Guide, "Bucket policies for Amazon S3"; S3 API Reference, "PutBucketPolicy" and
"PutPublicAccessBlock".
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from stslab.sandbox.api import principals
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest
from stslab.sandbox.api.services import Judge
from stslab.sandbox.s3 import lookups
from stslab.sandbox.s3.access import policy_check, public
from stslab.sandbox.s3.faults import fault
from stslab.sandbox.state.buckets import Bucket, PublicAccessBlock
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction

_SETTINGS: Mapping[str, str] = {
    "BlockPublicAcls": "block_public_acls",
    "IgnorePublicAcls": "ignore_public_acls",
    "BlockPublicPolicy": "block_public_policy",
    "RestrictPublicBuckets": "restrict_public_buckets",
}


def put(judge: Judge, tx: Transaction, request: ApiRequest) -> Answer:
    """PutBucketPolicy: keep a policy that is one, for this bucket, and may be public.

    Raises:
        ApiFault: MalformedPolicy, PolicyTooLarge, or AccessDenied by Block Public Access.
    """
    bucket = _own_bucket(tx, request)
    text = str(request.params.get("Policy", ""))
    policy_check.check(text, bucket.name)
    if bucket.block.block_public_policy and public.policy_is_public(text):
        raise _blocked(request, bucket)
    try:
        kept = principals.kept(text, judge.seen(tx))
    except ApiFault:
        raise fault("MalformedPolicy", "Invalid principal in policy") from None
    tx.put(replace(bucket, policy=kept))
    return {}


def delete(tx: Transaction, request: ApiRequest) -> Answer:
    """DeleteBucketPolicy."""
    tx.put(replace(_own_bucket(tx, request), policy=""))
    return {}


def get(judge: Judge, view: View, request: ApiRequest) -> Answer:
    """GetBucketPolicy: the policy's text, with principals that are gone by their ids."""
    return {"Policy": principals.shown(_text(view, request), judge.seen(view))}


def status(view: View, request: ApiRequest) -> Answer:
    """GetBucketPolicyStatus: whether the policy is public."""
    return {"PolicyStatus": {"IsPublic": public.policy_is_public(_text(view, request))}}


def _text(view: View, request: ApiRequest) -> str:
    bucket = _own_bucket(view, request)
    if not bucket.policy:
        raise fault("NoSuchBucketPolicy", BucketName=bucket.name)
    return bucket.policy


def _own_bucket(view: View, request: ApiRequest) -> Bucket:
    """The bucket; whose policy only its own account may read or write.

    S3 API Reference, "PutBucketPolicy": others get MethodNotAllowed, whatever is allowed.
    """
    bucket = lookups.bucket_of(view, request)
    if bucket.owner != request.caller.account:
        raise fault("MethodNotAllowed")
    return bucket


def _blocked(request: ApiRequest, bucket: Bucket) -> ApiFault:
    return fault(
        "AccessDenied",
        f"User: {request.caller.principal.arn} is not authorized to perform: s3:PutBucketPolicy "
        f'on resource: "{bucket.arn}" because public policies are prevented by the '
        "BlockPublicPolicy setting in S3 Block Public Access.",
    )


def put_block(tx: Transaction, request: ApiRequest) -> Answer:
    """PutPublicAccessBlock: what is not said is off."""
    asked = request.params["PublicAccessBlockConfiguration"]
    block = PublicAccessBlock(**{name: bool(asked.get(said)) for said, name in _SETTINGS.items()})
    tx.put(replace(lookups.bucket_of(tx, request), public_access_block=block))
    return {}


def delete_block(tx: Transaction, request: ApiRequest) -> Answer:
    """DeletePublicAccessBlock."""
    tx.put(replace(lookups.bucket_of(tx, request), public_access_block=None))
    return {}


def get_block(view: View, request: ApiRequest) -> Answer:
    """GetPublicAccessBlock."""
    bucket = lookups.bucket_of(view, request)
    block = bucket.public_access_block
    if block is None:
        raise fault("NoSuchPublicAccessBlockConfiguration", BucketName=bucket.name)
    found = {said: getattr(block, name) for said, name in _SETTINGS.items()}
    return {"PublicAccessBlockConfiguration": found}
