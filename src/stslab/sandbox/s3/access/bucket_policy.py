"""What a bucket's policy and the access control lists say to a caller.

S3 User Guide, "Access control list (ACL) overview", section "Mapping of ACL permissions and
access policy permissions", and "Blocking public access to your Amazon S3 storage".
"""

import json
from collections.abc import Iterator, Mapping

from stslab.policy import NamedPolicy, PolicyKind
from stslab.sandbox.api import policies
from stslab.sandbox.api.model import Caller
from stslab.sandbox.s3 import lookups
from stslab.sandbox.s3.access import acl, public
from stslab.sandbox.s3.access.public import Statement
from stslab.sandbox.s3.requests.address import Address
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.snapshot import View

_ON_BUCKET: Mapping[str, tuple[str, ...]] = {
    "READ": ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"),
    "WRITE": ("s3:PutObject", "s3:DeleteObject"),
    "READ_ACP": ("s3:GetBucketAcl",),
    "WRITE_ACP": ("s3:PutBucketAcl",),
}
_ON_OBJECT: Mapping[str, tuple[str, ...]] = {
    "READ": ("s3:GetObject", "s3:GetObjectVersion"),
    "READ_ACP": ("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
    "WRITE_ACP": ("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
}
_WITH_ACCOUNT = {"StringNotEquals": {"aws:PrincipalType": "Anonymous"}}
_EMPTY = '{"Version": "2012-10-17", "Statement": []}'


def of(
    view: View, seen: View, where: Address, version: str | None, caller: Caller
) -> NamedPolicy | None:
    """The bucket's policy with what the lists of the bucket and the object grant.

    ``seen`` is what is known of IAM. With RestrictPublicBuckets, a public policy speaks to the
    owner's account only; lists count where the bucket's ownership setting lets them.
    """
    bucket = lookups.bucket_named(view, where.bucket)
    if bucket is None:
        return None
    text = "" if _restricted(bucket, caller) else bucket.policy
    text = policies.shown(text, seen) if text else text
    granted = list(_granted(view, bucket, where, version)) if acl.acls_enabled(bucket) else []
    if granted:
        policy = json.loads(text or _EMPTY)
        own = policy["Statement"]
        listed = [
            {"Sid": f"AccessControlList{number}", **one} for number, one in enumerate(granted)
        ]
        policy["Statement"] = [*(own if isinstance(own, list) else [own]), *listed]
        text = json.dumps(policy)
    if not text:
        return None
    return policies.named(f"bucket policy of {bucket.name}", text, PolicyKind.RESOURCE)


def _restricted(bucket: Bucket, caller: Caller) -> bool:
    return (
        bucket.block.restrict_public_buckets
        and caller.account != bucket.owner
        and bool(bucket.policy)
        and public.policy_is_public(bucket.policy)
    )


def _granted(
    view: View, bucket: Bucket, where: Address, version: str | None
) -> Iterator[Statement]:
    """The lists as statements: those that grant to the owner say what its account can anyway."""
    yield from _statements(view, bucket, bucket.grants, _ON_BUCKET, (bucket.arn, f"{bucket.arn}/*"))
    held = lookups.version_at(view, where, version) if where.key else None
    if held is not None:
        resource = _literal(f"{bucket.arn}/{where.key}")
        yield from _statements(view, bucket, held.grants, _ON_OBJECT, (resource,))


def _statements(
    view: View,
    bucket: Bucket,
    grants: acl.Grants,
    actions: Mapping[str, tuple[str, ...]],
    resources: tuple[str, ...],
) -> Iterator[Statement]:
    ignored = acl.PUBLIC if bucket.block.ignore_public_acls else frozenset()
    for grant in grants or ():
        principal = _principal(view, bucket, grant.grantee)
        meant = [
            action
            for permission, names in actions.items()
            for action in names
            if grant.permission in (permission, acl.ALL)
        ]
        if principal is not None and meant and grant.grantee not in ignored:
            yield {
                "Effect": "Allow",
                "Principal": principal,
                "Action": meant,
                "Resource": list(resources),
                **({"Condition": _WITH_ACCOUNT} if grant.grantee == acl.AUTHENTICATED else {}),
            }


def _principal(view: View, bucket: Bucket, grantee: str) -> str | Mapping[str, str] | None:
    if grantee in acl.PUBLIC:
        return "*"
    account = acl.account_with(view, grantee)
    if account is None or account.account == bucket.owner:
        return None
    return {"AWS": account.root_arn}


def _literal(arn: str) -> str:
    """``arn`` as a pattern that matches nothing else."""
    return arn.replace("$", "${$}").replace("*", "${*}").replace("?", "${?}")
