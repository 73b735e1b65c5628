"""What is set on a bucket: versioning, ownership, tags, blocks, and what is only kept and shown.

S3 API Reference, the operations of the same names. New objects have the encryption that their
bucket's setting says; nothing else depends on what is only kept.
"""

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import parse_qsl

from msgspec.structs import replace

from stslab.sandbox.api.faults import fault, invalid_argument, malformed
from stslab.sandbox.api.identifiers import REGION
from stslab.sandbox.api.model import Answer, ApiRequest, Params, Reads, Writes
from stslab.sandbox.s3 import lookups
from stslab.sandbox.s3.access import acl
from stslab.sandbox.s3.requests.params import Document
from stslab.sandbox.state.buckets import Bucket, PublicAccessBlock
from stslab.sandbox.state.snapshot import Transaction, View

MOST_ON_OBJECTS = 10
_MOST_ON_BUCKETS = 50
# S3 User Guide, "Categorizing your storage using tags": letters, digits, spaces and + - = . _ : / @
_KEY, _VALUE = re.compile(r"[\w\s+\-=.:/@]{1,128}"), re.compile(r"[\w\s+\-=.:/@]{0,256}")
_SYSTEM = "aws:"


def tags_of_header(text: str | None) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(text or "", keep_blank_values=True, max_num_fields=MOST_ON_OBJECTS * 10)
    except ValueError:
        pairs = []
    if len({key for key, _ in pairs}) != len(pairs) or (text and not pairs):
        raise invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
            "parameters without tag name duplicates.",
            "x-amz-tagging",
            text,
        )
    return _checked(dict(pairs), MOST_ON_OBJECTS)


def tags_of_set(
    tag_set: Iterable[Mapping[str, str]],
    most: int = _MOST_ON_BUCKETS,
    system: Mapping[str, str] = MappingProxyType({}),
) -> Mapping[str, str]:
    """The tags that a request gives; AWS's own must be those that are there, ``system``."""
    tags: dict[str, str] = {}
    for tag in tag_set:
        if tag["Key"] in tags:
            message = "Cannot provide multiple Tags with the same key"
            raise fault("InvalidTag", message, TagKey=tag["Key"])
        tags[tag["Key"]] = tag["Value"]
    if not system.items() <= tags.items():
        raise fault("InvalidTag", "System Tags cannot be removed by requester")
    own = {key: value for key, value in tags.items() if key not in system}
    return {**system, **_checked(own, most)}


def tags_as_set(tags: Mapping[str, str]) -> list[Mapping[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _checked(tags: Mapping[str, str], most: int) -> Mapping[str, str]:
    if len(tags) > most:
        kind = "Object" if most == MOST_ON_OBJECTS else "Bucket"
        raise fault("BadRequest", f"{kind} tags cannot be greater than {most}")
    for key, value in tags.items():
        if not _KEY.fullmatch(key):
            raise fault("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if not _VALUE.fullmatch(value):
            message = "The TagValue you have provided is invalid"
            raise fault("InvalidTag", message, TagKey=key, TagValue=value)
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
_ENCRYPTION = Setting(
    "Encryption", "ServerSideEncryptionConfiguration", default=json.dumps({"Rules": [_AES]})
)
_CORS = Setting("Cors", "CORSConfiguration", "NoSuchCORSConfiguration")
_SETTINGS = (
    _ENCRYPTION,
    _CORS,
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


def _own(setting: Setting, bucket: Bucket) -> Answer | None:
    text = bucket.settings.get(setting.name) or ("" if setting.missing else setting.default)
    found: Answer | None = json.loads(text) if text else None
    return {setting.member: found} if setting is _ENCRYPTION else found


def _block(bucket: Bucket) -> Answer | None:
    block = bucket.public_access_block
    found = {said: getattr(block, name) for said, name in _BLOCKS.items()} if block else None
    return {"PublicAccessBlockConfiguration": found} if found else None


_BLOCKS: Mapping[str, str] = {
    "BlockPublicAcls": "block_public_acls",
    "IgnorePublicAcls": "ignore_public_acls",
    "BlockPublicPolicy": "block_public_policy",
    "RestrictPublicBuckets": "restrict_public_buckets",
}
_SHOWN: Mapping[str, tuple[Callable[[Bucket], Answer | None], str]] = {
    "GetBucketLocation": (
        lambda one: {
            "LocationConstraint": one.place or ("" if one.region == REGION else one.region)
        },
        "",
    ),
    "GetBucketOwnershipControls": (
        lambda one: (
            {"OwnershipControls": {"Rules": [{"ObjectOwnership": one.ownership}]}}
            if one.ownership
            else None
        ),
        "OwnershipControlsNotFoundError",
    ),
    # Requester pays is not offered.
    "GetBucketRequestPayment": (lambda _: {"Payer": "BucketOwner"}, ""),
    "GetBucketTagging": (
        lambda one: {"TagSet": tags_as_set(one.tags)} if one.tags else None,
        "NoSuchTagSet",
    ),
    "GetBucketVersioning": (lambda one: {"Status": one.versioning or None}, ""),
    "GetPublicAccessBlock": (_block, "NoSuchPublicAccessBlockConfiguration"),
    **{f"GetBucket{one.name}": (functools.partial(_own, one), one.missing) for one in _SETTINGS},
    **{operation: (lambda _: None, code) for operation, code in _NEVER.items()},
}
"""What each read says of the bucket, and the error where there is nothing to say, if any."""


def _put(setting: Setting, bucket: Bucket, params: Params) -> Params:
    value = params.get(setting.member)
    if value is None:
        raise malformed()
    return {"settings": {**bucket.settings, setting.name: json.dumps(value, default=_written)}}


def _methods(bucket: Bucket, params: Params) -> Params:
    for rule in (params.get("CORSConfiguration") or {}).get("CORSRules") or ():
        for method in rule.get("AllowedMethods") or ():
            if method not in ("GET", "PUT", "HEAD", "POST", "DELETE"):
                raise fault(
                    "InvalidRequest",
                    f"Found unsupported HTTP method in CORS config. Unsupported method is {method}",
                )
    return _put(_CORS, bucket, params)


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def check_key(algorithm: str, key: str | None, message: str) -> None:
    """Refuse a KMS key where another algorithm than KMS's encrypts."""
    if key and not algorithm.startswith("aws:kms"):
        raise invalid_argument(message, "SSEKMSKeyId", key)


def _encrypted(bucket: Bucket, params: Params) -> Params:
    for rule in params["ServerSideEncryptionConfiguration"]["Rules"]:
        default = rule.get("ApplyServerSideEncryptionByDefault") or {"SSEAlgorithm": ""}
        message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms"
        check_key(default["SSEAlgorithm"], default.get("KMSMasterKeyID"), message)
    return _put(_ENCRYPTION, bucket, params)


def _without(setting: str, bucket: Bucket, _params: Params) -> Params:
    return {"settings": {name: text for name, text in bucket.settings.items() if name != setting}}


def _versioned(_bucket: Bucket, params: Params) -> Params:
    asked = params["VersioningConfiguration"]
    if asked.get("MFADelete") == "Enabled":
        raise fault("NotImplemented", "The sandbox does not implement MFA Delete.")
    if asked.get("Status") is None:
        raise fault("IllegalVersioningConfigurationException")
    return {"versioning": asked["Status"]}


def _owned(bucket: Bucket, params: Params) -> Params:
    """Lists can be disabled where the bucket's gives full control to its owner, and no more."""
    rules = params["OwnershipControls"]["Rules"]
    if len(rules) != 1:
        raise malformed()
    if rules[0]["ObjectOwnership"] == acl.ENFORCED and bucket.grants is not None:
        raise fault("InvalidBucketAclWithObjectOwnership")
    return {"ownership": rules[0]["ObjectOwnership"]}


def _tagged(bucket: Bucket, params: Params) -> Params:
    given = params.get("Tagging", {"TagSet": tags_as_set(_system(bucket))})["TagSet"]
    return {"tags": tags_of_set(given, system=_system(bucket))}


def _system(bucket: Bucket) -> Mapping[str, str]:
    """The tags that AWS has set, which nobody else may change."""
    return {key: value for key, value in bucket.tags.items() if key.startswith(_SYSTEM)}


def _blocked(_bucket: Bucket, params: Params) -> Params:
    asked = params["PublicAccessBlockConfiguration"]
    block = PublicAccessBlock(**{name: bool(asked.get(said)) for said, name in _BLOCKS.items()})
    return {"public_access_block": block}


_CHANGED: Mapping[str, Callable[[Bucket, Params], Params]] = {
    "DeleteBucketOwnershipControls": lambda _bucket, _params: {"ownership": ""},
    "DeleteBucketTagging": _tagged,
    "DeletePublicAccessBlock": lambda _bucket, _params: {"public_access_block": None},
    "PutBucketOwnershipControls": _owned,
    "PutBucketTagging": _tagged,
    "PutBucketVersioning": _versioned,
    "PutPublicAccessBlock": _blocked,
    **{f"PutBucket{one.name}": functools.partial(_put, one) for one in _SETTINGS},
    "PutBucketCors": _methods,
    "PutBucketEncryption": _encrypted,
    "DeleteBucketCors": functools.partial(_without, "Cors"),
    "DeleteBucketEncryption": functools.partial(_without, "Encryption"),
    "DeleteBucketLifecycle": functools.partial(_without, "LifecycleConfiguration"),
    "DeleteBucketWebsite": functools.partial(_without, "Website"),
}
"""The members of the bucket that each write changes."""


def _read(
    show: Callable[[Bucket], Answer | None], missing: str, view: View, request: ApiRequest
) -> Answer:
    bucket = lookups.bucket_of(view, request)
    found = show(bucket)
    if found is None and missing:
        raise fault(missing, BucketName=bucket.name)
    return found or {}


def _write(
    change: Callable[[Bucket, Params], Params], tx: Transaction, request: ApiRequest
) -> None:
    bucket = lookups.bucket_of(tx, request)
    tx.put(replace(bucket, **change(bucket, request.params)))


READS: Reads = {name: functools.partial(_read, *row) for name, row in _SHOWN.items()}
WRITES: Writes = {name: functools.partial(_write, change) for name, change in _CHANGED.items()}
