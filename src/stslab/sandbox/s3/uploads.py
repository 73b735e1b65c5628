"""Operations on multipart uploads and their parts.

S3 User Guide, "Uploading and copying objects using multipart upload" and "Checking object
integrity in Amazon S3"; S3 API Reference, "CompleteMultipartUpload".
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote_plus

from msgspec.structs import replace

from stslab.sandbox.api import pages
from stslab.sandbox.api.faults import SAYS, fault, invalid_argument, malformed
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest
from stslab.sandbox.api.policies import by_id
from stslab.sandbox.s3 import listing, lookups, preconditions, settings, versions
from stslab.sandbox.s3.access import acl
from stslab.sandbox.s3.objects import check_number
from stslab.sandbox.s3.requests.params import ADDED, CHECKSUMS, Content, Document
from stslab.sandbox.s3.versions import Contents, Span
from stslab.sandbox.state.buckets import Bucket, ObjectVersion, Part, Upload
from stslab.sandbox.state.snapshot import Account, Transaction, View

_SMALLEST = 5 * 1024 * 1024
_ASKED = (*settings.SSE, *acl.HEADERS, "ACL", "StorageClass")
_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{1,19})", re.ASCII)
_FULL, _COMPOSITE = "FULL_OBJECT", "COMPOSITE"
# The checksums that an upload without an algorithm may be completed with: they are ignored, except
# that of CRC64NVME. Others were added later.
_OLD = {"ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256"}
# The checksum types of an algorithm, of which the first is the default. Other algorithms have only
# composite checksums. S3 User Guide, "Checking object integrity in Amazon S3".
_KINDS = {"CRC64NVME": (_FULL,), "CRC32": (_COMPOSITE, _FULL), "CRC32C": (_COMPOSITE, _FULL)}


def create_multipart_upload(tx: Transaction, request: ApiRequest) -> Answer:
    bucket, caller = lookups.bucket_of(tx, request), request.caller
    algorithm = request.params.get("ChecksumAlgorithm", "")
    kinds = _KINDS.get(algorithm, (_COMPOSITE,)) if algorithm else ("",)
    kind = request.params.get("ChecksumType", kinds[0])
    if kind not in kinds:
        message = SAYS["checksum kind" if algorithm else "checksum kind alone"]
        raise fault("InvalidRequest", message.format(kind, algorithm.lower()))
    upload = Upload(
        account=bucket.owner,
        bucket=bucket.name,
        name=request.params["Key"],
        upload_id=pages.token(lookups.stamp(request.now) + secrets.token_hex(36)),
        initiator=caller.user_id if caller.user_name else caller.principal.arn,
        draft=replace(versions.draft(tx, request, bucket), checksum_type=kind),
        asked={name: str(request.params[name]) for name in _ASKED if request.params.get(name)},
        algorithm=algorithm,
        current=lookups.identity(lookups.version_at(tx, lookups.address_of(request), None)),
    )
    tx.put(upload)
    return _of_upload(upload)


def upload_part(_contents: Contents, tx: Transaction, request: ApiRequest) -> Answer:
    upload = _upload(tx, request)
    wanted = upload.algorithm.lower()
    given = next((name[8:].lower() for name in CHECKSUMS if name in request.params), "null")
    left_out = given == "null" and upload.draft.checksum_type == _FULL
    if wanted and given != wanted and not left_out:
        raise fault("InvalidRequest", SAYS["checksum of upload"].format(wanted, given))
    part = _put(tx, request, upload, versions.sent(request))
    sent = {name: request.params[name] for name in CHECKSUMS if name in request.params}
    return {"ETag": f'"{part.etag}"', **part.checksums, **sent, **_of_upload(upload)}


def upload_part_copy(contents: Contents, tx: Transaction, request: ApiRequest) -> Answer:
    upload = _upload(tx, request)
    source_id, version = versions.source_of(tx, request)
    span = _source_span(request.params.get("CopySourceRange"), version.size)
    part = _put(tx, request, upload, contents(versions.pieces(version, span)))
    return {
        "CopyPartResult": versions.copy_members(part),
        "CopySourceVersionId": source_id,
        **_of_upload(upload),
    }


def _of_upload(upload: Upload) -> Answer:
    """What answers tell of an upload and the version that it will make."""
    return {
        "Bucket": upload.bucket,
        "Key": upload.name,
        "UploadId": upload.upload_id,
        "VersionId": versions.told_id(upload.draft),
        "ChecksumAlgorithm": upload.algorithm or None,
        "ChecksumType": upload.draft.checksum_type or None,
        **upload.draft.encryption,
    }


def _source_span(header: str | None, size: int) -> Span:
    if header is None:
        return Span(0, size)
    match = _RANGE.fullmatch(header)
    first, last = map(int, match.groups()) if match else (1, 0)
    if first <= last < size:
        return Span(first, last + 1, partial=True)
    if size <= first <= last:
        raise fault("InvalidRequest", SAYS["copy range beyond"])
    message = SAYS["copy range" if first > last else "copy range too long"].format(size)
    raise invalid_argument(message, "x-amz-copy-source-range", header)


def _put(tx: Transaction, request: ApiRequest, upload: Upload, content: Content) -> Part:
    number = request.params.get("PartNumber", 0)  # `?partNumber=` has none
    check_number(number)
    versions.check_signed(request, upload.draft.encryption)
    if request.params.get("SSECustomerAlgorithm"):
        raise fault("InvalidRequest", SAYS["customer key of part"])
    part = versions.store(tx, request, content, [f"Checksum{upload.algorithm}"], number)
    part = replace(part, etag=versions.with_content(upload.draft, part).etag)
    others = (other for other in upload.parts if other.number != number)
    tx.put(replace(upload, parts=tuple(sorted((*others, part), key=lambda one: one.number))))
    return part


def complete_multipart_upload(contents: Contents, tx: Transaction, request: ApiRequest) -> Answer:
    """With the same parts again it changes nothing while its object is there: no checksum then."""
    bucket, upload_id = lookups.bucket_of(tx, request), request.params["UploadId"]
    item = lookups.object_at(tx, lookups.address_of(request))
    preconditions.condition(request)
    listed = "MultipartUpload" in request.params
    wanted = request.params["MultipartUpload"].get("Parts") or () if listed else ()
    if listed and not (wanted and all("PartNumber" in row and "ETag" in row for row in wanted)):
        raise malformed()
    given = [(row["PartNumber"], row["ETag"].strip('"')) for row in wanted]
    for one in item.versions if item and upload_id else ():
        if one.upload == upload_id and given == [(part.number, part.etag) for part in one.parts]:
            return _completed(request, bucket, replace(one, checksums={}, checksum_type=""))
    upload = _upload(tx, request)
    preconditions.check_write(tx, request, upload)
    kind = upload.draft.checksum_type or "null"
    if request.params.get("ChecksumType", kind) != kind:
        raise fault("InvalidRequest", SAYS["checksum mode"].format(kind))
    parts = tuple(_requested_parts(upload, wanted))
    if small := next((part for part in parts[:-1] if part.size < _SMALLEST), None):
        sizes = {"ProposedSize": small.size, "MinSizeAllowed": _SMALLEST}
        raise fault("EntityTooSmall", extra=sizes, PartNumber=small.number, ETag=small.etag)
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    new_id = versions.new_id(request, bucket) if upload.current is None else upload.draft.version_id
    version = replace(
        upload.draft,
        version_id=new_id,
        etag=f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}",
        parts=parts,
        checksum_type=upload.draft.checksum_type or _FULL,
        upload=upload.upload_id,
    )
    if (expected := request.params.get("MpuObjectSize", version.size)) != version.size:
        said = "size of upload" if expected >= 0 else "negative size of upload"
        raise fault("InvalidRequest", SAYS[said].format(expected, version.size))
    version = replace(version, checksums=_checksums(contents, request, upload, version))
    tx.delete(upload)
    return _completed(request, bucket, versions.add(tx, request, version, upload.current or ""))


def _completed(request: ApiRequest, bucket: Bucket, version: ObjectVersion) -> Answer:
    key, host = request.params["Key"], f"s3.{bucket.region}.amazonaws.com"
    in_host = request.http.header("Host").startswith(f"{bucket.name}.")
    where = f"{bucket.name}.{host}" if in_host else f"{host}/{bucket.name}"
    return {
        "Location": f"https://{where}/{quote_plus(key)}",
        "Bucket": bucket.name,
        "Key": key,
        **versions.write_members(version),
    }


def _requested_parts(upload: Upload, wanted: Sequence[Document]) -> Iterator[Part]:
    if not wanted:
        raise fault("InvalidRequest", "You must specify at least one part")
    composite, member = upload.draft.checksum_type == _COMPOSITE, f"Checksum{upload.algorithm}"
    numbers = [row["PartNumber"] for row in wanted]
    if min(numbers) < 1:
        raise invalid_argument("PartNumber must be >= 1", "PartNumber", min(numbers))
    if numbers != sorted({*numbers}):
        raise fault("InvalidPartOrder", UploadId=upload.upload_id)
    parts = {part.number: part for part in upload.parts}
    for row, number in zip(wanted, numbers, strict=True):
        sums = {name: value for name, value in row.items() if name.startswith("Checksum")}
        if composite and sums and member not in sums:
            other = next(iter(sums))[8:].lower()
            raise fault("BadDigest", SAYS["checksum of part"].format(other, number))
        if composite and not sums:
            message = SAYS["checksum missing"].format(upload.algorithm.lower(), number)
            raise fault("InvalidRequest", message)
        part, etag = parts.get(number), row["ETag"].strip('"')
        if part is None or part.etag != etag or not sums.items() <= part.checksums.items():
            raise fault("InvalidPart", UploadId=upload.upload_id, PartNumber=number, ETag=etag)
        yield part
    if composite and numbers[-1] != len(numbers):
        raise ApiFault("InternalError", fault("InternalError").message, log={"cause": "part gaps"})


def _checksums(
    contents: Contents, request: ApiRequest, upload: Upload, version: ObjectVersion
) -> Mapping[str, str]:
    """The full-object or the composite checksum. Raises BadDigest if the request has another."""
    member = f"Checksum{upload.algorithm}" if upload.algorithm else ADDED
    if version.checksum_type == _FULL:
        checksum = contents(versions.pieces(version)).checksum(member)
    else:
        joined = b"".join(base64.b64decode(part.checksums[member]) for part in version.parts)
        checksum = f"{Content(joined).checksum(member)}-{len(version.parts)}"
    sent = {name: value for name, value in request.params.items() if name.startswith("Checksum")}
    given = {name: value for name, value in sent.items() if name != "ChecksumType"}
    if not upload.algorithm and (late := next((name for name in given if name not in _OLD), None)):
        raise fault("InvalidRequest", SAYS["checksum of upload"].format("null", late[8:].lower()))
    # The request may leave out the number of parts, and the type if it is the algorithm's default.
    kind = request.params.get("ChecksumType") or _KINDS.get(member[8:], (_COMPOSITE,))[0]
    values = (checksum, checksum.partition("-")[0]) if kind == version.checksum_type else ()
    others = any(name != member or value not in values for name, value in given.items())
    if others and (upload.algorithm or member in given):
        raise fault("BadDigest", SAYS["checksum of whole"].format(member[8:].lower()))
    return {member: checksum}


def _upload(view: View, request: ApiRequest) -> Upload:
    bucket = lookups.bucket_of(view, request)
    upload = view.get(Upload, bucket.owner, request.params["UploadId"])
    if upload is None or (upload.bucket, upload.name) != (bucket.name, request.params["Key"]):
        raise fault("NoSuchUpload", UploadId=request.params["UploadId"])
    return upload


def abort_multipart_upload(tx: Transaction, request: ApiRequest) -> Answer:
    """Also succeeds for an upload that has ended, which S3 remembers for hours."""
    bucket, upload_id = lookups.bucket_of(tx, request), request.params["UploadId"]
    if not tx.get(Upload, bucket.owner, upload_id) and pages.in_token(upload_id):
        return {}
    tx.delete(upload := _upload(tx, request))
    return {"VersionId": versions.told_id(upload.draft)}


def list_parts(view: View, request: ApiRequest) -> Answer:
    upload = _upload(view, request)
    return {**versions.part_members(request, upload.parts), **_facts(view, upload)}


def _facts(view: View, upload: Upload) -> Answer:
    owner = acl.owner_of(view, lookups.existing(view, upload.bucket), upload.draft)
    arn = user.arn if (user := by_id(view, upload.initiator)) else upload.initiator
    roots = {one.root_arn: one.canonical_id for one in view.everywhere(Account)}
    name = arn.partition(":assumed-role/")[2] or arn.rpartition("/")[2]
    return {
        "Initiator": {"ID": roots[arn]} if arn in roots else {"ID": arn, "DisplayName": name},
        "Owner": {"ID": owner},
        "StorageClass": upload.draft.storage_class,
        **_of_upload(upload),
    }


def list_multipart_uploads(view: View, request: ApiRequest) -> Answer:
    """Sorted by key, then by start time."""
    params, bucket = request.params, lookups.bucket_of(view, request)
    after = params.get("KeyMarker", "")
    after_id = params.get("UploadIdMarker", "") if after else ""
    page = listing.page(_after(view, bucket, after, after_id), request, after)
    write = listing.writer(request)
    ends = next((one for one in page.items[-1:] if one.name == page.last), None)
    return {
        "KeyMarker": "",
        "UploadIdMarker": after_id,
        **listing.page_members(request, page, "KeyMarker"),
        "NextKeyMarker": write(page.last) if ends or page.truncated else "",
        "NextUploadIdMarker": ends.upload_id if ends else "",
        "Bucket": bucket.name,
        "Uploads": [
            {
                **_facts(view, upload),
                "Key": write(upload.name),
                "Initiated": upload.draft.modified,
            }
            for upload in page.items
        ],
    }


def _after(view: View, bucket: Bucket, after: str, after_id: str) -> list[tuple[str, Upload]]:
    """What follows a place, which an upload has even when it has ended: ids begin with a time."""
    uploads = [one for one in view.all(Upload, bucket.owner) if one.bucket == bucket.name]
    of_other = any(one.upload_id == after_id and one.name != after for one in uploads)
    if of_other or (after_id and not pages.in_token(after_id)):
        raise invalid_argument("Invalid uploadId marker", "upload-id-marker", after_id)
    places = {(one.name, pages.in_token(one.upload_id)): one for one in uploads}
    passed = (after, pages.in_token(after_id) or "~")
    return [(place[0], places[place]) for place in sorted(places) if place > passed]
