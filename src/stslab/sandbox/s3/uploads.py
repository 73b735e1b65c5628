"""Multipart uploads: begun, filled, completed, given up, listed.

S3 User Guide, "Uploading and copying objects using multipart upload" and "Checking object
integrity in Amazon S3"; S3 API Reference, "CompleteMultipartUpload".
"""

import base64
import hashlib
import secrets
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from stslab.sandbox.api.faults import fault, invalid_argument, malformed
from stslab.sandbox.api.model import Answer, ApiRequest, Reads, Writes
from stslab.sandbox.s3 import conditions, listing, lookups, versions
from stslab.sandbox.s3.conditions import Span
from stslab.sandbox.s3.objects import source_of
from stslab.sandbox.s3.requests.address import Address
from stslab.sandbox.s3.requests.params import ADDED, CHECKSUMS, Content
from stslab.sandbox.s3.versions import Contents
from stslab.sandbox.state.buckets import Bucket, ObjectVersion, Part, Upload
from stslab.sandbox.state.snapshot import Transaction, View

_MOST_PARTS = 10_000
_SMALLEST = 5 * 1024 * 1024
_FULL, _COMPOSITE = "FULL_OBJECT", "COMPOSITE"
# What an algorithm's checksum may be of, where there are parts: the whole, or their checksums, as
# all others are. The first is the default.
_KINDS = {"CRC64NVME": (_FULL,), "CRC32": (_COMPOSITE, _FULL), "CRC32C": (_COMPOSITE, _FULL)}


def _begin(tx: Transaction, request: ApiRequest) -> Answer:
    bucket = lookups.bucket_of(tx, request)
    algorithm = request.params.get("ChecksumAlgorithm", "")
    kinds = _KINDS.get(algorithm, (_COMPOSITE,)) if algorithm else ("",)
    kind = request.params.get("ChecksumType", kinds[0])
    if kind not in kinds:
        what = f"{kind} checksum type cannot be used with the {algorithm.lower()} checksum"
        only = "x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm"
        what = f"The {what} algorithm." if algorithm else f"The {only} header."
        raise fault("InvalidRequest", what)
    upload = Upload(
        account=bucket.owner,
        bucket=bucket.name,
        name=request.params["Key"],
        upload_id=secrets.token_urlsafe(96),
        initiator=request.caller.principal.arn,
        draft=replace(versions.draft(tx, request, bucket), checksum_type=kind),
        algorithm=algorithm,
    )
    tx.put(upload)
    return {
        "Bucket": bucket.name,
        "Key": upload.name,
        "UploadId": upload.upload_id,
        **upload.draft.encryption,
        "ChecksumAlgorithm": algorithm or None,
        "ChecksumType": kind or None,
    }


def put_part(_contents: Contents, tx: Transaction, request: ApiRequest) -> Answer:
    upload = _upload(tx, request)
    wanted = upload.algorithm.lower()
    given = next((name[8:].lower() for name in CHECKSUMS if name in request.params), "null")
    left_out = given == "null" and upload.draft.checksum_type == _FULL
    if wanted and given != wanted and not left_out:
        expected = f"expected checksum Type: {wanted}, actual checksum Type: {given}"
        raise fault("InvalidRequest", f"Checksum Type mismatch occurred, {expected}")
    part = _kept(tx, request, upload, versions.sent(request))
    return {"ETag": f'"{part.etag}"', **part.checksums, **upload.draft.encryption}


def copy_part(contents: Contents, tx: Transaction, request: ApiRequest) -> Answer:
    upload = _upload(tx, request)
    source_id, version = source_of(tx, request)
    span = _source_span(request.params.get("CopySourceRange"), version.size)
    part = _kept(tx, request, upload, contents.of(version, span))
    return {
        "CopyPartResult": {
            "ETag": f'"{part.etag}"',
            "LastModified": part.modified,
            **part.checksums,
        },
        "CopySourceVersionId": source_id,
        **upload.draft.encryption,
    }


def _source_span(asked: str | None, size: int) -> Span:
    if asked is None:
        return Span(0, size)
    span = conditions.ranged(asked, size)
    if not span.partial or asked != f"bytes={span.start}-{span.end - 1}":
        message = (
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
            "and last are the zero-based offsets of the first and last bytes to copy"
        )
        raise invalid_argument(message, "x-amz-copy-source-range", asked)
    return span


def _kept(tx: Transaction, request: ApiRequest, upload: Upload, given: Content) -> Part:
    number = request.params["PartNumber"]
    if not 1 <= number <= _MOST_PARTS:
        message = f"Part number must be an integer between 1 and {_MOST_PARTS}, inclusive"
        raise invalid_argument(message, "partNumber", number)
    part = versions.stored(tx, request, given, [f"Checksum{upload.algorithm}"], number)
    others = (one for one in upload.parts if one.number != number)
    tx.put(replace(upload, parts=tuple(sorted((*others, part), key=lambda one: one.number))))
    return part


def complete(contents: Contents, tx: Transaction, request: ApiRequest) -> Answer:
    """CompleteMultipartUpload. Completing again what is complete changes nothing."""
    bucket, key = lookups.bucket_of(tx, request), request.params["Key"]
    current = lookups.content_at(tx, Address(bucket.name, key), None)
    if current is not None and current.upload == request.params["UploadId"]:
        return _completed(request, bucket, current)
    upload = _upload(tx, request)
    conditions.check_write(request, current)
    parts = tuple(_listed(request, upload))
    if any(part.size < _SMALLEST for part in parts[:-1]):
        raise fault("EntityTooSmall", MinSizeAllowed=_SMALLEST)
    size = sum(part.size for part in parts)
    if (expected := request.params.get("MpuObjectSize", size)) != size:
        what = f"The provided 'x-amz-mp-object-size' header value {expected} does not match"
        raise fault("InvalidRequest", f"{what} what was computed: {size}")
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    made = replace(
        upload.draft,
        modified=request.now,
        etag=f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}",
        parts=parts,
        checksum_type=upload.draft.checksum_type or _FULL,
        upload=upload.upload_id,
    )
    made = replace(made, checksums=_checksums(contents, request, upload, made))
    tx.delete(upload)
    return _completed(request, bucket, versions.add(tx, bucket, key, made))


def _completed(request: ApiRequest, bucket: Bucket, made: ObjectVersion) -> Answer:
    key = request.params["Key"]
    return {
        "Location": f"https://{bucket.name}.s3.{bucket.region}.amazonaws.com/{key}",
        "Bucket": bucket.name,
        "Key": key,
        "ETag": f'"{made.etag}"',
        **versions.told(made, bucket),
    }


def _listed(request: ApiRequest, upload: Upload) -> Iterator[Part]:
    wanted = (request.params.get("MultipartUpload") or {}).get("Parts") or ()
    if not wanted or not all("PartNumber" in one and "ETag" in one for one in wanted):
        raise malformed()
    composite, member = upload.draft.checksum_type == _COMPOSITE, f"Checksum{upload.algorithm}"
    numbers = [one["PartNumber"] for one in wanted]
    if numbers != (list(range(1, len(numbers) + 1)) if composite else sorted(set(numbers))):
        raise fault("InvalidPartOrder", UploadId=upload.upload_id)
    held = {part.number: part for part in upload.parts}
    for one in wanted:
        if composite and member not in one:
            what = f"The upload was created using a {upload.algorithm.lower()} checksum. The "
            what += "complete request must include the checksum for each part. It was missing for "
            raise fault("InvalidRequest", f"{what}part {one['PartNumber']} in the request.")
        part = held.get(one["PartNumber"])
        etag = one["ETag"].strip('"')
        sums = {name: value for name, value in one.items() if name.startswith("Checksum")}
        if part is None or part.etag != etag or not sums.items() <= part.checksums.items():
            named = {"UploadId": upload.upload_id, "PartNumber": one["PartNumber"], "ETag": etag}
            raise fault("InvalidPart", extra=named)
        yield part


def _checksums(
    contents: Contents, request: ApiRequest, upload: Upload, made: ObjectVersion
) -> Mapping[str, str]:
    """The checksum of the whole, or of the parts' checksums; the request's has to be the same."""
    member = f"Checksum{upload.algorithm}" if upload.algorithm else ADDED
    if member not in CHECKSUMS:
        return {}
    if made.checksum_type == _FULL:
        found = contents.of(made).checksum(member)
    else:
        joined = b"".join(base64.b64decode(part.checksums[member]) for part in made.parts)
        found = f"{Content(joined).checksum(member)}-{len(made.parts)}"
    if request.params.get("ChecksumType", made.checksum_type) != made.checksum_type:
        what = f"The upload was created using the {made.checksum_type} checksum mode. The complete "
        raise fault("BadDigest", f"{what}request must use the same checksum mode.")
    # With the number of parts or without it.
    if request.params.get(member, found) not in (found, found.partition("-")[0]):
        what = f"The {member[8:].lower()} you specified did not match"
        raise fault("BadDigest", f"{what} the calculated checksum.")
    return {member: found}


def _upload(view: View, request: ApiRequest) -> Upload:
    """The upload that the request names, of the very key that it names."""
    bucket = lookups.bucket_of(view, request)
    upload = view.get(Upload, bucket.owner, request.params["UploadId"])
    if upload is None or (upload.bucket, upload.name) != (bucket.name, request.params["Key"]):
        raise fault("NoSuchUpload", UploadId=request.params["UploadId"])
    return upload


def _list_parts(view: View, request: ApiRequest) -> Answer:
    upload = _upload(view, request)
    after = request.params.get("PartNumberMarker", 0)
    most = listing.limit(request.params.get("MaxParts"))
    rest = [part for part in upload.parts if part.number > after]
    shown = rest[:most]
    return {
        "Bucket": upload.bucket,
        "Key": upload.name,
        "UploadId": upload.upload_id,
        "PartNumberMarker": after,
        "NextPartNumberMarker": shown[-1].number if shown else after,
        "MaxParts": most,
        "IsTruncated": len(rest) > len(shown),
        "Parts": [_shown(part) for part in shown],
        **_whose(view, upload),
        "ChecksumAlgorithm": upload.algorithm or None,
        "ChecksumType": upload.draft.checksum_type or None,
    }


def _shown(part: Part) -> Answer:
    return {
        "PartNumber": part.number,
        "LastModified": part.modified,
        "ETag": f'"{part.etag}"',
        "Size": part.size,
        **part.checksums,
    }


def _whose(view: View, upload: Upload) -> Answer:
    bucket = lookups.bucket_named(view, upload.bucket)
    owner = lookups.canonical_id(view, bucket) if bucket is not None else upload.account
    return {
        "Initiator": {"ID": upload.initiator, "DisplayName": upload.initiator.rsplit("/", 1)[-1]},
        "Owner": {"ID": owner},
        "StorageClass": upload.draft.storage_class,
    }


def _list_all(view: View, request: ApiRequest) -> Answer:
    """ListMultipartUploads: by key, and of one key by when they were begun."""
    params = request.params
    bucket = lookups.bucket_of(view, request)
    after, after_id = params.get("KeyMarker", ""), params.get("UploadIdMarker") or ""
    most = listing.limit(params.get("MaxUploads"))
    found = listing.page(_after(view, bucket, after, after_id), request, after, most)
    write, last_id = listing.writer(request), found.items[-1].upload_id if found.items else None
    return {
        "KeyMarker": "",
        "UploadIdMarker": after_id,
        **listing.described(request, found, "KeyMarker"),
        "NextKeyMarker": write(found.last) if found.truncated else None,
        "NextUploadIdMarker": last_id if found.truncated else None,
        "Bucket": bucket.name,
        "MaxUploads": most,
        "Uploads": [
            {
                "Key": write(one.name),
                "UploadId": one.upload_id,
                "Initiated": one.draft.modified,
                **_whose(view, one),
                "ChecksumAlgorithm": one.algorithm or None,
                "ChecksumType": one.draft.checksum_type or None,
            }
            for one in found.items
        ],
    }


def _after(view: View, bucket: Bucket, after: str, after_id: str) -> Iterator[tuple[str, Upload]]:
    held = [one for one in view.all(Upload, bucket.owner) if one.bucket == bucket.name]
    held.sort(key=lambda one: (one.name, one.draft.modified, one.upload_id))
    same = [one.upload_id for one in held if one.name == after]
    passed = set(same[: same.index(after_id) + 1]) if after_id in same else set(same)
    for one in held:
        if one.name > after or (one.name == after and one.upload_id not in passed):
            yield one.name, one


READS: Reads = {"ListMultipartUploads": _list_all, "ListParts": _list_parts}
WRITES: Writes = {
    "AbortMultipartUpload": lambda tx, request: tx.delete(_upload(tx, request)),
    "CreateMultipartUpload": _begin,
}
