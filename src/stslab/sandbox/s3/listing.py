"""Lists of objects and of versions, in pages.

S3 API Reference, "ListObjectsV2", "ListObjects" and "ListObjectVersions"; S3 User Guide,
"Organizing objects using prefixes" and "Listing object keys programmatically".
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from operator import attrgetter
from typing import Generic, TypeVar
from urllib.parse import quote_plus

import msgspec

from stslab.sandbox.api import pages
from stslab.sandbox.api.faults import SAYS, invalid_argument
from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.s3 import lookups
from stslab.sandbox.s3.access import acl
from stslab.sandbox.s3.requests.address import Address
from stslab.sandbox.state.buckets import Bucket, Object, ObjectVersion
from stslab.sandbox.state.snapshot import View

T = TypeVar("T")
MOST = 1000


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page: its items, its common prefixes, and the ``last`` name or prefix on it."""

    items: list[T]
    prefixes: list[str]
    truncated: bool
    last: str
    most: int


def page(entries: Iterable[tuple[str, T]], request: ApiRequest, after: str) -> Page[T]:
    """The next of ``entries`` (sorted by name) with the request's prefix, grouped by delimiter.

    ``after`` is where the last page ended; a common prefix that it is in is not repeated.
    """
    params = request.params
    prefix, delimiter = params.get("Prefix", ""), params.get("Delimiter", "")
    most = min(params.get("MaxKeys", params.get("MaxUploads", MOST)), MOST)
    items: list[T] = []
    prefixes: list[str] = []
    last = ""
    for name, item in entries:
        if not name.startswith(prefix):
            continue
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        group = name[: cut + len(delimiter)] if cut >= 0 else ""
        if group and (after.startswith(group) or prefixes[-1:] == [group]):
            continue
        if len(items) + len(prefixes) >= most:
            return Page(items, prefixes, most > 0, last, most)
        last = group or name
        if group:
            prefixes.append(group)
        else:
            items.append(item)
    return Page(items, prefixes, False, last, most)


def name_in_token(given: str | None) -> str:
    """The name in a continuation token; empty without one. Raises InvalidArgument."""
    name = pages.in_token(given or "")
    if given is not None and not name:
        raise invalid_argument(SAYS["token"], "continuation-token")
    return name


def writer(request: ApiRequest) -> Callable[[str], str]:
    """How to write keys and prefixes: encoded as Java does, but for /, if the request asks so."""
    is_url = request.params.get("EncodingType") == "url"
    return (lambda name: quote_plus(name, safe="/*").replace("~", "%7E")) if is_url else str


def page_members(request: ApiRequest, result: Page[T], *names: str) -> Answer:
    """The members that every page has, with the request's parameters ``names`` repeated."""
    params, write = request.params, writer(request)
    repeated = (name for name in ("Prefix", "Delimiter", *names) if params.get(name))
    return {
        **{name: write(params[name]) for name in repeated},
        "EncodingType": params.get("EncodingType"),
        "IsTruncated": result.truncated,
        "MaxKeys": result.most,
        "MaxUploads": result.most,  # an operation's answer has one of the two
        "CommonPrefixes": [{"Prefix": write(prefix)} for prefix in result.prefixes],
    }


def list_objects_v2(view: View, request: ApiRequest) -> Answer:
    """Also ListObjects: each has its members of the answer."""
    params, write = request.params, writer(request)
    bucket = lookups.bucket_of(view, request)
    begin = params.get("StartAfter", params.get("Marker", ""))
    token = params.get("ContinuationToken")
    after = name_in_token(token) or begin
    entries = (
        (item.name, item)
        for item in _objects(view, request, bucket)
        if item.name > after and not item.current.marker
    )
    result = page(entries, request, after)
    shows_owner = request.operation == "ListObjects" and request.caller.kind != "Anonymous"
    shows_owner = params.get("FetchOwner", shows_owner)
    return {
        "Headers": {"x-amz-bucket-region": bucket.region},
        "Name": bucket.name,
        "Prefix": "",
        "Marker": "",
        **page_members(request, result, "Marker", *([] if token else ["StartAfter"])),
        "NextMarker": write(result.last) if result.truncated and params.get("Delimiter") else None,
        "KeyCount": len(result.items) + len(result.prefixes),
        "ContinuationToken": token,
        "NextContinuationToken": pages.token(result.last) if result.truncated else None,
        "Contents": [
            {
                "Key": write(item.name),
                **_described(item.current),
                "Owner": {"ID": acl.owner_of(view, bucket, item.current)} if shows_owner else None,
            }
            for item in result.items
        ],
    }


list_objects = list_objects_v2


def _objects(view: View, request: ApiRequest, bucket: Bucket) -> list[Object]:
    start = f"{bucket.name}/{request.params.get('Prefix', '')}"
    objects = (item for item in view.all(Object, bucket.owner) if item.key.startswith(start))
    return sorted(objects, key=attrgetter("name"))


def _described(version: ObjectVersion) -> Answer:
    return {
        "LastModified": version.modified,
        "ETag": f'"{version.etag}"',
        "Size": version.size,
        "StorageClass": version.storage_class,
        "ChecksumAlgorithm": [name.removeprefix("Checksum") for name in version.checksums] or None,
        "ChecksumType": version.checksum_type or None,
    }


def list_object_versions(view: View, request: ApiRequest) -> Answer:
    """Sorted by key, with the newest version first."""
    params = request.params
    after, after_id = params.get("KeyMarker", ""), params.get("VersionIdMarker")
    if after_id and "KeyMarker" not in params:
        raise invalid_argument(SAYS["marker alone"], "version-id-marker", after_id)
    if after and after_id == "":
        raise invalid_argument(SAYS["marker empty"], "version-id-marker", after_id)
    bucket = lookups.bucket_of(view, request)
    where = Address(bucket.name, after)
    lookups.check_version_id(view, where, after_id or None, "version-id-marker")
    result = page(_versions(_objects(view, request, bucket), after, after_id), request, after)
    write = writer(request)
    last_id = result.items[-1][1].version_id if result.items else None
    ends_with_prefix = result.prefixes[-1:] == [result.last]
    return {
        "Prefix": "",
        "KeyMarker": "",
        "VersionIdMarker": after_id or "",
        **page_members(request, result, "KeyMarker"),
        "NextKeyMarker": write(result.last) if result.truncated else None,
        "NextVersionIdMarker": last_id if result.truncated and not ends_with_prefix else None,
        "Name": bucket.name,
        "Versions": [
            {
                "Key": write(item.name),
                "VersionId": version.version_id,
                "IsLatest": version is item.current,
                "Owner": {"ID": acl.owner_of(view, bucket, version)},
                **({"LastModified": version.modified} if version.marker else _described(version)),
            }
            for item, version in result.items
        ],
    }


def _versions(
    objects: list[Object], after: str, after_id: str | None
) -> Iterator[tuple[str, tuple[Object, ObjectVersion]]]:
    for item in objects:
        shown: Iterable[ObjectVersion] = item.versions if item.name > after else ()
        if item.name == after and after_id:
            shown = tuple(takewhile(lambda one: one.version_id != after_id, item.versions))
            if shown == item.versions:  # the version with this id was deleted meanwhile
                place = pages.in_token(after_id)
                shown = [one for one in shown if lookups.stamp(one.modified) < place]
        yield from ((item.name, (item, version)) for version in reversed(tuple(shown)))
