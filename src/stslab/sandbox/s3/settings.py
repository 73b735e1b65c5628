"""Operations on a bucket's settings, such as versioning, ownership, tags and encryption.

S3 API Reference, the operations of the same names. ``Bucket.settings`` are only stored and
returned; but new objects get the encryption of their bucket.
"""

import base64
import json
import re
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from itertools import combinations, pairwise, product
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import parse_qsl

import jmespath
import msgspec
from msgspec.structs import replace

from stslab.sandbox.api import model
from stslab.sandbox.api.faults import SAYS, fault, invalid_argument, malformed
from stslab.sandbox.api.model import Answer, ApiRequest, Params, Reads, TagList, Writes, tag_list
from stslab.sandbox.s3 import lookups
from stslab.sandbox.s3.access import acl
from stslab.sandbox.s3.requests.params import Document
from stslab.sandbox.state.buckets import Bucket, PublicAccessBlock
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.structures import beside, without
from stslab.vocabulary import REGION

MOST_ON_OBJECTS = 10
_MOST_ON_BUCKETS = 50
# S3 User Guide, "Categorizing your storage using tags". Its spaces include no control characters.
_CHARACTER = r"(?:[\w+\-=.:/@]|[^\S\x00-\x1f\x85])"
_KEY, _VALUE = re.compile(_CHARACTER + "{1,128}"), re.compile(_CHARACTER + "{0,256}")
_FIELD = re.compile("(?:[^=%]|%[0-9A-Fa-f]{2})+(?:=(?:[^=%]|%[0-9A-Fa-f]{2})*)?")
_BEYOND = re.compile("[\U00010000-\U0010ffff]")  # characters that count twice, as in UTF-16
_SYSTEM = "aws:"


def tags_of_header(text: str | None) -> Mapping[str, str]:
    fields = [field for field in (text or "").split("&") if field]
    pairs = [pair for field in fields for pair in parse_qsl(field, keep_blank_values=True)]
    if not all(map(_FIELD.fullmatch, fields)) or len({key for key, _ in pairs}) != len(pairs):
        raise invalid_argument(SAYS["tags in header"], "x-amz-tagging", text)
    return _checked(dict(pairs), MOST_ON_OBJECTS)


def tags_of_set(
    tag_set: TagList, most: int = _MOST_ON_BUCKETS, system: Mapping[str, str] = MappingProxyType({})
) -> Mapping[str, str]:
    """The tags in a request, checked. They must include AWS's own tags, ``system``."""
    tags: dict[str, str] = {}
    for tag in tag_set:
        if tag["Key"] in tags:
            raise fault("InvalidTag", SAYS["tag twice"], TagKey=tag["Key"])
        tags[tag["Key"]] = tag["Value"]
    if not system.items() <= tags.items():
        raise fault("InvalidTag", "System Tags cannot be removed by requester")
    return {**system, **_checked(without(tags, *system), most)}


def _checked(tags: Mapping[str, str], most: int) -> Mapping[str, str]:
    kind = "object" if most == MOST_ON_OBJECTS else "bucket"
    if len(tags) > most:
        raise fault("BadRequest", SAYS[f"tags of {kind}"].format(most))
    for key, value in tags.items():
        if not _KEY.fullmatch(_BEYOND.sub(r"\g<0>\g<0>", key)):
            raise fault("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if not _VALUE.fullmatch(_BEYOND.sub(r"\g<0>\g<0>", value)):
            raise fault("InvalidTag", SAYS["tag value"], TagKey=key, TagValue=value)
        if key.lower().startswith(_SYSTEM):
            case = " in capitals" if kind == "bucket" and not key.startswith(_SYSTEM) else ""
            raise fault("InvalidTag", SAYS[f"system tag of {kind}{case}"], TagKey=key)
    return tags


class _Wrong(msgspec.Struct, frozen=True):
    """What S3 refuses in a part of a setting, and how it says so: a row of ``settings.yaml``."""

    when: str = "null"
    matches: str = ""
    unique: str = "`[]`"
    tells: str = "[@]"
    code: str = "MalformedXML"
    says: str = ""
    argument: str = ""

    def refuse(self, part: object, region: str) -> None:
        repeated = jmespath.search(self.unique, part) or ()
        fits = self.matches and re.search(self.matches.replace("REGION", region), str(part))
        if fits or jmespath.search(self.when, part) or len({*repeated}) < len(repeated):
            found = jmespath.search(self.tells, part)
            names = ("ArgumentName", "ArgumentValue")
            named = zip(names, (self.argument, *found[-1:]), strict=False)
            raise fault(self.code, self.says.format(*found), dict(named) if self.argument else {})


_FILTER = "Filter.Key.FilterRules"
_Rows = Mapping[str, Mapping[str, tuple[_Wrong, ...]]]
_WRONG = msgspec.convert(beside(__file__, "settings.yaml"), _Rows)


def _name_notifications(notifications: Document) -> None:
    """Each configuration gets an id, and the names of its filters begin with a capital letter.

    Two of them can't be for the same event and key ("Configuring event notifications using object
    key name filtering").
    """
    rows = jmespath.search("*[] | [?Events]", notifications) or ()
    for row in rows:
        row["Id"] = row.get("Id") or str(uuid.uuid4())
        for rule in jmespath.search(_FILTER, row) or ():
            rule["Name"] = rule["Name"].capitalize()
    for (one, here), (other, there) in combinations([(row, _scope(row)) for row in rows], 2):
        overlap = all(
            any(a.startswith(b) or b.startswith(a) for a, b in product(*both))
            for both in zip(here, there, strict=True)
        )
        if overlap and (one.get("Filter") or other.get("Filter")):
            raise fault("InvalidArgument", SAYS["notifications ambiguous"])
        if overlap:
            told = ", ".join(one["Events"] + other["Events"])
            raise invalid_argument(SAYS["notifications overlap"], "Event", told)


def _scope(row: Document) -> tuple[set[str], ...]:
    """What keys begin with, what they end with, read backwards, and what events begin with."""
    rules = {rule["Name"]: rule["Value"] for rule in jmespath.search(_FILTER, row) or ()}
    # s3:ObjectCreated:* is all with s3:ObjectCreated:
    events = {f"{event}$".partition("*")[0] for event in row["Events"]}
    return {rules.get("Prefix", "")}, {rules.get("Suffix", "")[::-1]}, events


_RANK_AND_LEAST: Mapping[str, list[int]] = beside(__file__, "storage_classes.yaml")
_MOVES = {"Transition": "Days", "NoncurrentVersionTransition": "NoncurrentDays"}


def _finish_rules(lifecycle: Document) -> None:
    for rule, (action, days) in product(lifecycle["Rules"], _MOVES.items()):
        rule["ID"] = rule.get("ID") or base64.b64encode(str(uuid.uuid4()).encode()).decode()
        prefix = jmespath.search("not_null(Filter.Prefix, Filter.And.Prefix, Prefix)", rule)
        scope = "" if prefix is None else f"prefix={prefix}"
        moves = jmespath.search(f"{action}s[?{days}].[{days}, StorageClass]", rule) or ()
        steps = sorted((when, _RANK_AND_LEAST[name], name) for when, name in moves)
        for (when, (rank, least), name), (after, (higher, _), other) in pairwise(steps):
            if higher <= rank or after < when + least:
                says = SAYS["moves back" if higher <= rank else "moves early"]
                said = says.format(days, action, scope, other, name, least)
                raise invalid_argument(said, days, after)


class Setting(NamedTuple):
    """A configuration of a bucket: the end of its operations' names, and the parameter with it.

    A bucket without it answers with the error ``missing``, if there is one.
    """

    name: str
    member: str
    missing: str = ""
    fill: Callable[[Document], None] = lambda _: None  # sets what S3 adds


_AES = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
_NO_SSE_C = {"BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}
_WITH_SSE_C = ("me-central-1", "me-south-1")  # the regions whose new buckets take it
SSE = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")  # the encryption of an object
_OWN_KEY = "alias/aws/s3"  # of the key that each account has for S3, which is used if none is named
_LIFECYCLE, _LEAST = "LifecycleConfiguration", "TransitionDefaultMinimumObjectSize"
_USUAL_LEAST = "all_storage_classes_128K"
_SETTINGS = (
    Setting("Encryption", "ServerSideEncryptionConfiguration"),
    Setting("Cors", "CORSConfiguration", "NoSuchCORSConfiguration"),
    Setting(_LIFECYCLE, _LIFECYCLE, "NoSuchLifecycleConfiguration", fill=_finish_rules),
    Setting("Logging", "BucketLoggingStatus"),
    Setting("NotificationConfiguration", "NotificationConfiguration", fill=_name_notifications),
    Setting("Website", "WebsiteConfiguration", "NoSuchWebsiteConfiguration"),
)


def encryption_rule(bucket: Bucket) -> Document:
    """The encryption rule for new objects."""
    usual = _AES if bucket.region in _WITH_SSE_C else {**_AES, **_NO_SSE_C}
    stored = json.loads(bucket.settings.get("Encryption", '{"Rules": [{}]}'))["Rules"][0]
    return {**usual, **stored}


def encryption(request: ApiRequest, bucket: Bucket) -> Mapping[str, str]:
    """How S3 encrypts what a request writes: as the request asks, or else as the bucket does."""
    params, rule = request.params, encryption_rule(bucket)
    default = rule.get("ApplyServerSideEncryptionByDefault") or {}
    usual = (default.get("SSEAlgorithm", "AES256"), default.get("KMSMasterKeyID"))
    asked = (params.get("ServerSideEncryption", ""), params.get("SSEKMSKeyId"))
    algorithm, key = asked if asked[0] else usual
    fewer = algorithm == "aws:kms" and params.get("BucketKeyEnabled", rule.get("BucketKeyEnabled"))
    kept = {name: str(one) for name, one in zip(SSE, (algorithm, key, fewer), strict=True) if one}
    if algorithm.startswith("aws:kms"):
        account = bucket.owner if request.caller.kind == "Anonymous" else request.caller.account
        kept["SSEKMSKeyId"] = _key_arn(key or _OWN_KEY, bucket.region, account)
    return kept


def _key_arn(key: str, region: str, owner: str) -> str:
    """The ARN of a KMS key of an account. Each alias stands for a key of its own."""
    if alias := re.fullmatch("(?:arn:aws:kms:([^:]+):([^:]+):)?(alias/.+)", key):
        region, owner = alias[1] or region, alias[2] or owner
        key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{region}/{owner}/{alias[3]}"))
    return key if key.startswith("arn:") else f"arn:aws:kms:{region}:{owner}:key/{key}"


def _stored(setting: Setting, bucket: Bucket) -> Answer | None:
    if setting.name == "Encryption":
        return {setting.member: {"Rules": [encryption_rule(bucket)]}}
    text = bucket.settings.get(setting.name, "" if setting.missing else "{}")
    return dict(json.loads(text)) if text else None


def _block(bucket: Bucket) -> Answer | None:
    block = bucket.public_access_block
    values = block and {member: getattr(block, name) for member, name in _BLOCKS.items()}
    return {"PublicAccessBlockConfiguration": values} if values else None


def constraint(bucket: Bucket) -> str:
    """Its LocationConstraint; us-east-1 has none."""
    return bucket.place or ("" if bucket.region == REGION else bucket.region)


def _ownership(bucket: Bucket) -> Answer | None:
    rules = [{"ObjectOwnership": bucket.ownership}]
    return {"OwnershipControls": {"Rules": rules}} if bucket.ownership else None


def _tags(bucket: Bucket) -> Answer | None:
    size = 1 << (len(bucket.tags) - 1).bit_length()
    return {"TagSet": tag_list(model.hashed(bucket.tags, size))} if bucket.tags else None


def _unlocked(_bucket: Bucket) -> Answer:
    raise fault("InvalidRequest", SAYS["no lock"])


_NONE = ("Analytics", "IntelligentTiering", "Inventory", "Metrics")  # what no bucket has
_UNKNOWN = "NoSuchConfiguration"  # it names no bucket
_LOCKS = ("GetObjectLegalHold", "GetObjectRetention", "PutObjectLegalHold", "PutObjectRetention")
# BlockPublicAcls -> block_public_acls
_BLOCKS = {name.title().replace("_", ""): name for name in PublicAccessBlock.__struct_fields__}
_SHOWN: Mapping[str, tuple[Callable[[Bucket], Answer | None], str]] = {
    "GetBucketLocation": (lambda one: {"LocationConstraint": constraint(one)}, ""),
    "GetBucketOwnershipControls": (_ownership, "OwnershipControlsNotFoundError"),
    # Requester pays is not supported.
    "GetBucketRequestPayment": (lambda _: {"Payer": "BucketOwner"}, ""),
    "GetBucketTagging": (_tags, "NoSuchTagSet"),
    "GetBucketVersioning": (
        lambda one: {"Status": one.versioning or None, "MFADelete": one.mfa_delete or None},
        "",
    ),
    "GetPublicAccessBlock": (_block, "NoSuchPublicAccessBlockConfiguration"),
    **{f"GetBucket{one.name}": (partial(_stored, one), one.missing) for one in _SETTINGS},
    # What no bucket has here.
    "GetBucketAbac": (lambda _: {"AbacStatus": {"Status": "Disabled"}}, ""),
    "GetBucketAccelerateConfiguration": (lambda _: None, ""),
    "GetBucketReplication": (lambda _: None, "ReplicationConfigurationNotFoundError"),
    "GetObjectLockConfiguration": (lambda _: None, "ObjectLockConfigurationNotFoundError"),
    **{f"ListBucket{one}Configurations": (lambda _: {"IsTruncated": False}, "") for one in _NONE},
    **{f"GetBucket{one}Configuration": (lambda _: None, _UNKNOWN) for one in _NONE},
    **{f"DeleteBucket{one}Configuration": (lambda _: None, _UNKNOWN) for one in _NONE},
    **dict.fromkeys(_LOCKS, (_unlocked, "")),
}
"""The answer of each operation that changes nothing, and the error if the answer is None."""


def _put(setting: Setting, bucket: Bucket, params: Params) -> Params:
    value = params.get(setting.member)
    if value is None:
        raise malformed()
    if setting.name == _LIFECYCLE:
        value = {**value, _LEAST: params.get(_LEAST, _USUAL_LEAST)}
    text = json.dumps(value, default=lambda time: f"{time:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z")
    kept = json.loads(text)
    for where, rows in _WRONG.get(setting.name, {}).items():
        for part, row in product(jmespath.search(where, kept) or (), rows):
            row.refuse(part, bucket.region)
    setting.fill(kept)
    return {"settings": {**bucket.settings, setting.name: json.dumps(kept)}}


def _without(setting: str, bucket: Bucket, _params: Params) -> Params:
    return {"settings": {name: text for name, text in bucket.settings.items() if name != setting}}


def _versioned(bucket: Bucket, params: Params) -> Params:
    configuration = params["VersioningConfiguration"]
    if configuration.get("MFADelete") == "Enabled":
        raise fault("NotImplemented", "The embedded account does not support MFA Delete.")
    if configuration.get("Status") is None:
        raise fault("IllegalVersioningConfigurationException")
    mfa_delete = configuration.get("MFADelete") or bucket.mfa_delete
    return {"versioning": configuration["Status"], "mfa_delete": mfa_delete}


def _owned(bucket: Bucket, params: Params) -> Params:
    """ACLs can be disabled only while the bucket's ACL has no grants but the owner's."""
    rules = params["OwnershipControls"]["Rules"]
    if len(rules) != 1:
        raise malformed()
    if rules[0]["ObjectOwnership"] == acl.ENFORCED and bucket.grants is not None:
        raise fault("InvalidBucketAclWithObjectOwnership")
    return {"ownership": rules[0]["ObjectOwnership"]}


def _tagged(bucket: Bucket, params: Params) -> Params:
    system = {key: value for key, value in bucket.tags.items() if key.startswith(_SYSTEM)}
    tagging = params.get("Tagging", {"TagSet": tag_list(system)})
    return {"tags": tags_of_set(tagging.get("TagSet", ()), system=system)}


def _retagged(bucket: Bucket, params: Params) -> Params:
    """What S3's control API does for CloudFormation: TagResource and UntagResource."""
    added = {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
    tags = without(bucket.tags, *params.get("TagKeys", ())) | added
    return _tagged(bucket, {"Tagging": {"TagSet": tag_list(tags)}})


def _blocked(_bucket: Bucket, params: Params) -> Params:
    given = params["PublicAccessBlockConfiguration"]
    if not given:
        raise fault("InvalidRequest", "Must specify at least one configuration.")
    values = {name: bool(given.get(member)) for member, name in _BLOCKS.items()}
    return {"public_access_block": PublicAccessBlock(**values)}


_CHANGED: Mapping[str, Callable[[Bucket, Params], Params]] = {
    "DeleteBucketOwnershipControls": lambda _bucket, _params: {"ownership": ""},
    "DeleteBucketTagging": _tagged,
    "DeletePublicAccessBlock": lambda _bucket, _params: {"public_access_block": None},
    "PutBucketOwnershipControls": _owned,
    "PutBucketTagging": _tagged,
    "PutBucketVersioning": _versioned,
    "PutPublicAccessBlock": _blocked,
    "TagResource": _retagged,
    "UntagResource": _retagged,
    **{f"PutBucket{one.name}": partial(_put, one) for one in _SETTINGS},
    "DeleteBucketLifecycle": partial(_without, "LifecycleConfiguration"),
    **{f"DeleteBucket{one}": partial(_without, one) for one in ("Cors", "Encryption", "Website")},
}
"""For each write, a function that returns the changed members of the bucket."""


def _read(
    show: Callable[[Bucket], Answer | None], missing: str, view: View, request: ApiRequest
) -> Answer:
    bucket, token = lookups.bucket_of(view, request), request.params.get("ContinuationToken")
    if token:  # no list has another page
        raise fault("MalformedContinuationToken")
    answer = show(bucket)
    if answer is None and missing:
        raise fault(missing, extra={} if missing == _UNKNOWN else {"BucketName": bucket.name})
    return (answer or {}) | ({"ContinuationToken": ""} if token == "" else {})


def _write(
    change: Callable[[Bucket, Params], Params], tx: Transaction, request: ApiRequest
) -> Answer:
    bucket = lookups.bucket_of(tx, request)
    tx.put(replace(bucket, **change(bucket, request.params)))
    return {_LEAST: request.params.get(_LEAST, _USUAL_LEAST)}  # told by PutBucketLifecycle...


def _put_logging(tx: Transaction, request: ApiRequest) -> Answer:
    """S3 User Guide, "Troubleshoot server access logging". The logs need no permission yet."""
    answer = _write(_CHANGED["PutBucketLogging"], tx, request)
    source, status = lookups.bucket_of(tx, request), request.params["BucketLoggingStatus"]
    logging = status.get("LoggingEnabled") or {"TargetBucket": source.name}
    target = tx.get(Bucket, "", logging["TargetBucket"])
    if target is None or target.owner != source.owner:
        says = SAYS["logs to another account" if target else "logs to no bucket"]
        raise fault("InvalidTargetBucketForLogging", says, TargetBucket=logging["TargetBucket"])
    if target.region != source.region:
        both = {"SourceBucketLocation": source, "TargetBucketLocation": target}
        told = {name: constraint(bucket) for name, bucket in both.items() if constraint(bucket)}
        raise fault("CrossLocationLoggingProhibitted", SAYS["logs to another region"], told)
    if logging.get("TargetGrants") and target.ownership == acl.ENFORCED:
        raise fault("AccessControlListNotSupported", SAYS["logs with grants"])
    return answer


READS: Reads = {name: partial(_read, *row) for name, row in _SHOWN.items()}
WRITES: Writes = {name: partial(_write, change) for name, change in _CHANGED.items()} | {
    "PutBucketLogging": _put_logging
}
