"""The handlers of ``AWS::S3::Bucket`` and ``AWS::S3::BucketPolicy``."""

import re
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Literal

from msgspec.structs import replace

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.resources.properties import FILE, renamed
from stslab.sandbox.cloudformation.resources.work import BadProperties, Refused, Work, document
from stslab.sandbox.cloudformation.template.template import Properties, Value
from stslab.sandbox.signing.canonical import OLDEST_REGIONS
from stslab.sandbox.state import buckets
from stslab.structures import beside
from stslab.vocabulary import REGION


def _lifecycle(value: Properties, _bucket: str) -> Properties:
    """The parameters for S3. They differ from "AWS::S3::Bucket Rule" by more than names."""
    rules = dict(renamed("LifecycleConfiguration", value))
    for rule in rules["Rules"]:
        rule["Filter"] = _filter(**rule.get("Filter", {}))
        for move in rule.get("Transitions", []) + rule.get("NoncurrentVersionTransitions", []):
            move["StorageClass"] = move["StorageClass"].upper()  # Glacier is allowed for GLACIER
    least = rules.pop("TransitionDefaultMinimumObjectSize", None)
    return {"LifecycleConfiguration": rules, "TransitionDefaultMinimumObjectSize": least}


def _filter(Tags: Value = (), **conditions: Value) -> Properties:  # noqa: N803 - S3's name
    if len(conditions) + len(Tags) > 1:
        return {"And": {**conditions, "Tags": Tags} if Tags else conditions}
    return {"Tag": Tags[0]} if Tags else conditions or {"Prefix": ""}


def _canned(value: str, _bucket: str) -> Properties:
    return {"ACL": re.sub(r"\B(?=[A-Z])", "-", value).lower()}


def _logging(value: Properties | Literal[False], bucket: str) -> Properties:
    """The bucket logs into itself, without a prefix, where the template does not say."""
    if value is False:
        return {"BucketLoggingStatus": {}}
    usual = {"DestinationBucketName": bucket, "LogFilePrefix": ""}
    return {"BucketLoggingStatus": renamed("LoggingConfiguration", usual | dict(value))}


_MADE: Mapping[str, Callable[[Value, str], Properties]] = {
    "AccessControl": _canned,
    "LifecycleConfiguration": _lifecycle,
    "LoggingConfiguration": _logging,
}
"""The parameters that are more than the property with S3's names, by its value and the bucket."""
_WRONG: Mapping[str, str] = beside(__file__, "bucket_names.yaml")
"""What is wrong with a bucket's name: the leftmost fault is told, of several the first here."""


def check_name(name: str) -> None:
    """Raise the error that CloudFormation's handler has before it calls S3."""
    met = [(each.start(), says) for rule, says in _WRONG.items() if (each := re.search(rule, name))]
    if met:
        at, says = min(met, key=itemgetter(0))
        problem = f"Bucket name {says.format(name[at : at + 1])}"
        raise Refused("s3", ApiFault("IllegalBucketName", problem))


class Bucket:
    """``AWS::S3::Bucket``; its physical id is its name."""

    def create(self, work: Work) -> None:
        """Create a bucket; one that exists is refused, though S3 accepts it in us-east-1."""
        name, region, acl = work.physical_id, work.region, work.get("AccessControl", "Private")
        owned, blocked = work.get("OwnershipControls"), work.get("PublicAccessBlockConfiguration")
        rules = owned["Rules"] if owned else [{"ObjectOwnership": None}]
        # With both settings the ACL comes after them. Rules that are wrong are for S3 to refuse.
        at_once = acl != "Private" and not (owned and blocked) and len(rules) == 1 and all(rules)
        mark = "-" if region in OLDEST_REGIONS else "."
        check_name(name)
        if work.state.snapshot.get(buckets.Bucket, "", name) is not None:
            raise Refused("s3", ApiFault("BucketAlreadyExists", "It already exists"))
        work.s3(
            "CreateBucket",
            Bucket=name,
            BucketNamespace=work.get("BucketNamespace"),
            CreateBucketConfiguration={"LocationConstraint": region} if region != REGION else None,
            ObjectLockEnabledForBucket=work.get("ObjectLockEnabled"),
            ObjectOwnership=rules[0]["ObjectOwnership"] if at_once else None,
            **(_canned(acl, name) if at_once else {}),
        )
        work.attributes.update(
            Arn=f"arn:aws:s3:::{name}",
            DomainName=f"{name}.s3.amazonaws.com",
            DualStackDomainName=f"{name}.s3.dualstack.{region}.amazonaws.com",
            RegionalDomainName=f"{name}.s3.{region}.amazonaws.com",
            WebsiteURL=f"http://{name}.s3-website{mark}{region}.amazonaws.com",
        )
        self._set(work, {"AccessControl": acl, "OwnershipControls": owned} if at_once else {})
        self._tag(work)

    def update(self, work: Work, old: Properties) -> None:
        if work.get("ObjectLockEnabled") and not old.get("ObjectLockEnabled"):
            refusal = "The embedded account does not support Object Lock."
            raise Refused("s3", ApiFault("NotImplemented", refusal))
        self._set(work, old)
        if work.tags != work.old_tags:
            self._tag(work)

    def delete(self, work: Work) -> None:
        work.quietly("s3", "DeleteBucket", Bucket=work.physical_id)

    def _set(self, work: Work, old: Properties) -> None:
        for name, setting in FILE.settings.items():
            value = work.get(name, setting.fresh)
            if value == old.get(name, setting.fresh):
                continue
            given = setting.default if value is None else value
            if value is None and setting.delete:
                work.s3(setting.delete, Bucket=work.physical_id)
            elif given is not None:
                bucket, make = work.physical_id, _MADE.get(name)
                usual = {setting.param or name: renamed(name, given)} if make is None else {}
                params = make(given, bucket) if make else usual
                # A bucket without ACLs has no other than a private one.
                passed = "AccessControlListNotSupported" if given == setting.fresh else ""
                work.quietly("s3", setting.put, passed, Bucket=bucket, **params)

    def _tag(self, work: Work) -> None:
        """Set the tags: those of CloudFormation as the service, all others as the caller."""
        work.retag("s3", "Resource", Bucket=work.physical_id)
        with work.state.transaction() as tx:
            bucket = tx.get(buckets.Bucket, "", work.physical_id)
            if bucket is not None:
                tx.put(replace(bucket, tags={**bucket.tags, **work.tags}))


class BucketPolicy:
    """``AWS::S3::BucketPolicy``; its physical id is the bucket's name."""

    def create(self, work: Work) -> None:
        """Refused if the bucket has a policy already, which does not belong to the stack."""
        work.physical_id = work.get("Bucket")
        bucket = work.state.snapshot.get(buckets.Bucket, "", work.physical_id)
        if bucket is not None and bucket.policy:
            raise BadProperties(f"The bucket policy already exists on bucket {bucket.name}.")
        self.update(work, {})

    def update(self, work: Work, _old: Properties) -> None:
        text = document(work.get("PolicyDocument"))
        work.s3("PutBucketPolicy", Bucket=work.physical_id, Policy=text)

    def delete(self, work: Work) -> None:
        work.quietly("s3", "DeleteBucketPolicy", Bucket=work.get("Bucket"))
