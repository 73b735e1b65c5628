"""The resource policy of a bucket, with Block Public Access applied to it."""

from __future__ import annotations

from typing import Any

from stslab.policy import NamedPolicy, PolicyKind
from stslab.sandbox.api.model import Caller
from stslab.sandbox.iam.policies import trust
from stslab.sandbox.pipeline import gather
from stslab.sandbox.s3.access import acl, public
from stslab.sandbox.saved import moto_backends
from stslab.sandbox.saved.account import World

ENFORCED = "BucketOwnerEnforced"


def text_of(bucket: Any) -> str:
    """The text of the bucket's policy; empty where it has none."""
    held = bucket.policy
    if not held:
        return ""
    return held.decode() if isinstance(held, bytes) else str(held)


def of(world: World, bucket_name: str, key: str, caller: Caller) -> NamedPolicy | None:
    """What the bucket's own policy and access control lists say to ``caller``.

    With RestrictPublicBuckets, a public policy speaks to the owner's account only; lists
    count where the bucket's ownership setting has not disabled them.
    """
    bucket = moto_backends.bucket(bucket_name)
    if bucket is None:
        return None
    text = text_of(bucket)
    if text and _restricted(bucket, text, caller):
        text = ""
    text = trust.shown(text, world) if text else text
    text = acl.merged(text, bucket, key) if acls_enabled(bucket) else text
    if not text:
        return None
    return gather.named(f"bucket policy of {bucket_name}", text, PolicyKind.RESOURCE)


def _restricted(bucket: Any, text: str, caller: Caller) -> bool:
    return (
        caller.account != bucket.account_id
        and blocks(bucket, "restrict_public_buckets")
        and public.policy_is_public(text)
    )


def blocks(bucket: Any, setting: str) -> bool:
    """Whether Block Public Access has ``setting`` (as moto spells it) on for this bucket."""
    return bool(getattr(bucket.public_access_block, setting, False))


def acls_enabled(bucket: Any) -> bool:
    """Whether the bucket's ownership setting lets access control lists count."""
    return bucket.ownership_rule not in (ENFORCED, None)
