"""What is in a bucket, in pages: its objects, and all their versions.

S3 API Reference, "ListObjectsV2", "ListObjects" and "ListObjectVersions"; S3 User Guide,
"Organizing objects using prefixes" and "Listing object keys programmatically".
"""

import base64
import binascii
import zlib
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Generic, TypeVar
from urllib.parse import quote

import msgspec

from stslab.sandbox.api.faults import invalid_argument
from stslab.sandbox.api.model import Answer, ApiRequest, Reads
from stslab.sandbox.s3 import lookups
from stslab.sandbox.state.buckets import Bucket, Object, ObjectVersion
from stslab.sandbox.state.snapshot import View

T = TypeVar("T")
MOST = 1000
_CHECK = 4


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page: what was found, and the prefixes that stand for more.

    ``last`` is the name or prefix that comes last, from which the next page goes on.
    """

    items: list[T]
    prefixes: list[str]
    truncated: bool
    last: str


def page(entries: Iterable[tuple[str, T]], request: ApiRequest, after: str, most: int) -> Page[T]:
    """The next ``most`` of ``entries``, which come by name, that the request is for.

    Entries whose names have its delimiter after its prefix count as one, by what
    they begin with. ``after`` is the prefix with which the last page ended, if it did with one.
    """
    prefix = request.params.get("Prefix", "")
    delimiter = request.params.get("Delimiter", "")
    items: list[T] = []
    prefixes: list[str] = []
    last = ""
    for name, item in entries:
        if not name.startswith(prefix):
            continue
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        group = name[: cut + len(delimiter)] if cut >= 0 else ""
        if group and (group == after or prefixes[-1:] == [group]):
            continue
        if len(items) + len(prefixes) >= most:
            return Page(items, prefixes, most > 0, last)
        last = group or name
        if group:
            prefixes.append(group)
        else:
            items.append(item)
    return Page(items, prefixes, False, last)


def limit(asked: int | None) -> int:
    return MOST if asked is None else min(asked, MOST)


def token(name: str) -> str:
    content = name.encode()
    return base64.urlsafe_b64encode(zlib.crc32(content).to_bytes(_CHECK, "big") + content).decode()


def of_token(given: str | None) -> str:
    """The name after which a continuation token goes on; empty without a token."""
    if given is None:
        return ""
    try:
        content = base64.b64decode(given, b"-_", validate=True)
        name = content[_CHECK:].decode()
    except (binascii.Error, ValueError):
        name = ""
    if not name or token(name) != given:
        message = "The continuation token provided is incorrect"
        raise invalid_argument(message, "continuation-token", given)
    return name


def writer(request: ApiRequest) -> Callable[[str], str]:
    """How keys and prefixes are written: percent-encoded, if that was asked for."""
    return quote if request.params.get("EncodingType") == "url" else str


def described(request: ApiRequest, found: Page[T], *names: str) -> Answer:
    """What every page says: what was asked for (``names`` beside the usual), and its prefixes."""
    asked, write = request.params, writer(request)
    said = {name: asked[name] for name in ("Prefix", "Delimiter", *names) if name in asked}
    return {
        "Prefix": "",
        **{name: write(text) for name, text in said.items()},
        "EncodingType": asked.get("EncodingType"),
        "IsTruncated": found.truncated,
        "CommonPrefixes": [{"Prefix": write(prefix)} for prefix in found.prefixes],
    }


def _objects_v2(view: View, request: ApiRequest) -> Answer:
    params = request.params
    after = of_token(params.get("ContinuationToken")) or params.get("StartAfter", "")
    found, listed = _current(view, request, after, owned=params.get("FetchOwner", False))
    return {
        **described(request, found, "StartAfter"),
        **listed,
        "KeyCount": len(found.items) + len(found.prefixes),
        "ContinuationToken": params.get("ContinuationToken"),
        "NextContinuationToken": token(found.last) if found.truncated else None,
    }


def _objects(view: View, request: ApiRequest) -> Answer:
    """ListObjects, which says where to go on only where a delimiter was given."""
    found, listed = _current(view, request, request.params.get("Marker", ""), owned=True)
    goes_on = found.truncated and request.params.get("Delimiter")
    return {
        "Marker": "",
        **described(request, found, "Marker"),
        **listed,
        "NextMarker": writer(request)(found.last) if goes_on else None,
    }


def _current(
    view: View, request: ApiRequest, after: str, *, owned: bool
) -> tuple[Page[Object], Answer]:
    """The page, and what of it both operations answer; ``owned``: with the objects' owner."""
    bucket, most = lookups.bucket_of(view, request), limit(request.params.get("MaxKeys"))
    held = (
        (one.name, one)
        for one in _held(view, request, bucket)
        if one.name > after and not one.current.marker
    )
    found, write = page(held, request, after, most), writer(request)
    owner = {"ID": lookups.canonical_id(view, bucket)} if owned else None
    contents = [
        {"Key": write(one.name), **_described(one.current), "Owner": owner} for one in found.items
    ]
    return found, {"Name": bucket.name, "MaxKeys": most, "Contents": contents}


def _held(view: View, request: ApiRequest, bucket: Bucket) -> list[Object]:
    """What the bucket has that begins with the prefix that was asked for, by key."""
    prefix = request.params.get("Prefix", "")
    held = (one for one in view.all(Object, bucket.owner) if one.bucket == bucket.name)
    return sorted((one for one in held if one.name.startswith(prefix)), key=attrgetter("name"))


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
    most = limit(params.get("MaxKeys"))
    held = _versions(_held(view, request, bucket), after, after_id)
    found = page(held, request, after, most)
    owner, write = {"ID": lookups.canonical_id(view, bucket)}, writer(request)
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
        **described(request, found, "KeyMarker"),
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
