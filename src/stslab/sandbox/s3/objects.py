"""Objects: put, read, copied, deleted, described, and what is set on them.

S3 API Reference, "PutObject", "GetObject", "HeadObject", "CopyObject", "DeleteObject",
"DeleteObjects", and the operations on an object's list and tags.
"""

from msgspec.structs import replace

from stslab.sandbox.api.faults import fault, malformed, no_such_key
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Judge, Reads, Writes, denial
from stslab.sandbox.s3 import conditions, lookups, settings, versions
from stslab.sandbox.s3.access import acl
from stslab.sandbox.s3.conditions import Span
from stslab.sandbox.s3.requests import needs
from stslab.sandbox.s3.requests.address import Address
from stslab.sandbox.s3.requests.params import ADDED, CHECKSUMS, Document
from stslab.sandbox.s3.versions import Blob, Contents
from stslab.sandbox.state.buckets import NULL, Bucket, Object, ObjectVersion
from stslab.sandbox.state.snapshot import Transaction, View

_ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})


def _put(tx: Transaction, request: ApiRequest) -> Answer:
    bucket, key = lookups.bucket_of(tx, request), request.params["Key"]
    conditions.check_write(request, lookups.content_at(tx, Address(bucket.name, key), None))
    made = versions.draft(tx, request, bucket)
    checksums = [name for name in CHECKSUMS if name in request.params] or [ADDED]
    made = versions.whole(made, versions.stored(tx, request, versions.sent(request), checksums))
    made = versions.add(tx, bucket, key, made)
    return {"ETag": f'"{made.etag}"', **versions.told(made, bucket)}


def get(blob: Blob, view: View, request: ApiRequest) -> Answer:
    bucket, version, span = _asked(view, request)
    if version.storage_class in _ARCHIVED:
        raise fault("InvalidObjectState", StorageClass=version.storage_class)
    described = _described(request, bucket, version, span)
    return {**described, "Body": versions.content(blob, version, span)}


def _asked(view: View, request: ApiRequest) -> tuple[Bucket, ObjectVersion, Span]:
    bucket, version = lookups.readable(view, request)
    conditions.check_read(request, version)
    return bucket, version, conditions.asked_span(request, version)


def _described(request: ApiRequest, bucket: Bucket, version: ObjectVersion, span: Span) -> Answer:
    asked = request.params
    overridden = {
        name: asked[f"Response{name}"] for name in versions.HEADERS if asked.get(f"Response{name}")
    }
    if overridden and request.caller.kind == "Anonymous":
        message = "Request specific response headers cannot be used for anonymous GET requests."
        raise fault("InvalidRequest", message)
    shows_checksum = asked.get("ChecksumMode") and not span.partial
    last = span.end - 1
    return {
        "AcceptRanges": "bytes",
        "LastModified": version.modified,
        "ETag": f'"{version.etag}"',
        "ContentLength": span.end - span.start,
        "ContentRange": f"bytes {span.start}-{last}/{version.size}" if span.partial else None,
        "PartsCount": len(version.parts) if "PartNumber" in asked and version.upload else None,
        **version.headers,
        **overridden,
        "Metadata": version.metadata,
        "StorageClass": version.storage_class if version.storage_class != "STANDARD" else None,
        "VersionId": lookups.shown_id(bucket, version),
        **version.encryption,
        **(version.checksums if shows_checksum else {}),
        "ChecksumType": (version.checksum_type or None) if shows_checksum else None,
        "TagCount": len(version.tags) or None,
    }


def copy(contents: Contents, tx: Transaction, request: ApiRequest) -> Answer:
    source_id, version = source_of(tx, request)
    bucket, key = lookups.bucket_of(tx, request), request.params["Key"]
    conditions.check_write(request, lookups.content_at(tx, Address(bucket.name, key), None))
    _check_copies_something(request)
    made = versions.draft(tx, request, bucket)
    if request.params.get("MetadataDirective", "COPY") == "COPY":
        made = replace(made, headers=version.headers, metadata=version.metadata)
    if request.params.get("TaggingDirective", "COPY") == "COPY":
        made = replace(made, tags=version.tags)
    part = versions.copied(contents, tx, request, version)
    made = versions.add(tx, bucket, key, versions.whole(made, part))
    return {
        "CopyObjectResult": {
            "ETag": f'"{made.etag}"',
            "LastModified": made.modified,
            **made.checksums,
            "ChecksumType": made.checksum_type or None,
        },
        "CopySourceVersionId": source_id,
        **versions.told(made, bucket),
    }


def source_of(view: View, request: ApiRequest) -> tuple[str | None, ObjectVersion]:
    """The version that a copy reads, and its id as answers show it."""
    where, version_id = needs.source(request)
    lookups.check_version_id(version_id)
    bucket = lookups.bucket_named(view, where.bucket)
    if bucket is None:
        raise fault("NoSuchBucket", BucketName=where.bucket)
    version = lookups.version_at(view, where, version_id)
    if version is None or (version.marker and version_id is None):
        raise no_such_key(where.key) if version_id is None else fault("NoSuchVersion")
    if version.marker:
        message = (
            "The source of a copy request may not specifically refer to a delete marker by "
            "version id."
        )
        raise fault("InvalidRequest", message)
    if version.storage_class in _ARCHIVED:
        raise fault("InvalidObjectState", StorageClass=version.storage_class)
    conditions.check_source(request, version)
    return lookups.shown_id(bucket, version), version


_CHANGES = ("StorageClass", "WebsiteRedirectLocation", "ServerSideEncryption")


def _check_copies_something(request: ApiRequest) -> None:
    params = request.params
    where, version_id = needs.source(request)
    same = where == Address(params["Bucket"], params["Key"]) and version_id is None
    replaces = params.get("MetadataDirective") == "REPLACE"
    if same and not replaces and not any(params.get(name) for name in _CHANGES):
        raise fault(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without "
            "changing the object's metadata, storage class, website redirect location or "
            "encryption attributes.",
        )


def _delete_one(tx: Transaction, request: ApiRequest) -> Answer:
    """DeleteObject: one version, or what is current, over which versioning lays a marker."""
    bucket, version_id = lookups.bucket_of(tx, request), request.params.get("VersionId")
    lookups.check_version_id(version_id)
    where = Address(bucket.name, request.params["Key"])
    held = lookups.object_at(tx, where)
    _check_demands(request, lookups.version_at(tx, where, version_id))
    if version_id is not None:
        return _deleted(tx, held, version_id)
    if bucket.versioning:
        marker = ObjectVersion(modified=request.now, marker=True)
        made = versions.add(tx, bucket, where.key, marker)
        return {"DeleteMarker": True, "VersionId": made.version_id}
    return {**_deleted(tx, held, NULL), "VersionId": None}


def _check_demands(request: ApiRequest, version: ObjectVersion | None) -> None:
    if version is None or version.marker:
        if request.params.get("IfMatch") is not None:
            raise no_such_key(request.params["Key"])
        return
    conditions.check_write(request, version)


def _deleted(tx: Transaction, held: Object | None, version_id: str) -> Answer:
    """Delete one version; that there is none is no error."""
    version = lookups.version_of(held, version_id) if held is not None else None
    if held is None or version is None:
        return {"VersionId": version_id}
    rest = tuple(one for one in held.versions if one is not version)
    if rest:
        tx.put(replace(held, versions=rest))
    else:
        tx.delete(held)
    return {"VersionId": version_id, "DeleteMarker": True if version.marker else None}


def _get_acl(view: View, request: ApiRequest) -> Answer:
    bucket, version = lookups.readable(view, request)
    return acl.shown(version.grants, lookups.canonical_id(view, bucket))


def _put_acl(tx: Transaction, request: ApiRequest) -> None:
    grants = acl.changed(tx, request, lookups.bucket_of(tx, request))
    versions.change(tx, request, grants=grants)


def _get_tags(view: View, request: ApiRequest) -> Answer:
    bucket, version = lookups.readable(view, request)
    return {
        "TagSet": settings.tags_as_set(version.tags),
        "VersionId": lookups.shown_id(bucket, version),
    }


def _set_tags(tx: Transaction, request: ApiRequest) -> Answer:
    """PutObjectTagging, and DeleteObjectTagging, which gives none."""
    given = request.params.get("Tagging", {"TagSet": ()})["TagSet"]
    tags = settings.tags_of_set(given, settings.MOST_ON_OBJECTS)
    version = versions.change(tx, request, tags=tags)
    return {"VersionId": lookups.shown_id(lookups.bucket_of(tx, request), version)}


READS: Reads = {
    "GetObjectAcl": _get_acl,
    "GetObjectTagging": _get_tags,
    "HeadObject": lambda view, request: _described(request, *_asked(view, request)),
}
WRITES: Writes = {
    "DeleteObject": _delete_one,
    "DeleteObjectTagging": _set_tags,
    "PutObject": _put,
    "PutObjectAcl": _put_acl,
    "PutObjectTagging": _set_tags,
}
MOST = 1000


def delete_objects(judge: Judge, tx: Transaction, request: ApiRequest) -> Answer:
    """Delete what the caller may delete, and say of the rest why not."""
    wanted = request.params.get("Delete") or {}
    listed = wanted.get("Objects") or []
    if not 0 < len(listed) <= MOST or not all(one.get("Key") for one in listed):
        raise malformed()
    lookups.bucket_of(tx, request)
    deleted, errors = [], []
    for one in listed:
        try:
            deleted.append(_delete(judge, tx, request, one))
        except ApiFault as fault_of_one:
            errors.append(
                {**_named(one), "Code": fault_of_one.code, "Message": fault_of_one.message}
            )
    return {"Deleted": [] if wanted.get("Quiet") else deleted, "Errors": errors}


def _delete(judge: Judge, tx: Transaction, request: ApiRequest, one: Document) -> Answer:
    demands = {"IfMatch": one["ETag"]} if one.get("ETag") else {}
    single = replace(
        request,
        operation="DeleteObject",
        params={**request.params, "VersionId": None, **_named(one), **demands},
    )
    for need in needs.to_delete(tx, judge.seen(tx), single):
        decision = judge.decide(tx, single, need)
        if not decision.allowed:
            raise denial(single, need, decision)
    version = one.get("VersionId")
    if version and not lookups.is_version_id(version):
        raise fault("NoSuchVersion")
    answer = _delete_one(tx, single)
    if not answer.get("DeleteMarker"):
        return _named(one)
    return {**_named(one), "DeleteMarker": True, "DeleteMarkerVersionId": answer["VersionId"]}


def _named(one: Document) -> dict[str, str]:
    return {name: one[name] for name in ("Key", "VersionId") if one.get(name)}
