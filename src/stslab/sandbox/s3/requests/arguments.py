"""Arguments that S3 checks before it answers, whatever the operation.

S3 API Reference, "ListObjectsV2" and "PutObject"; S3 User Guide, "Working with object
metadata".
"""

import functools
from collections.abc import Mapping
from typing import Any

from botocore.model import Shape

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.s3.faults import fault, invalid_argument

_MOST_METADATA = 2048
_COUNTS: Mapping[str, str] = {
    "MaxBuckets": "max-buckets",
    "MaxKeys": "maxKeys",
    "MaxParts": "max-parts",
    "MaxUploads": "max-uploads",
    "PartNumberMarker": "part-number-marker",
}
# Texts that S3 refuses with an error of their own.
_REFUSED_LATER = frozenset({"BucketLocationConstraint"})
_MESSAGES: Mapping[str, str] = {
    "EncodingType": "Invalid Encoding Method specified in Request",
    "MetadataDirective": "Unknown metadata directive.",
    "ServerSideEncryption": "The encryption method specified is not supported",
    "TaggingDirective": "Unknown tagging directive.",
}


def check(request: ApiRequest) -> None:
    """Refuse what S3 does not take, and Object Lock, which is not there.

    Raises:
        ApiFault: InvalidArgument, InvalidStorageClass, MetadataTooLarge, MalformedXML or
            NotImplemented.
    """
    if any(name.startswith("ObjectLock") and value for name, value in request.params.items()):
        raise fault("NotImplemented", "The sandbox does not implement Object Lock.")
    for name, (wire_name, allowed) in _choices(request.operation).items():
        given = request.params.get(name)
        if given is not None and given not in allowed:
            raise _no_choice(name, wire_name, given)
    for name, shown in _COUNTS.items():
        if request.params.get(name, 0) < 0:
            message = f"Argument {shown} must be an integer between 0 and 2147483647"
            raise invalid_argument(message, shown, request.params[name])
    _check_metadata(request.params.get("Metadata") or {})
    payload = _payload(request.operation)
    if payload is not None and not _fits(payload[1], request.params.get(payload[0])):
        raise fault("MalformedXML")


@functools.cache
def _choices(operation: str) -> Mapping[str, tuple[str, frozenset[str]]]:
    """The arguments and headers that have one of some values: how they are written, and those."""
    shape = operations.operation("s3", operation).input_shape
    return {
        name: (member.serialization["name"], frozenset(member.enum))
        for name, member in (shape.members.items() if shape else ())
        if member.serialization.get("location") in ("header", "querystring")
        and member.type_name == "string"
        and member.enum
    }


def _no_choice(name: str, wire_name: str, given: str) -> ApiFault:
    if name == "StorageClass":
        return fault("InvalidStorageClass", StorageClassRequested=given)
    return invalid_argument(_MESSAGES.get(name, f"Invalid value for {wire_name}"), wire_name, given)


def _check_metadata(metadata: Mapping[str, str]) -> None:
    """User-defined metadata has 2 KB at most, names and values together."""
    size = sum(len(name) + len(value) for name, value in metadata.items())
    if size > _MOST_METADATA:
        raise fault("MetadataTooLarge", Size=size, MaxSizeAllowed=_MOST_METADATA)


@functools.cache
def _payload(operation: str) -> tuple[str, Shape] | None:
    """The member that is a document, and its shape."""
    shape = operations.operation("s3", operation).input_shape
    name = shape.serialization.get("payload", "") if shape else ""
    member = shape.members[name] if name else None
    return (name, member) if member is not None and member.type_name == "structure" else None


def _fits(shape: Shape, value: Any) -> bool:
    """Whether a document has all that it must, and one of the values where only some will do."""
    if value is None:
        return True
    if shape.type_name == "structure":
        return all(name in value for name in shape.required_members) and all(
            _fits(member, value.get(name)) for name, member in shape.members.items()
        )
    if shape.type_name == "list":
        return all(_fits(shape.member, one) for one in value)
    is_free = shape.type_name != "string" or shape.name in _REFUSED_LATER
    return is_free or not shape.enum or value in shape.enum
