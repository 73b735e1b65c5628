"""Makes versions of objects from requests, and stores and changes them in a bucket.

S3 User Guide, "Using versioning in S3 buckets" and "Blocking or unblocking SSE-C for a general
purpose bucket"; S3 API Reference, "PutObject".
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from email.errors import MessageError
from email.header import decode_header, make_header
from typing import NamedTuple

from msgspec.structs import replace

from stslab.policy.request import split_arn
from stslab.sandbox.api import pages
from stslab.sandbox.api.faults import SAYS, fault, invalid_argument, no_such_key
from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.s3 import listing, lookups, needs, preconditions, settings
from stslab.sandbox.s3.access import acl
from stslab.sandbox.s3.requests.params import ADDED, CHECKSUMS, HEADERS, Content
from stslab.sandbox.state.buckets import NULL, Bucket, Object, ObjectVersion, Part
from stslab.sandbox.state.snapshot import Transaction, View

Pieces = tuple[tuple[str, int, int], ...]
"""Where content is: names of bodies, with the first byte and the one after the last."""
Contents = Callable[[Pieces], Content]  # reads content, once in a request

_USUAL = {"ContentType": "binary/octet-stream"}  # an empty one is kept, too
ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})


def draft(view: View, request: ApiRequest, bucket: Bucket) -> ObjectVersion:
    """A new version, without content."""
    params, owner = request.params, acl.owner_of_new(view, request, bucket)
    grants = acl.for_new(view, request, bucket, owner)
    given = {name: params.get(name, _USUAL.get(name)) for name in HEADERS}
    if not params.get("WebsiteRedirectLocation", "/").startswith(("http://", "https://", "/")):
        raise fault("InvalidRedirectLocation")
    return ObjectVersion(
        version_id=new_id(request, bucket),
        modified=request.now,
        headers={name: value for name, value in given.items() if value or name in _USUAL},
        metadata={key: _plain(value) for key, value in (params.get("Metadata") or {}).items()},
        storage_class=params.get("StorageClass", "STANDARD"),
        encryption=encryption(request, bucket),
        tags=settings.tags_of_header(params.get("Tagging")),
        grants=grants,
        owner=owner,
    )


def new_id(request: ApiRequest, bucket: Bucket) -> str:
    content = lookups.stamp(request.now) + secrets.token_hex(3)
    return pages.token(content) if bucket.versioning == "Enabled" else NULL


def told_id(version: ObjectVersion) -> str | None:
    """The version id in the answer to a write; None if it is ``null``."""
    return version.version_id if version.version_id != NULL else None


def _plain(value: str) -> str:
    """A value of metadata without the encoding of RFC 2047, if it has that."""
    with suppress(MessageError, LookupError, UnicodeError):
        return str(make_header(decode_header(value))) if "=?" in value else value
    return value


def encryption(request: ApiRequest, bucket: Bucket) -> Mapping[str, str]:
    asked, rule = request.params, settings.encryption_rule(bucket)
    if asked.get("SSECustomerAlgorithm"):
        blocked = "SSE-C" in str(rule.get("BlockedEncryptionTypes"))
        raise acl.prevented(request, bucket, "SSE-C") if blocked else fault("NotImplemented")
    if asked.get("SSEKMSKeyId") and not asked.get("ServerSideEncryption", "").startswith("aws:kms"):
        raise invalid_argument(SAYS["KMS header"], "SSEKMSKeyId", asked["SSEKMSKeyId"])
    kept = settings.encryption(request, bucket)
    key = split_arn(kept.get("SSEKMSKeyId", ""))
    if key is not None and key.region != bucket.region:
        raise fault("KMS.NotFoundException", f"Invalid arn {key.region}")
    check_signed(request, kept)
    return kept


def check_signed(request: ApiRequest, encryption: Mapping[str, str]) -> None:
    """S3 User Guide, "Using server-side encryption with AWS KMS keys": only Signature Version 4."""
    proof = request.authenticated
    if "SSEKMSKeyId" in encryption and proof and proof.version != "AWS4-HMAC-SHA256":
        raise invalid_argument(SAYS["KMS signature"], "Authorization", "null")


def check_read(request: ApiRequest, version: ObjectVersion, prefix: str = "") -> None:
    """Refuse to read an object, or (``prefix``) a copy's source. None has a key of the caller's."""
    check_signed(request, version.encryption)
    if request.params.get(f"{prefix}SSECustomerAlgorithm"):
        raise fault("InvalidRequest", SAYS["customer key"])
    preconditions.check_read(request, version, prefix)


class Span(NamedTuple):
    """The bytes of an object from ``start`` to before ``end``; ``partial``: a range or part."""

    start: int
    end: int
    partial: bool = False


def sent(request: ApiRequest) -> Content:
    """The content in the request; empty in a call that is only simulated."""
    body = request.params.get("Body")
    return body if isinstance(body, Content) else Content(b"")


def store(
    tx: Transaction, request: ApiRequest, content: Content, members: Iterable[str], number: int = 1
) -> Part:
    """Store the content as a part with these checksums. Those in the request are verified."""
    tx.blobs[content.name] = content.body
    wanted = [name for name in members if name in CHECKSUMS]
    return Part(
        number=number,
        size=len(content.body),
        etag=content.etag,
        blob=content.name,
        modified=request.now,
        checksums={name: request.params.get(name) or content.checksum(name) for name in wanted},
    )


def source_of(view: View, request: ApiRequest) -> tuple[str | None, ObjectVersion]:
    """A copy's source: its version id in the answer, and the version."""
    where, version_id = needs.source(request)
    lookups.existing(view, where.bucket)
    lookups.check_version_id(view, where, version_id)
    version = lookups.version_at(view, where, version_id)
    if version is None or (version.marker and version_id is None):
        raise no_such_key(where.key) if version_id is None else fault("NoSuchVersion")
    if version.marker:
        raise fault("InvalidRequest", SAYS["source deleted"])
    if version.storage_class in ARCHIVED:
        raise fault("InvalidObjectState", SAYS["archived"], StorageClass=version.storage_class)
    check_read(request, version, "CopySource")
    return version_id or told_id(version), version


def copy(contents: Contents, tx: Transaction, request: ApiRequest, version: ObjectVersion) -> Part:
    """The content of ``version`` as one part. It is read only if it came in parts."""
    algorithm = request.params.get("ChecksumAlgorithm")
    wanted = (f"Checksum{algorithm}",) if algorithm else tuple(version.checksums) or (ADDED,)
    if not version.upload and version.parts[0].checksums.keys() >= set(wanted):
        part = replace(version.parts[0], number=1, modified=request.now)
        return replace(part, checksums={name: part.checksums[name] for name in wanted})
    return store(tx, request, contents(pieces(version)), wanted)


def with_content(version: ObjectVersion, part: Part) -> ObjectVersion:
    """``version`` with ``part`` as its whole content, whose MD5 is the ETag unless KMS encrypts."""
    kind = "FULL_OBJECT" if part.checksums else ""
    etag = secrets.token_hex(16) if "SSEKMSKeyId" in version.encryption else part.etag
    return replace(version, parts=(part,), etag=etag, checksums=part.checksums, checksum_type=kind)


def pieces(version: ObjectVersion, span: Span | None = None) -> Pieces:
    """The bytes in ``span``, or all. Only the parts that overlap it have some."""
    span = span or Span(0, version.size)
    found, start = [], 0
    for part in version.parts:
        end = start + part.size
        if start < span.end and end > span.start:
            found.append((part.blob, max(span.start - start, 0), span.end - start))
        start = end
    return tuple(found)


def add(tx: Transaction, request: ApiRequest, new: ObjectVersion, after: str = "") -> ObjectVersion:
    """A version that is named ``null`` replaces an older one of this name."""
    bucket, where = lookups.bucket_of(tx, request), lookups.address_of(request)
    before = item.versions if (item := lookups.object_at(tx, where)) else ()
    # What was written since an upload began, when ``after`` was current, is newer than its object.
    known = [lookups.identity(one) for one in before] if after else []
    place = known.index(after) + 1 if after in known else 0
    newer = tuple(one for one in before[place:] if new.upload and one.modified > new.modified)
    older = tuple(one for one in before if one not in newer)
    if new.version_id == NULL:
        if any(one.version_id == NULL for one in newer):
            return new  # which nobody ever sees
        older = tuple(one for one in older if one.version_id != NULL)
    versions = (*older, new, *newer)
    tx.put(Object(account=bucket.owner, bucket=bucket.name, name=where.key, versions=versions))
    return new


def change(tx: Transaction, request: ApiRequest, **members: object) -> ObjectVersion:
    _, version = lookups.readable(tx, request)
    item, changed = lookups.object_at(tx, lookups.address_of(request)), replace(version, **members)
    if item is not None:
        versions = tuple(changed if one is version else one for one in item.versions)
        tx.put(replace(item, versions=versions))
    return changed


def copy_members(made: Part | ObjectVersion) -> Answer:
    return {"ETag": f'"{made.etag}"', "LastModified": made.modified, **made.checksums}


def part_members(request: ApiRequest, parts: Iterable[Part]) -> Answer:
    after = request.params.get("PartNumberMarker", 0)
    most = min(request.params.get("MaxParts", listing.MOST), listing.MOST)
    rest = [part for part in parts if part.number > after]
    shown = rest[:most]
    return {
        "PartNumberMarker": after,
        "NextPartNumberMarker": shown[-1].number if shown else 0,
        "MaxParts": most,
        "IsTruncated": 0 < most < len(rest),
        "Parts": [
            {"PartNumber": part.number, "Size": part.size, **copy_members(part)} for part in shown
        ],
    }


def write_members(version: ObjectVersion) -> Answer:
    """The members of a write's answer for the version that it made."""
    tells_class = version.storage_class != "STANDARD" and not version.upload
    return {
        "Headers": {"x-amz-storage-class": version.storage_class} if tells_class else {},
        "ETag": f'"{version.etag}"',
        "VersionId": told_id(version),
        **version.encryption,
        **version.checksums,
        "ChecksumType": version.checksum_type or None,
    }
