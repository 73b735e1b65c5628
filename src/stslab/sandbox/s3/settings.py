"""What is set on a bucket: versioning, ownership, tags, and what is only kept and shown.

S3 API Reference, the operations of the same names. New objects have the encryption that their
bucket's setting says; nothing else depends on what is only kept.
"""

import functools
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import parse_qsl

from msgspec.structs import replace

from stslab.sandbox.api.identifiers import REGION
from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.s3_faults import fault, invalid_argument, malformed
from stslab.sandbox.api.services import Reads, Writes
from stslab.sandbox.s3 import lookups
from stslab.sandbox.s3.access import acl
from stslab.sandbox.s3.requests.params import Document
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.snapshot import Transaction, View

_MOST = 10
_MOST_ON_BUCKETS = 50
_LONGEST_KEY, _LONGEST_VALUE = 128, 256
_SYSTEM = "aws:"


def tags_of_header(text: str | None) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(text or "", keep_blank_values=True, max_num_fields=_MOST * 10)
    except ValueError:
        pairs = []
    if len({key for key, _ in pairs}) != len(pairs) or (text and not pairs):
        raise invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
            "parameters without tag name duplicates.",
            "x-amz-tagging",
            text,
        )
    return _checked(dict(pairs), _MOST)


def tags_of_set(
    tag_set: Iterable[Mapping[str, str]], most: int = _MOST_ON_BUCKETS
) -> Mapping[str, str]:
    tags: dict[str, str] = {}
    for tag in tag_set:
        if tag["Key"] in tags:
            message = "Cannot provide multiple Tags with the same key"
            raise fault("InvalidTag", message, TagKey=tag["Key"])
        tags[tag["Key"]] = tag["Value"]
    return _checked(tags, most)


def tags_of_object(tag_set: Iterable[Mapping[str, str]]) -> Mapping[str, str]:
    """The tags of an object's TagSet; an object has ten at most."""
    return tags_of_set(tag_set, _MOST)


def tags_as_set(tags: Mapping[str, str]) -> list[Mapping[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _checked(tags: Mapping[str, str], most: int) -> Mapping[str, str]:
    if len(tags) > most:
        kind = "Object" if most == _MOST else "Bucket"
        raise fault("BadRequest", f"{kind} tags cannot be greater than {most}")
    for key, value in tags.items():
        if not 0 < len(key) <= _LONGEST_KEY:
            raise fault("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(value) > _LONGEST_VALUE:
            raise fault("InvalidTag", "The TagValue you have provided is invalid", TagKey=key)
        if key.lower().startswith(_SYSTEM):
            message = "System tags cannot be added/updated by requester"
            raise fault("InvalidTag", message, TagKey=key)
    return tags


class Setting(NamedTuple):
    """A configuration, by the end of its operations' names (``Cors``).

    Requests have it in ``member``. ``missing`` is the error where there is none; without one,
    the answer is ``default``.
    """

    name: str
    member: str
    missing: str = ""
    default: str = "{}"


_AES = {
    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
    "BucketKeyEnabled": False,
    "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
}
_SETTINGS = (
    Setting("Cors", "CORSConfiguration", "NoSuchCORSConfiguration"),
    Setting(
        "Encryption", "ServerSideEncryptionConfiguration", default=json.dumps({"Rules": [_AES]})
    ),
    Setting("LifecycleConfiguration", "LifecycleConfiguration", "NoSuchLifecycleConfiguration"),
    Setting("Logging", "BucketLoggingStatus"),
    Setting("NotificationConfiguration", "NotificationConfiguration"),
    Setting("Website", "WebsiteConfiguration", "NoSuchWebsiteConfiguration"),
)

# What no bucket has here, and the error that says so, where S3 has one.
_NEVER = {
    "GetBucketAccelerateConfiguration": "",
    "GetBucketReplication": "ReplicationConfigurationNotFoundError",
    "GetObjectLockConfiguration": "ObjectLockConfigurationNotFoundError",
}


def encryption_rule(bucket: Bucket) -> Document:
    """What the bucket's encryption does to new objects; empty where it is as in new buckets."""
    rules = json.loads(bucket.settings.get("Encryption", "{}")).get("Rules")
    found: Document = rules[0] if rules else {}
    return found


def _get(setting: Setting, view: View, request: ApiRequest) -> Answer:
    bucket = lookups.bucket_of(view, request)
    text = bucket.settings.get(setting.name)
    if text is None and setting.missing:
        raise fault(setting.missing, BucketName=bucket.name)
    found: Answer = json.loads(text or setting.default)
    return {setting.member: found} if setting.name == "Encryption" else found


def _none(code: str, view: View, request: ApiRequest) -> Answer:
    bucket = lookups.bucket_of(view, request)
    if code:
        raise fault(code, BucketName=bucket.name)
    return {}


def _put(setting: Setting, tx: Transaction, request: ApiRequest) -> Answer:
    value = request.params.get(setting.member)
    if value is None:
        raise malformed()
    bucket, text = lookups.bucket_of(tx, request), json.dumps(value, default=_written)
    tx.put(replace(bucket, settings={**bucket.settings, setting.name: text}))
    return {}


def _written(moment: datetime) -> str:
    """A time as S3 writes it in bodies."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _delete(setting: str, tx: Transaction, request: ApiRequest) -> Answer:
    bucket = lookups.bucket_of(tx, request)
    kept = {name: text for name, text in bucket.settings.items() if name != setting}
    tx.put(replace(bucket, settings=kept))
    return {}


def _tags(view: View, request: ApiRequest) -> Answer:
    bucket = lookups.bucket_of(view, request)
    if not bucket.tags:
        raise fault("NoSuchTagSet", BucketName=bucket.name)
    return {"TagSet": tags_as_set(bucket.tags)}


def _set_tags(tx: Transaction, request: ApiRequest) -> Answer:
    found = tags_of_set(request.params["Tagging"]["TagSet"])
    tx.put(replace(lookups.bucket_of(tx, request), tags=found))
    return {}


def _location(view: View, request: ApiRequest) -> Answer:
    region = lookups.bucket_of(view, request).region
    return {"LocationConstraint": "" if region == REGION else region}


def _payer(view: View, request: ApiRequest) -> Answer:
    """Always the owner: requester pays is not offered."""
    lookups.bucket_of(view, request)
    return {"Payer": "BucketOwner"}


def _versioning(view: View, request: ApiRequest) -> Answer:
    return {"Status": lookups.bucket_of(view, request).versioning or None}


def _set_versioning(tx: Transaction, request: ApiRequest) -> Answer:
    asked, bucket = request.params["VersioningConfiguration"], lookups.bucket_of(tx, request)
    if asked.get("MFADelete") == "Enabled":
        raise fault("NotImplemented", "The sandbox does not implement MFA Delete.")
    if asked.get("Status") is None:
        raise fault("IllegalVersioningConfigurationException")
    tx.put(replace(bucket, versioning=asked["Status"]))
    return {}


def _ownership(view: View, request: ApiRequest) -> Answer:
    bucket = lookups.bucket_of(view, request)
    if not bucket.ownership:
        raise fault("OwnershipControlsNotFoundError", BucketName=bucket.name)
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": bucket.ownership}]}}


def _set_ownership(tx: Transaction, request: ApiRequest) -> Answer:
    """Lists can be disabled where the bucket's gives nothing away."""
    rules = request.params["OwnershipControls"]["Rules"]
    if len(rules) != 1:
        raise malformed()
    bucket, ownership = lookups.bucket_of(tx, request), rules[0]["ObjectOwnership"]
    if ownership == acl.ENFORCED:
        acl.check_disabling(bucket)
    tx.put(replace(bucket, ownership=ownership))
    return {}


def _clear(member: str, empty: object, tx: Transaction, request: ApiRequest) -> Answer:
    tx.put(replace(lookups.bucket_of(tx, request), **{member: empty}))
    return {}


READS: Reads = {
    "GetBucketLocation": _location,
    "GetBucketOwnershipControls": _ownership,
    "GetBucketRequestPayment": _payer,
    "GetBucketTagging": _tags,
    "GetBucketVersioning": _versioning,
    **{f"GetBucket{one.name}": functools.partial(_get, one) for one in _SETTINGS},
    **{operation: functools.partial(_none, code) for operation, code in _NEVER.items()},
}
WRITES: Writes = {
    "DeleteBucketOwnershipControls": functools.partial(_clear, "ownership", ""),
    "DeleteBucketTagging": functools.partial(_clear, "tags", {}),
    "DeletePublicAccessBlock": functools.partial(_clear, "public_access_block", None),
    "PutBucketOwnershipControls": _set_ownership,
    "PutBucketTagging": _set_tags,
    "PutBucketVersioning": _set_versioning,
    **{f"PutBucket{one.name}": functools.partial(_put, one) for one in _SETTINGS},
    "DeleteBucketCors": functools.partial(_delete, "Cors"),
    "DeleteBucketEncryption": functools.partial(_delete, "Encryption"),
    "DeleteBucketLifecycle": functools.partial(_delete, "LifecycleConfiguration"),
    "DeleteBucketWebsite": functools.partial(_delete, "Website"),
}
