"""DeleteObjects: each key is decided by itself, and reported by itself.

S3 API Reference, "DeleteObjects".
"""

from __future__ import annotations

from dataclasses import replace

from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest
from stslab.sandbox.api.services import Judge, denial
from stslab.sandbox.s3 import lookups, objects
from stslab.sandbox.s3.faults import fault
from stslab.sandbox.s3.requests import needs
from stslab.sandbox.s3.requests.bodies import Document, malformed
from stslab.sandbox.state.transaction import Transaction

MOST = 1000


def delete_objects(judge: Judge, tx: Transaction, request: ApiRequest) -> Answer:
    """Delete what the caller may delete, and say of the rest why not.

    Raises:
        ApiFault: the request lists nothing, or more than 1,000 objects, or no such bucket.
    """
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
        decision = judge.decide_need(tx, single, need)
        if not decision.allowed:
            raise denial(single, need, decision)
    version = one.get("VersionId")
    if version and not lookups.is_version_id(version):
        raise fault("NoSuchVersion")
    answer = objects.delete(tx, single)
    if not answer.get("DeleteMarker"):
        return _named(one)
    return {**_named(one), "DeleteMarker": True, "DeleteMarkerVersionId": answer["VersionId"]}


def _named(one: Document) -> dict[str, str]:
    return {name: one[name] for name in ("Key", "VersionId") if one.get(name)}
