"""Settings of buckets that are kept as they were put, and shown so.

Nothing here depends on them, but for encryption: new objects have what it says. S3 API
Reference, the operations of the same names.
"""

import functools
import json
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.services import Reads, Writes
from stslab.sandbox.s3 import lookups, tags
from stslab.sandbox.s3.faults import fault
from stslab.sandbox.s3.requests.bodies import Document, malformed
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.snapshot import Transaction, View


class Setting(NamedTuple):
    """The end of its operations' names (``Cors``), and the member that requests have it in.

    ``missing`` is the error where there is none; without one, the answer is ``default``.
    """

    name: str
    member: str
    missing: str = ""
    default: str = "{}"
    deleted_by: str = ""


_ENCRYPTION = "Encryption"
_AES = {
    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
    "BucketKeyEnabled": False,
    "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
}
_SETTINGS = (
    Setting("Cors", "CORSConfiguration", "NoSuchCORSConfiguration", deleted_by="DeleteBucketCors"),
    Setting(
        _ENCRYPTION,
        "ServerSideEncryptionConfiguration",
        default=json.dumps({"Rules": [_AES]}),
        deleted_by="DeleteBucketEncryption",
    ),
    Setting(
        "LifecycleConfiguration",
        "LifecycleConfiguration",
        "NoSuchLifecycleConfiguration",
        deleted_by="DeleteBucketLifecycle",
    ),
    Setting("Logging", "BucketLoggingStatus"),
    Setting("NotificationConfiguration", "NotificationConfiguration"),
    Setting(
        "Website",
        "WebsiteConfiguration",
        "NoSuchWebsiteConfiguration",
        deleted_by="DeleteBucketWebsite",
    ),
)


def encryption_rule(bucket: Bucket) -> Document:
    """What the bucket's encryption does to new objects; empty where it is as in new buckets."""
    rules = json.loads(bucket.settings.get(_ENCRYPTION, "{}")).get("Rules")
    found: Document = rules[0] if rules else {}
    return found


def _get(setting: Setting, view: View, request: ApiRequest) -> Answer:
    bucket = lookups.bucket_of(view, request)
    text = bucket.settings.get(setting.name)
    if text is None and setting.missing:
        raise fault(setting.missing, BucketName=bucket.name)
    found: Answer = json.loads(text or setting.default)
    return {setting.member: found} if setting.name == _ENCRYPTION else found


def _put(setting: Setting, tx: Transaction, request: ApiRequest) -> Answer:
    bucket, value = lookups.bucket_of(tx, request), request.params.get(setting.member)
    if value is None:
        raise malformed()
    text = json.dumps(value, default=_written)
    tx.put(replace(bucket, settings={**bucket.settings, setting.name: text}))
    return {}


def _written(moment: datetime) -> str:
    """A time as S3 writes it in bodies."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _delete(setting: Setting, tx: Transaction, request: ApiRequest) -> Answer:
    bucket = lookups.bucket_of(tx, request)
    kept = {name: text for name, text in bucket.settings.items() if name != setting.name}
    tx.put(replace(bucket, settings=kept))
    return {}


def _get_tags(view: View, request: ApiRequest) -> Answer:
    bucket = lookups.bucket_of(view, request)
    if not bucket.tags:
        raise fault("NoSuchTagSet", BucketName=bucket.name)
    return {"TagSet": tags.as_set(bucket.tags)}


def _put_tags(tx: Transaction, request: ApiRequest) -> Answer:
    found = tags.of_set(request.params["Tagging"]["TagSet"])
    tx.put(replace(lookups.bucket_of(tx, request), tags=found))
    return {}


def _delete_tags(tx: Transaction, request: ApiRequest) -> Answer:
    tx.put(replace(lookups.bucket_of(tx, request), tags={}))
    return {}


READS: Reads = {
    "GetBucketTagging": _get_tags,
    **{f"GetBucket{one.name}": functools.partial(_get, one) for one in _SETTINGS},
}
WRITES: Writes = {
    "PutBucketTagging": _put_tags,
    "DeleteBucketTagging": _delete_tags,
    **{f"PutBucket{one.name}": functools.partial(_put, one) for one in _SETTINGS},
    **{one.deleted_by: functools.partial(_delete, one) for one in _SETTINGS if one.deleted_by},
}
