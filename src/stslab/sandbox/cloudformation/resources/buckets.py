"""``AWS::S3::Bucket`` and ``AWS::S3::BucketPolicy``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.resources.edges import document
from stslab.sandbox.cloudformation.resources.work import Refused, Work, unfit
from stslab.sandbox.state import buckets

Properties = Mapping[str, Any]
HOME_REGION = "us-east-1"
CONFLICT = 409
CANNED_ACLS = {
    "Private": "private",
    "PublicRead": "public-read",
    "PublicReadWrite": "public-read-write",
    "AuthenticatedRead": "authenticated-read",
    "LogDeliveryWrite": "log-delivery-write",
    "BucketOwnerRead": "bucket-owner-read",
    "BucketOwnerFullControl": "bucket-owner-full-control",
    "AwsExecRead": "aws-exec-read",
}


def lifecycle_rule(rule: Properties) -> dict[str, Any]:
    """A rule as S3 takes it: "AWS::S3::Bucket Rule" says what becomes of each property."""
    made: dict[str, Any] = {**_renamed(rule, _RULE), "Filter": _filter(rule)}
    expiration = _renamed(rule, _EXPIRATION)
    transitions = _both(rule, "Transition", _TRANSITION)
    noncurrent = _both(rule, "NoncurrentVersionTransition", _NONCURRENT_TRANSITION)
    expiring = {"NoncurrentDays": rule.get("NoncurrentVersionExpirationInDays")}
    expiring = rule.get("NoncurrentVersionExpiration") or expiring
    optional = {
        "Expiration": expiration,
        "Transitions": transitions,
        "NoncurrentVersionTransitions": noncurrent,
        "NoncurrentVersionExpiration": _typed(expiring) if any(expiring.values()) else None,
    }
    return made | {name: value for name, value in optional.items() if value}


def _filter(rule: Properties) -> dict[str, Any]:
    conditions = _renamed(rule, _FILTER)
    tags = rule.get("TagFilters") or []
    if len(conditions) + len(tags) > 1:
        return {"And": {**conditions, "Tags": tags} if tags else conditions}
    return {"Tag": tags[0]} if tags else conditions or {"Prefix": ""}


def _both(rule: Properties, name: str, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The list that a property and its older form, which has one member, give."""
    given = [rule[name]] if rule.get(name) else rule.get(f"{name}s") or []
    return [_renamed(one, names) for one in given]


def _renamed(given: Properties, names: Mapping[str, str]) -> dict[str, Any]:
    return {new: _typed(given[old]) for old, new in names.items() if old in given}


def _typed(value: Any) -> Any:
    """Numbers and booleans that a template has as texts."""
    if isinstance(value, dict):
        return {name: _typed(member) for name, member in value.items()}
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _members(value: Properties, name: str) -> list[Properties]:
    found = value.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise unfit("", [f"#/{name}: expected type: JSONArray of JSONObject"])
    return found


_ENCRYPTION = {
    "ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
    "BucketKeyEnabled": "BucketKeyEnabled",
}
_RULE = {
    "Id": "ID",
    "Status": "Status",
    "AbortIncompleteMultipartUpload": "AbortIncompleteMultipartUpload",
}
_FILTER = {
    "Prefix": "Prefix",
    "ObjectSizeGreaterThan": "ObjectSizeGreaterThan",
    "ObjectSizeLessThan": "ObjectSizeLessThan",
}
_EXPIRATION = {
    "ExpirationInDays": "Days",
    "ExpirationDate": "Date",
    "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker",
}
_TRANSITION = {
    "StorageClass": "StorageClass",
    "TransitionInDays": "Days",
    "TransitionDate": "Date",
}
_NONCURRENT_TRANSITION = {
    "StorageClass": "StorageClass",
    "TransitionInDays": "NoncurrentDays",
    "NewerNoncurrentVersions": "NewerNoncurrentVersions",
}


def _encryption(value: Properties) -> dict[str, Any]:
    rules = _members(value, "ServerSideEncryptionConfiguration")
    return {
        "ServerSideEncryptionConfiguration": {
            "Rules": [_renamed(one, _ENCRYPTION) for one in rules]
        }
    }


def _lifecycle(value: Properties) -> dict[str, Any]:
    return {
        "LifecycleConfiguration": {
            "Rules": [lifecycle_rule(one) for one in _members(value, "Rules")]
        },
        "TransitionDefaultMinimumObjectSize": value.get("TransitionDefaultMinimumObjectSize"),
    }


class Setting(NamedTuple):
    """How S3 is given a property: the call and its parameters, and the call that takes it away.

    ``default`` is what the property is where it is not given, for want of such a call.
    """

    put: str
    params: Callable[[Any], Mapping[str, Any]]
    delete: str = ""
    default: Any = None


SETTINGS: Mapping[str, Setting] = {
    "OwnershipControls": Setting(
        "PutBucketOwnershipControls",
        lambda value: {"OwnershipControls": value},
        "DeleteBucketOwnershipControls",
    ),
    "PublicAccessBlockConfiguration": Setting(
        "PutPublicAccessBlock",
        lambda value: {"PublicAccessBlockConfiguration": _typed(value)},
        "DeletePublicAccessBlock",
    ),
    "VersioningConfiguration": Setting(
        "PutBucketVersioning",
        lambda value: {"VersioningConfiguration": {"Status": value.get("Status", "Suspended")}},
        default={},
    ),
    "BucketEncryption": Setting("PutBucketEncryption", _encryption, "DeleteBucketEncryption"),
    "LifecycleConfiguration": Setting(
        "PutBucketLifecycleConfiguration", _lifecycle, "DeleteBucketLifecycle"
    ),
    "AccessControl": Setting(
        "PutBucketAcl", lambda value: {"ACL": CANNED_ACLS[value]}, default="Private"
    ),
}
"""In this order, for ACLs need the ownership that allows them."""


class Bucket:
    """``AWS::S3::Bucket``; its physical id is its name."""

    def create(self, work: Work) -> None:
        """Create it with its settings.

        Creating one's own bucket again succeeds in us-east-1 (CreateBucket, Errors), so
        whether it is there already is asked first.
        """
        if work.state.snapshot.get(buckets.Bucket, "", work.physical_id) is not None:
            raise Refused("s3", ApiFault("BucketAlreadyExists", "It already exists", CONFLICT))
        place = None
        if work.region != HOME_REGION:
            place = {"LocationConstraint": work.region}
        work.s3(
            "CreateBucket",
            Bucket=work.physical_id,
            CreateBucketConfiguration=place,
            ObjectLockEnabledForBucket=work.get("ObjectLockEnabled"),
        )
        self._attributes(work)
        self._set(work, {})
        self._tag(work)

    def update(self, work: Work, old: Properties) -> None:
        """Change the settings and tags that changed."""
        self._set(work, old)
        if work.tags != work.old_tags:
            self._tag(work)

    def delete(self, work: Work) -> None:
        """Delete it, which S3 refuses while there is anything in it."""
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

    def _attributes(self, work: Work) -> None:
        name, region = work.physical_id, work.region
        work.attributes.update(
            Arn=f"arn:aws:s3:::{name}",
            DomainName=f"{name}.s3.amazonaws.com",
            DualStackDomainName=f"{name}.s3.dualstack.{region}.amazonaws.com",
            RegionalDomainName=f"{name}.s3.{region}.amazonaws.com",
            WebsiteURL=f"http://{name}.s3-website-{region}.amazonaws.com",
        )


class BucketPolicy:
    """``AWS::S3::BucketPolicy``; its physical id is the bucket's name."""

    def create(self, work: Work) -> None:
        """Put it."""
        work.physical_id = work.get("Bucket")
        work.s3(
            "PutBucketPolicy",
            Bucket=work.get("Bucket"),
            Policy=document(work.get("PolicyDocument")),
        )

    def update(self, work: Work, _old: Properties) -> None:
        """Put the new document."""
        self.create(work)

    def delete(self, work: Work) -> None:
        """Delete it."""
        work.quietly("s3", "DeleteBucketPolicy", Bucket=work.get("Bucket"))
