"""DeleteObjects: each key is decided by itself, and reported by itself.

S3 API Reference, "DeleteObjects".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.api.need import Need
from stslab.sandbox.pipeline.judge import Judge, denial
from stslab.sandbox.s3 import versions
from stslab.sandbox.s3.errors import NOT_FOUND, no_such_bucket
from stslab.sandbox.s3.requests import needs
from stslab.sandbox.s3.requests.address import Address
from stslab.sandbox.s3.requests.params import malformed
from stslab.sandbox.saved import moto_backends
from stslab.sandbox.saved.account import World

MOST = 1000


def delete_objects(world: World, judge: Judge, request: ApiRequest) -> Mapping[str, Any]:
    """Delete what the caller may delete, and say of the rest why not.

    Raises:
        ApiFault: the request lists nothing, or more than 1,000 objects, or no such bucket.
    """
    wanted = request.params.get("Delete") or {}
    listed = wanted.get("Objects") or []
    if not 0 < len(listed) <= MOST or not all(one.get("Key") for one in listed):
        raise malformed()
    if moto_backends.bucket(request.params["Bucket"]) is None:
        raise no_such_bucket(request)
    deleted, errors = [], []
    for one in listed:
        try:
            deleted.append(_delete(world, judge, request, one))
        except ApiFault as fault:
            errors.append({**one, "Code": fault.code, "Message": fault.message})
    return {"Deleted": [] if wanted.get("Quiet") else deleted, "Errors": errors}


def _delete(
    world: World, judge: Judge, request: ApiRequest, one: Mapping[str, Any]
) -> Mapping[str, Any]:
    where = Address(request.params["Bucket"], one["Key"])
    version = one.get("VersionId")
    single = replace(
        request,
        operation="DeleteObject",
        params={**request.params, "Key": where.key, "VersionId": version},
        http=replace(request.http, query=(("versionId", version),) if version else (), body=b""),
    )
    for need in _needs(world, single, where, version):
        decision = judge.decide_need(single, need)
        if not decision.allowed:
            raise denial(single, need, decision)
    if version and not versions.is_id(version):
        raise ApiFault("NoSuchVersion", "The specified version does not exist.", NOT_FOUND)
    return _reported(one, dict(versions.answer(single).headers))


def _needs(world: World, single: ApiRequest, where: Address, version: str | None) -> Iterator[Need]:
    action = "s3:DeleteObjectVersion" if version else "s3:DeleteObject"
    yield needs.on_object(single, world, action, where, version)
    if single.params.get("BypassGovernanceRetention"):
        yield needs.on_object(single, world, "s3:BypassGovernanceRetention", where, version)


def _reported(one: Mapping[str, Any], headers: Mapping[str, str]) -> Mapping[str, Any]:
    entry = {name: one[name] for name in ("Key", "VersionId") if one.get(name)}
    if headers.get("x-amz-delete-marker", "").lower() == "true":
        made = headers.get("x-amz-version-id", "")
        entry |= {"DeleteMarker": True, "DeleteMarkerVersionId": made}
    return entry
