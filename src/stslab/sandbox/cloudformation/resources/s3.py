"""``AWS::S3::Bucket`` and ``AWS::S3::BucketPolicy``."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from stslab.sandbox.api.identifiers import REGION
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.resources.work import Properties, Refused, Work, document
from stslab.sandbox.cloudformation.template.template import Value
from stslab.sandbox.state import buckets

# What S3 calls the members of a property, by what CloudFormation calls them.
_ENCRYPTION = {
    "ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
    "BucketKeyEnabled": "BucketKeyEnabled",
    "BlockedEncryptionTypes": "BlockedEncryptionTypes",
}
_RULE = {
    "Id": "ID",
    "Status": "Status",
    "AbortIncompleteMultipartUpload": "AbortIncompleteMultipartUpload",
}
_FILTER = {name: name for name in ("Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan")}
_EXPIRATION = {
    "ExpirationInDays": "Days",
    "ExpirationDate": "Date",
    "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker",
}
_TRANSITION = {"StorageClass": "StorageClass", "TransitionInDays": "Days", "TransitionDate": "Date"}
_NONCURRENT_TRANSITION = {
    "StorageClass": "StorageClass",
    "TransitionInDays": "NoncurrentDays",
    "NewerNoncurrentVersions": "NewerNoncurrentVersions",
}


def _renamed(given: Properties, names: Mapping[str, str]) -> Properties:
    return {new: given[old] for old, new in names.items() if old in given}


def _encryption(value: Properties) -> Properties:
    rules = [_renamed(one, _ENCRYPTION) for one in value["ServerSideEncryptionConfiguration"]]
    return {"ServerSideEncryptionConfiguration": {"Rules": rules}}


def _lifecycle(value: Properties) -> Properties:
    return {
        "LifecycleConfiguration": {"Rules": [_lifecycle_rule(one) for one in value["Rules"]]},
        "TransitionDefaultMinimumObjectSize": value.get("TransitionDefaultMinimumObjectSize"),
    }


def _lifecycle_rule(rule: Properties) -> Properties:
    """A rule as S3 takes it: "AWS::S3::Bucket Rule" says what becomes of each property."""
    expiring = {"NoncurrentDays": rule.get("NoncurrentVersionExpirationInDays")}
    expiring = rule.get("NoncurrentVersionExpiration") or expiring
    noncurrent = _both(rule, "NoncurrentVersionTransition", _NONCURRENT_TRANSITION)
    optional = {
        "Expiration": _renamed(rule, _EXPIRATION),
        "Transitions": _both(rule, "Transition", _TRANSITION),
        "NoncurrentVersionTransitions": noncurrent,
        "NoncurrentVersionExpiration": expiring if any(expiring.values()) else None,
    }
    given = {name: value for name, value in optional.items() if value}
    return {**_renamed(rule, _RULE), "Filter": _filter(rule), **given}


def _filter(rule: Properties) -> Properties:
    conditions, tags = _renamed(rule, _FILTER), rule.get("TagFilters") or []
    if len(conditions) + len(tags) > 1:
        return {"And": {**conditions, "Tags": tags} if tags else conditions}
    return {"Tag": tags[0]} if tags else conditions or {"Prefix": ""}


def _both(rule: Properties, name: str, names: Mapping[str, str]) -> list[Properties]:
    """The list that a property and its older form, which has one member, give.

    The older form calls a storage class Glacier too.
    """
    given = [rule[name]] if rule.get(name) else rule.get(f"{name}s") or []
    return [{**_renamed(one, names), "StorageClass": one["StorageClass"].upper()} for one in given]


def _canned(value: str) -> Properties:
    return {"ACL": re.sub(r"\B(?=[A-Z])", "-", value).lower()}


class Setting(NamedTuple):
    """How S3 is given a property: the call and its parameters, and the call that takes it away.

    ``default`` is what the property is where it is not given, for want of such a call.
    """

    put: str
    params: Callable[[Value], Properties]
    delete: str = ""
    default: Value = None


SETTINGS: Mapping[str, Setting] = {
    "OwnershipControls": Setting(
        "PutBucketOwnershipControls",
        lambda value: {"OwnershipControls": value},
        "DeleteBucketOwnershipControls",
    ),
    "PublicAccessBlockConfiguration": Setting(
        "PutPublicAccessBlock",
        lambda value: {"PublicAccessBlockConfiguration": value},
        "DeletePublicAccessBlock",
    ),
    "VersioningConfiguration": Setting(
        "PutBucketVersioning",
        lambda value: {"VersioningConfiguration": value},
        default={"Status": "Suspended"},
    ),
    "BucketEncryption": Setting("PutBucketEncryption", _encryption, "DeleteBucketEncryption"),
    "LifecycleConfiguration": Setting(
        "PutBucketLifecycleConfiguration", _lifecycle, "DeleteBucketLifecycle"
    ),
    "AccessControl": Setting("PutBucketAcl", _canned, default="Private"),
}
"""In this order, for ACLs need the ownership that allows them."""


class Bucket:
    """``AWS::S3::Bucket``; its physical id is its name."""

    def create(self, work: Work) -> None:
        """Create it with its settings.

        Creating one's own bucket again succeeds in us-east-1 (CreateBucket, Errors), so
        whether it is there already is asked first.
        """
        name, region = work.physical_id, work.region
        if work.state.snapshot.get(buckets.Bucket, "", name) is not None:
            raise Refused("s3", ApiFault("BucketAlreadyExists", "It already exists"))
        work.s3(
            "CreateBucket",
            Bucket=name,
            CreateBucketConfiguration={"LocationConstraint": region} if region != REGION else None,
            ObjectLockEnabledForBucket=work.get("ObjectLockEnabled"),
        )
        work.attributes.update(
            Arn=f"arn:aws:s3:::{name}",
            DomainName=f"{name}.s3.amazonaws.com",
            DualStackDomainName=f"{name}.s3.dualstack.{region}.amazonaws.com",
            RegionalDomainName=f"{name}.s3.{region}.amazonaws.com",
            WebsiteURL=f"http://{name}.s3-website-{region}.amazonaws.com",
        )
        self._set(work, {})
        self._tag(work)

    def update(self, work: Work, old: Properties) -> None:
        self._set(work, old)
        if work.tags != work.old_tags:
            self._tag(work)

    def delete(self, work: Work) -> None:
        work.quietly("s3", "DeleteBucket", Bucket=work.physical_id)

    def _set(self, work: Work, old: Properties) -> None:
        for name, setting in SETTINGS.items():
            value = work.get(name, setting.default)
            if work.get(name) == old.get(name):
                continue
            if value is None:
                work.s3(setting.delete, Bucket=work.physical_id)
            else:
                work.s3(setting.put, Bucket=work.physical_id, **setting.params(value))

    def _tag(self, work: Work) -> None:
        """Set the tags: AWS's own as CloudFormation, all others in the caller's name."""
        pairs = [{"Key": key, "Value": value} for key, value in work.own_tags.items()]
        if pairs:
            work.s3("PutBucketTagging", Bucket=work.physical_id, Tagging={"TagSet": pairs})
        elif work.old_own_tags:
            work.s3("DeleteBucketTagging", Bucket=work.physical_id)
        work.tag_system(buckets.Bucket, work.physical_id)


class BucketPolicy:
    """``AWS::S3::BucketPolicy``; its physical id is the bucket's name."""

    def create(self, work: Work) -> None:
        """Make it, unless the bucket has one: that is somebody else's."""
        work.physical_id = work.get("Bucket")
        bucket = work.state.snapshot.get(buckets.Bucket, "", work.physical_id)
        if bucket is not None and bucket.policy:
            raise Refused("s3", ApiFault("BucketPolicyAlreadyExists", "It already exists"))
        self.update(work, {})

    def update(self, work: Work, _old: Properties) -> None:
        text = document(work.get("PolicyDocument"))
        work.s3("PutBucketPolicy", Bucket=work.physical_id, Policy=text)

    def delete(self, work: Work) -> None:
        work.quietly("s3", "DeleteBucketPolicy", Bucket=work.get("Bucket"))
