"""Operations on objects, their ACLs and tags.

S3 API Reference, "PutObject", "GetObject", "HeadObject", "CopyObject", "DeleteObject",
"DeleteObjects", and the operations on an object's ACL and tags.
"""

import base64
import re

from msgspec.structs import replace

from stslab.sandbox.api.faults import SAYS, fault, invalid_argument, malformed
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Judge, denial, tag_list
from stslab.sandbox.s3 import listing, lookups, needs, preconditions, settings, versions
from stslab.sandbox.s3.access import acl
from stslab.sandbox.s3.requests.address import Address, checked
from stslab.sandbox.s3.requests.params import ADDED, CHECKSUMS, HEADERS, Document
from stslab.sandbox.s3.versions import Contents, Span
from stslab.sandbox.state.buckets import NULL, ObjectVersion
from stslab.sandbox.state.snapshot import Transaction, View

_MOST_PARTS = 10_000
_RANGE = re.compile(r"(?i:bytes)=([0-9]{0,19})-([0-9]{0,19})")
_REDIRECT = "WebsiteRedirectLocation"
_LAST_LATIN = "\xff"
_CHANGES = ("StorageClass", _REDIRECT, "ServerSideEncryption")


def put_object(tx: Transaction, request: ApiRequest) -> Answer:
    bucket = lookups.bucket_of(tx, request)
    preconditions.check_write(tx, request)
    draft = versions.draft(tx, request, bucket)
    checksums = [name for name in CHECKSUMS if name in request.params] or [ADDED]
    part = versions.store(tx, request, versions.sent(request), checksums)
    return versions.write_members(versions.add(tx, request, versions.with_content(draft, part)))


def get_object(judge: Judge, contents: Contents, view: View, request: ApiRequest) -> Answer:
    version, span, described = _described(judge, view, request)
    if version.storage_class in versions.ARCHIVED:
        raise fault("InvalidObjectState", StorageClass=version.storage_class)
    return {**described, "Body": contents(versions.pieces(version, span)).body}


def head_object(judge: Judge, view: View, request: ApiRequest) -> Answer:
    return _described(judge, view, request)[2]


def _requested_span(request: ApiRequest, version: ObjectVersion) -> Span:
    """The bytes that a read asks for: all, an upload's part, or a range (RFC 9110, If-Range)."""
    number, header = request.params.get("PartNumber"), request.params.get("Range")
    unchanged = ("", f'"{version.etag}"', lookups.last_modified(version)[1])
    if number is None:
        if header and request.http.header("If-Range").strip() in unchanged:
            return _span_of(header, version.size)
        return Span(0, version.size)
    if header is not None:
        raise fault("InvalidRequest", SAYS["range and part"])
    check_number(number)
    if number > (count := len(version.parts)):
        raise fault("InvalidPartNumber", PartNumberRequested=number, ActualPartCount=count)
    *before, size = (part.size for part in version.parts[:number])
    return Span(sum(before), sum(before) + size, partial=size > 0)


def check_number(number: int) -> None:
    if not 1 <= number <= _MOST_PARTS:
        raise invalid_argument(SAYS["part number"], "partNumber", number)


def _span_of(header: str, size: int) -> Span:
    """The bytes of a Range header; all if it is invalid. Raises InvalidRange."""
    match = _RANGE.fullmatch(header)
    first, last = match.groups() if match else ("", "")
    invalid = not (first or last) or (first and last and int(last) < int(first))
    if invalid or (not first and int(last) and not size):  # the end of nothing is all of it
        return Span(0, size)
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if start >= size:
        raise fault("InvalidRange", RangeRequested=header, ActualObjectSize=size)
    return Span(start, end, partial=True)


def _may_read_tags(judge: Judge, view: View, request: ApiRequest) -> bool:
    """S3 API Reference, "GetObject": others are not told how many tags the object has."""
    single = replace(request, operation="GetObjectTagging", decisions=[])
    wanted = needs.needs_of(view, judge.seen(view), single)
    return all(judge.decide(view, single, need).allowed for need in wanted)


def _described(judge: Judge, view: View, request: ApiRequest) -> tuple[ObjectVersion, Span, Answer]:
    bucket, version = lookups.readable(view, request)
    versions.check_read(request, version)
    span, params = _requested_span(request, version), request.params
    overridden = {name: value for name in HEADERS if (value := params.get(f"Response{name}"))}
    if overridden and request.caller.kind == "Anonymous":
        raise fault("InvalidRequest", SAYS["anonymous overrides"])
    for name, value in overridden.items():
        if max(str(value)) > _LAST_LATIN:
            raise invalid_argument(SAYS["no latin"], f"response-{HEADERS[name]}", value)
    parts = version.parts if version.checksum_type == "COMPOSITE" else ()
    found = versions.pieces(version, span) if span.partial else ()
    last, number = span.end - 1, params.get("PartNumber")
    asked = (one for one in parts if one.number == number or found == ((one.blob, 0, one.size),))
    of = next(asked, version)
    is_whole = span.end - span.start == version.size
    shown = params.get("ChecksumMode") and (is_whole or of is not version)
    checksums = of.checksums if shown else {}
    shows_tags = bool(version.tags) and _may_read_tags(judge, view, request)
    described: Answer = {
        "AcceptRanges": "bytes",
        "LastModified": version.modified,
        "ETag": f'"{version.etag}"',
        "ContentLength": span.end - span.start,
        "ContentRange": f"bytes {span.start}-{last}/{version.size}" if span.partial else None,
        "PartsCount": len(version.parts) if "PartNumber" in params and version.upload else None,
        **version.headers,
        **overridden,
        "Metadata": {name: _mail_safe(value) for name, value in version.metadata.items()},
        "StorageClass": version.storage_class if version.storage_class != "STANDARD" else None,
        "VersionId": lookups.shown_id(bucket, version),
        **version.encryption,
        **checksums,
        "ChecksumType": version.checksum_type if checksums else None,
        "TagCount": len(version.tags) if shows_tags else None,
    }
    return version, span, described


def _mail_safe(value: str) -> str:
    """S3 User Guide, "Working with object metadata": what is not ASCII, as RFC 2047 has it."""
    plain = sum(" " <= character <= "~" for character in value)
    if plain == len(value):
        return value
    if plain <= len(value) / 2:
        return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="
    text = re.sub(rb"[^ !-<>@-^`-~]", lambda byte: b"=%02X" % byte[0][0], value.encode())
    return f"=?UTF-8?Q?{text.decode().replace(' ', '_')}?="


def copy_object(contents: Contents, tx: Transaction, request: ApiRequest) -> Answer:
    source_id, version = versions.source_of(tx, request)
    bucket = lookups.bucket_of(tx, request)
    preconditions.check_write(tx, request)
    params = request.params
    same = needs.source(request) == (lookups.address_of(request), None)
    replaces = params.get("MetadataDirective") == "REPLACE" or "Encryption" in bucket.settings
    if same and not replaces and not any(params.get(name) for name in _CHANGES):
        raise fault("InvalidRequest", SAYS["copy of itself"])
    draft = versions.draft(tx, request, bucket)
    if params.get("MetadataDirective", "COPY") == "COPY":
        headers = {name: value for name, value in version.headers.items() if name != _REDIRECT}
        headers |= {name: value for name, value in draft.headers.items() if name == _REDIRECT}
        draft = replace(draft, headers=headers, metadata=version.metadata)
    if params.get("TaggingDirective", "COPY") == "COPY":
        draft = replace(draft, tags=version.tags)
    part = versions.copy(contents, tx, request, version)
    copied = versions.add(tx, request, versions.with_content(draft, part))
    return {
        "CopyObjectResult": {**versions.copy_members(copied), "ChecksumType": copied.checksum_type},
        "CopySourceVersionId": source_id,
        **versions.write_members(copied),
        "VersionId": lookups.shown_id(bucket, copied),
    }


def delete_object(tx: Transaction, request: ApiRequest) -> Answer:
    """DeleteObject: delete one version; without an id, add a marker if versioning is on."""
    bucket, version_id = lookups.bucket_of(tx, request), request.params.get("VersionId")
    where = lookups.address_of(request)
    lookups.check_version_id(tx, where, version_id)
    preconditions.check_write(tx, request)
    if version_id is None and bucket.versioning:
        owner = acl.owner_of_new(tx, request, bucket)
        new_id = versions.new_id(request, bucket)
        made = ObjectVersion(version_id=new_id, modified=request.now, marker=True, owner=owner)
        return {"DeleteMarker": True, "VersionId": versions.add(tx, request, made).version_id}
    item, version = lookups.object_at(tx, where), lookups.version_at(tx, where, version_id or NULL)
    if item is None or version is None:
        return {"VersionId": version_id}
    rest = tuple(other for other in item.versions if other is not version)
    tx.put(replace(item, versions=rest)) if rest else tx.delete(item)
    return {"VersionId": version_id, "DeleteMarker": version.marker or None}


def get_object_acl(view: View, request: ApiRequest) -> Answer:
    bucket, version = lookups.readable(view, request)
    shown = acl.written(bucket, acl.owner_of(view, bucket, version), version.grants)
    return {**shown, "Headers": {"x-amz-version-id": lookups.shown_id(bucket, version)}}


def get_object_attributes(view: View, request: ApiRequest) -> Answer:
    """Only the parts of an object with a composite checksum are listed."""
    bucket, version = lookups.readable(view, request)
    versions.check_read(request, version)
    sums = {name: value.partition("-")[0] for name, value in version.checksums.items()}
    listed = version.checksum_type == "COMPOSITE"
    told = {"MaxParts": request.params.get("MaxParts", listing.MOST)}  # even if it is too large
    parts = {**versions.part_members(request, version.parts), **told} if listed else {}
    attributes = {
        "ETag": version.etag,
        "Checksum": {**sums, "ChecksumType": version.checksum_type} if sums else None,
        "ObjectParts": {"TotalPartsCount": len(version.parts), **parts} if version.upload else None,
        "StorageClass": version.storage_class,
        "ObjectSize": version.size,
    }
    if not (wanted := request.params.get("ObjectAttributes")):
        raise fault("InvalidRequest", SAYS["no attributes"])
    common = {"LastModified": version.modified, "VersionId": lookups.shown_id(bucket, version)}
    return common | {name: attributes[name] for name in wanted}


def put_object_acl(tx: Transaction, request: ApiRequest) -> Answer:
    bucket = lookups.bucket_of(tx, request)
    found = lookups.content_at(tx, lookups.address_of(request), request.params.get("VersionId"))
    grants = acl.new_grants(tx, request, bucket, acl.owner_of(tx, bucket, found))
    version = versions.change(tx, request, grants=grants)
    return {"Headers": {"x-amz-version-id": lookups.shown_id(bucket, version)}}


def get_object_tagging(view: View, request: ApiRequest) -> Answer:
    bucket, version = lookups.readable(view, request)
    return {"TagSet": tag_list(version.tags), "VersionId": lookups.shown_id(bucket, version)}


def put_object_tagging(tx: Transaction, request: ApiRequest) -> Answer:
    """PutObjectTagging, and DeleteObjectTagging, whose request has no tags."""
    tag_set = request.params.get("Tagging", {}).get("TagSet", ())
    tags = settings.tags_of_set(tag_set, settings.MOST_ON_OBJECTS)
    version = versions.change(tx, request, tags=tags)
    return {"VersionId": lookups.shown_id(lookups.bucket_of(tx, request), version)}


delete_object_tagging = put_object_tagging


def delete_objects(judge: Judge, tx: Transaction, request: ApiRequest) -> Answer:
    """Delete the objects that the caller may delete, and report an error for each other one."""
    wanted = request.params.get("Delete") or {}
    rows = wanted.get("Objects") or []
    if not 0 < len(rows) <= listing.MOST:
        raise malformed()
    bucket = lookups.bucket_of(tx, request)
    for row in rows:
        if not row["Key"]:
            raise fault("UserKeyMustBeSpecified")
        checked(Address(bucket.name, row["Key"]))
    if request.http.wrong:
        raise request.http.wrong
    deleted, errors = [], []
    for row in {tuple(_identifier(one).values()): one for one in rows}.values():
        try:
            deleted.append(_delete(judge, tx, request, row))
        except ApiFault as error:
            errors.append({**_identifier(row), "Code": error.code, "Message": error.message})
    return {"Deleted": [] if wanted.get("Quiet") else deleted, "Errors": errors}


def _delete(judge: Judge, tx: Transaction, request: ApiRequest, row: Document) -> Answer:
    condition = {"IfMatch": row["ETag"]} if row.get("ETag") else {}
    params = {**request.params, "VersionId": None, **_identifier(row), **condition}
    single = replace(request, operation="DeleteObject", params=params)
    for need in needs.needs_of(tx, judge.seen(tx), single):
        decision = judge.decide(tx, single, need)
        if not decision.allowed:
            raise denial(single, need, decision)
    version = row.get("VersionId")
    if version and not lookups.is_version_id(tx, lookups.address_of(single), version):
        raise fault("NoSuchVersion")
    answer = delete_object(tx, single)
    marker = {"DeleteMarker": True, "DeleteMarkerVersionId": answer["VersionId"]}
    return _identifier(row) | (marker if answer.get("DeleteMarker") else {})


def _identifier(row: Document) -> dict[str, str]:
    return {name: row[name] for name in ("Key", "VersionId") if row.get(name)}
