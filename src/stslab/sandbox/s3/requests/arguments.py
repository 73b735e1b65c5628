"""Arguments that S3 checks before it answers, and over which moto stumbles or passes.

S3 API Reference, "ListObjectsV2", "PutObject" and "CompleteMultipartUpload"; S3 User Guide,
"Working with object metadata" and "Categorizing your storage using tags".
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.s3.requests.params import malformed

# Continuation tokens are moto's.
_TOKEN = re.compile(r"[0-9a-f]{32}")
_ENCRYPTIONS = frozenset({"AES256", "aws:fsx", "aws:kms", "aws:kms:dsse"})
_MOST_METADATA = 2048


def check(request: ApiRequest) -> None:
    """Refuse what S3 does not take.

    Raises:
        ApiFault: InvalidArgument, InvalidPartOrder, InvalidTag, MalformedXML or
            MetadataTooLarge.
    """
    _check_encoding(request)
    _check_encryption(request.params.get("ServerSideEncryption", "AES256"))
    _check_metadata(request.params.get("Metadata") or {})
    _check_tags(request.params.get("Tagging") or {})
    if request.params.get("MaxKeys", 0) < 0:
        message = "Argument maxKeys must be an integer between 0 and 2147483647"
        raise _invalid(message, "maxKeys", str(request.params["MaxKeys"]))
    if request.operation == "PutBucketVersioning":
        _check_versioning(request.params.get("VersioningConfiguration") or {})
    if request.operation == "ListObjectsV2":
        _check_token(request.params.get("ContinuationToken"))
    if request.operation == "CompleteMultipartUpload":
        _check_order(request)


def _check_encoding(request: ApiRequest) -> None:
    encoding = request.params.get("EncodingType", "url")
    if encoding != "url":
        raise _invalid("Invalid Encoding Method specified in Request", "encoding-type", encoding)


def _check_encryption(method: str) -> None:
    if method not in _ENCRYPTIONS:
        message = "The encryption method specified is not supported"
        raise _invalid(message, "x-amz-server-side-encryption", method)


def _check_metadata(metadata: Mapping[str, str]) -> None:
    """User-defined metadata has 2 KB at most, names and values together."""
    size = sum(len(name) + len(value) for name, value in metadata.items())
    if size > _MOST_METADATA:
        raise ApiFault(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            extra={"Size": str(size), "MaxSizeAllowed": str(_MOST_METADATA)},
        )


def _check_tags(tagging: Any) -> None:
    """Each key once, where tags come as a document."""
    tags = tagging.get("TagSet") or () if isinstance(tagging, Mapping) else ()
    known: set[str] = set()
    for key in (str(tag.get("Key")) for tag in tags):
        if key in known:
            message = "Cannot provide multiple Tags with the same key"
            raise ApiFault("InvalidTag", message, extra={"TagKey": key})
        known.add(key)


def _check_versioning(asked: Mapping[str, str]) -> None:
    if asked.get("Status", "Enabled") not in ("Enabled", "Suspended"):
        raise malformed()


def _check_token(token: str | None) -> None:
    if token is not None and not _TOKEN.fullmatch(token):
        raise invalid_token(token)


def invalid_token(token: str) -> ApiFault:
    """What S3 answers to a continuation token that it did not give."""
    message = "The continuation token provided is incorrect"
    return _invalid(message, "continuation-token", token)


def _check_order(request: ApiRequest) -> None:
    upload = request.params.get("MultipartUpload") or {}
    parts = upload.get("Parts") or ()
    numbers = [int(part["PartNumber"]) for part in parts if "PartNumber" in part]
    if any(after <= before for before, after in itertools.pairwise(numbers)):
        raise ApiFault(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
            extra={"UploadId": request.params["UploadId"]},
        )


def _invalid(message: str, name: str, value: str) -> ApiFault:
    extra = {"ArgumentName": name, "ArgumentValue": value}
    return ApiFault("InvalidArgument", message, extra=extra)
