"""Versions that are named, and delete markers, which hold nothing.

S3 User Guide, "Working with delete markers"; S3 API Reference, "GetObject", "HeadObject" and
"CopyObject".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from stslab.sandbox.api.model import ApiFault, ApiRequest, ApiResponse
from stslab.sandbox.s3 import port
from stslab.sandbox.s3.requests import needs
from stslab.sandbox.s3.requests.address import Address
from stslab.sandbox.saved import moto_backends

_NOT_FOUND, _NOT_ALLOWED = 404, 405
_NULL = "null"
_READING = frozenset({"GetObject", "HeadObject"})
_MARKED = ("x-amz-delete-marker", "true")


def check(request: ApiRequest) -> None:
    """Refuse a version's id that can't be one, and what a delete marker can't do.

    Raises:
        ApiFault: InvalidArgument, MethodNotAllowed, NoSuchKey, or InvalidRequest for a copy.
    """
    _check_id(request.params.get("VersionId"))
    if request.operation in _READING:
        _check_read(request)
    if "CopySource" in request.params:
        _check_source(request)


def answer(request: ApiRequest) -> ApiResponse:
    """Carry the request out; who deletes a delete marker is told that it was one.

    S3 User Guide, "Managing delete markers"; moto tells of those only that it makes.
    """
    version = request.params.get("VersionId")
    is_marker = (
        request.operation == "DeleteObject"
        and version is not None
        and _marker(Address(request.params["Bucket"], request.params["Key"]), version) is not None
    )
    response = port.answer(request)
    return replace(response, headers=(*response.headers, _MARKED)) if is_marker else response


def _check_id(version: str | None) -> None:
    if version is None or is_id(version):
        return
    empty = "Version id cannot be the empty string"
    raise ApiFault(
        "InvalidArgument",
        "Invalid version id specified" if version else empty,
        extra={"ArgumentName": "versionId", "ArgumentValue": version},
    )


def is_id(version: str) -> bool:
    """Whether it is ``null``, or written as the ids are that objects have here."""
    try:
        return version == _NULL or str(UUID(version)) == version
    except ValueError:
        return False


def _check_read(request: ApiRequest) -> None:
    version = request.params.get("VersionId")
    marker = _marker(Address(request.params["Bucket"], request.params["Key"]), version)
    if marker is None:
        return
    headers = (_MARKED, ("x-amz-version-id", str(marker.version_id)))
    if version is None:
        raise ApiFault(
            "NoSuchKey",
            "The specified key does not exist.",
            _NOT_FOUND,
            headers=headers,
            extra={"Key": request.params["Key"]},
        )
    raise ApiFault(
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
        _NOT_ALLOWED,
        headers=(*headers, ("Allow", "DELETE")),
        extra={"Method": request.http.method, "ResourceType": "DeleteMarker"},
    )


def _check_source(request: ApiRequest) -> None:
    where, version = needs.source(request)
    _check_id(version)
    if version is not None and _marker(where, version) is not None:
        raise ApiFault(
            "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by "
            "version id.",
        )


def _marker(where: Address, version: str | None) -> Any:
    """The delete marker that is the object's current version, or has this id; or None."""
    bucket = moto_backends.bucket(where.bucket)
    if bucket is None:
        return None
    for held in reversed(bucket.keys.getlist(where.key, [])):
        if version in (None, held.version_id):
            return None if hasattr(held, "value") else held
    return None
