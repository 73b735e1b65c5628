"""What is in a bucket: its objects, and all their versions.

S3 API Reference, "ListObjectsV2", "ListObjects" and "ListObjectVersions".
"""

from collections.abc import Iterator
from operator import attrgetter

from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.services import Reads
from stslab.sandbox.s3 import lookups, pages
from stslab.sandbox.s3.faults import invalid_argument
from stslab.sandbox.state.buckets import Bucket, Object, ObjectVersion
from stslab.sandbox.state.snapshot import View

_NAME = attrgetter("name")


def _objects_v2(view: View, request: ApiRequest) -> Answer:
    params = request.params
    bucket = lookups.bucket_of(view, request)
    after = pages.of_token(params.get("ContinuationToken")) or params.get("StartAfter", "")
    most = pages.limit(params.get("MaxKeys"))
    found = _current(view, request, bucket, after, most)
    owner = lookups.canonical_id(view, bucket) if params.get("FetchOwner") else ""
    return {
        **pages.described(request, found, "StartAfter"),
        "Name": bucket.name,
        "MaxKeys": most,
        "KeyCount": len(found.items) + len(found.prefixes),
        "Contents": [_content(request, one, owner) for one in found.items],
        "ContinuationToken": params.get("ContinuationToken"),
        "NextContinuationToken": pages.token(found.last) if found.truncated else None,
    }


def _objects(view: View, request: ApiRequest) -> Answer:
    """ListObjects, which says where to go on only where a delimiter was given."""
    params = request.params
    bucket = lookups.bucket_of(view, request)
    most = pages.limit(params.get("MaxKeys"))
    found = _current(view, request, bucket, params.get("Marker", ""), most)
    owner = lookups.canonical_id(view, bucket)
    goes_on = found.truncated and params.get("Delimiter")
    return {
        "Marker": "",
        **pages.described(request, found, "Marker"),
        "NextMarker": pages.writer(request)(found.last) if goes_on else None,
        "Name": bucket.name,
        "MaxKeys": most,
        "Contents": [_content(request, one, owner) for one in found.items],
    }


def _current(
    view: View, request: ApiRequest, bucket: Bucket, after: str, most: int
) -> pages.Page[Object]:
    held = (
        (one.name, one)
        for one in _held(view, request, bucket)
        if one.name > after and not one.current.marker
    )
    return pages.page(held, request, after, most)


def _held(view: View, request: ApiRequest, bucket: Bucket) -> list[Object]:
    """What the bucket has that begins with the prefix that was asked for, by key."""
    prefix = request.params.get("Prefix", "")
    held = (one for one in view.all(Object, bucket.owner) if one.bucket == bucket.name)
    return sorted((one for one in held if one.name.startswith(prefix)), key=_NAME)


def _content(request: ApiRequest, one: Object, owner: str) -> Answer:
    return {
        "Key": pages.writer(request)(one.name),
        **_described(one.current),
        "Owner": {"ID": owner} if owner else None,
    }


def _described(version: ObjectVersion) -> Answer:
    return {
        "LastModified": version.modified,
        "ETag": f'"{version.etag}"',
        "Size": version.size,
        "StorageClass": version.storage_class,
        "ChecksumAlgorithm": [name.removeprefix("Checksum") for name in version.checksums] or None,
        "ChecksumType": version.checksum_type or None,
    }


def _list_versions(view: View, request: ApiRequest) -> Answer:
    """ListObjectVersions: by key, the newest version first."""
    params = request.params
    bucket = lookups.bucket_of(view, request)
    after, after_id = params.get("KeyMarker", ""), params.get("VersionIdMarker")
    if after_id and not after:
        message = "A version-id marker cannot be specified without a key marker."
        raise invalid_argument(message, "version-id-marker", after_id)
    most = pages.limit(params.get("MaxKeys"))
    held = _versions(_held(view, request, bucket), after, after_id)
    found = pages.page(held, request, after, most)
    owner, write = {"ID": lookups.canonical_id(view, bucket)}, pages.writer(request)
    versions: list[Answer] = []
    markers: list[Answer] = []
    for one, version in found.items:
        what = {
            "Key": write(one.name),
            "VersionId": version.version_id,
            "IsLatest": version is one.current,
            "Owner": owner,
        }
        if version.marker:
            markers.append({**what, "LastModified": version.modified})
        else:
            versions.append({**what, **_described(version)})
    last_id = found.items[-1][1].version_id if found.items else None
    goes_on = found.truncated
    ends_with_prefix = found.prefixes[-1:] == [found.last]
    return {
        "KeyMarker": "",
        "VersionIdMarker": after_id or "",
        **pages.described(request, found, "KeyMarker"),
        "NextKeyMarker": write(found.last) if goes_on else None,
        "NextVersionIdMarker": last_id if goes_on and not ends_with_prefix else None,
        "Name": bucket.name,
        "MaxKeys": most,
        "Versions": versions,
        "DeleteMarkers": markers,
    }


def _versions(
    held: list[Object], after: str, after_id: str | None
) -> Iterator[tuple[str, tuple[Object, ObjectVersion]]]:
    for one in held:
        newest_first = [(one.name, (one, version)) for version in reversed(one.versions)]
        if one.name > after:
            yield from newest_first
        elif one.name == after and after_id:
            ids = [version.version_id for _, (_, version) in newest_first]
            yield from newest_first[ids.index(after_id) + 1 :] if after_id in ids else ()


READS: Reads = {
    "ListObjectVersions": _list_versions,
    "ListObjects": _objects,
    "ListObjectsV2": _objects_v2,
}
