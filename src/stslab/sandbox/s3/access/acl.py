"""Access control lists, put into the words of policies.

S3 User Guide, "Access control list (ACL) overview", section "Mapping of ACL permissions and
access policy permissions".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from stslab.sandbox.s3.access import public

_ALL = "FULL_CONTROL"
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
_EVERYONE = "http://acs.amazonaws.com/groups/global/AllUsers"
_WITH_ACCOUNT: Mapping[str, Any] = {"StringNotEquals": {"aws:PrincipalType": "Anonymous"}}


def merged(text: str, bucket: Any, key: str) -> str:
    """The bucket policy ``text`` with what the lists of the bucket and the object grant.

    Grants to the owner say nothing that the owner's account can't do anyway, and other
    grantees are known by canonical ids, which no principal here has: what is left are the
    grants to groups, unless IgnorePublicAcls leaves them out.
    """
    statements = list(_statements(bucket, key))
    if not statements:
        return text
    policy = json.loads(text) if text else {"Version": "2012-10-17", "Statement": []}
    own = policy["Statement"]
    policy["Statement"] = [*(own if isinstance(own, list) else [own]), *statements]
    return json.dumps(policy)


def _statements(bucket: Any, key: str) -> Iterator[Mapping[str, Any]]:
    if getattr(bucket.public_access_block, "ignore_public_acls", False):
        return
    arn = f"arn:aws:s3:::{bucket.name}"
    yield from _grants(bucket.acl, _ON_BUCKET, [arn, f"{arn}/*"])
    held = bucket.keys.get(key) if key else None
    if held is not None:
        yield from _grants(getattr(held, "acl", None), _ON_OBJECT, [_literal(f"{arn}/{key}")])


def _grants(
    acl: Any, actions: Mapping[str, tuple[str, ...]], resources: list[str]
) -> Iterator[Mapping[str, Any]]:
    for grant in acl.grants if acl is not None else ():
        groups = {grantee.uri for grantee in grant.grantees} & public.PUBLIC_GROUPS
        granted = [
            action
            for permission, meant in actions.items()
            for action in meant
            if permission in grant.permissions or _ALL in grant.permissions
        ]
        for group in sorted(groups):
            yield {
                "Sid": "AccessControlList",
                "Effect": "Allow",
                "Principal": "*",
                "Action": granted,
                "Resource": resources,
                **({} if group == _EVERYONE else {"Condition": _WITH_ACCOUNT}),
            }


def _literal(arn: str) -> str:
    """``arn`` as a pattern that matches nothing else."""
    return arn.replace("$", "${$}").replace("*", "${*}").replace("?", "${?}")
