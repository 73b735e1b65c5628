"""``AWS::S3::Bucket`` and ``AWS::S3::BucketPolicy``."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from stslab.sandbox.api.identifiers import REGION
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.resources.properties import renamed
from stslab.sandbox.cloudformation.resources.work import Properties, Refused, Work, document, own
from stslab.sandbox.cloudformation.template.template import Value
from stslab.sandbox.state import buckets


def _lifecycle(value: Properties) -> Properties:
    """The rules as S3 takes them, where "AWS::S3::Bucket Rule" does more than to rename."""
    asked = dict(renamed("LifecycleConfiguration", value))
    for rule in asked["Rules"]:
        rule["Filter"] = _filter(**rule.get("Filter", {}))
        for one in rule.get("Transitions", []) + rule.get("NoncurrentVersionTransitions", []):
            one["StorageClass"] = one["StorageClass"].upper()  # GLACIER may be called Glacier
    least = asked.pop("TransitionDefaultMinimumObjectSize", None)
    return {"LifecycleConfiguration": asked, "TransitionDefaultMinimumObjectSize": least}


def _filter(Tags: Value = (), **conditions: Value) -> Properties:  # noqa: N803 - S3's name
    if len(conditions) + len(Tags) > 1:
        return {"And": {**conditions, "Tags": Tags} if Tags else conditions}
    return {"Tag": Tags[0]} if Tags else conditions or {"Prefix": ""}


def _canned(value: str) -> Properties:
    return {"ACL": re.sub(r"\B(?=[A-Z])", "-", value).lower()}


class Setting(NamedTuple):
    """How S3 is given a property: the call and its parameters, and the call that takes it away.

    The parameter has the property's members by S3's names, or ``params`` makes it of them.
    ``default`` is what the property becomes where it is not given any more, for want of a call,
    and ``fresh`` what it is in a new bucket.
    """

    put: str
    params: str | Callable[[Value], Properties]
    delete: str = ""
    default: Value = None
    fresh: Value = None

    def given(self, name: str, value: Value) -> Properties:
        if isinstance(self.params, str):
            return {self.params: renamed(name, value)}
        return self.params(value)


SETTINGS: Mapping[str, Setting] = {
    "OwnershipControls": Setting(
        "PutBucketOwnershipControls", "OwnershipControls", "DeleteBucketOwnershipControls"
    ),
    "PublicAccessBlockConfiguration": Setting(
        "PutPublicAccessBlock", "PublicAccessBlockConfiguration", "DeletePublicAccessBlock"
    ),
    "VersioningConfiguration": Setting(
        "PutBucketVersioning", "VersioningConfiguration", default={"Status": "Suspended"}
    ),
    "BucketEncryption": Setting(
        "PutBucketEncryption", "ServerSideEncryptionConfiguration", "DeleteBucketEncryption"
    ),
    "LifecycleConfiguration": Setting(
        "PutBucketLifecycleConfiguration", _lifecycle, "DeleteBucketLifecycle"
    ),
    "CorsConfiguration": Setting("PutBucketCors", "CORSConfiguration", "DeleteBucketCors"),
    "LoggingConfiguration": Setting("PutBucketLogging", "BucketLoggingStatus", default={}),
    "WebsiteConfiguration": Setting(
        "PutBucketWebsite", "WebsiteConfiguration", "DeleteBucketWebsite"
    ),
    "AccessControl": Setting("PutBucketAcl", _canned, fresh="Private"),
}
"""In this order, for ACLs need the ownership that allows them."""


class Bucket:
    """``AWS::S3::Bucket``; its physical id is its name."""

    def create(self, work: Work) -> None:
        """Create it with its settings.

        Creating one's own bucket again succeeds in us-east-1 (CreateBucket, Errors), so
        whether it is there already is asked first. Without controls that enable them, lists
        are refused at once.
        """
        name, region, acl = work.physical_id, work.region, work.get("AccessControl", "Private")
        if work.state.snapshot.get(buckets.Bucket, "", name) is not None:
            raise Refused("s3", ApiFault("BucketAlreadyExists", "It already exists"))
        work.s3(
            "CreateBucket",
            Bucket=name,
            CreateBucketConfiguration={"LocationConstraint": region} if region != REGION else None,
            ObjectLockEnabledForBucket=work.get("ObjectLockEnabled"),
            **(_canned(acl) if acl != "Private" and not work.get("OwnershipControls") else {}),
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
            value = work.get(name, setting.fresh)
            if value == old.get(name, setting.fresh):
                continue
            if value is None and setting.delete:
                work.s3(setting.delete, Bucket=work.physical_id)
            else:
                given = setting.given(name, setting.default if value is None else value)
                work.s3(setting.put, Bucket=work.physical_id, **given)

    def _tag(self, work: Work) -> None:
        """Set the tags: AWS's own as CloudFormation, all others in the caller's name."""
        mine, before = own(work.tags), own(work.old_tags)
        if mine:
            stay = work.old_tags.items() - before.items()
            pairs = [{"Key": key, "Value": value} for key, value in (*stay, *mine.items())]
            work.s3("PutBucketTagging", Bucket=work.physical_id, Tagging={"TagSet": pairs})
        elif before:
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
