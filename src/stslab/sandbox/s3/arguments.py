"""Arguments that S3 checks before it answers, and over which moto stumbles or passes.

S3 API Reference, "ListObjectsV2" and "CompleteMultipartUpload".
"""

from __future__ import annotations

import itertools
import re

from stslab.sandbox.model import ApiFault, ApiRequest

# Continuation tokens are moto's.
_TOKEN = re.compile(r"[0-9a-f]{32}")


def check(request: ApiRequest) -> None:
    """Refuse an encoding, a continuation token or an order of parts that S3 does not take.

    Raises:
        ApiFault: InvalidArgument or InvalidPartOrder.
    """
    _check_encoding(request)
    if request.operation == "ListObjectsV2":
        _check_token(request.params.get("ContinuationToken"))
    if request.operation == "CompleteMultipartUpload":
        _check_order(request)


def _check_encoding(request: ApiRequest) -> None:
    encoding = request.params.get("EncodingType", "url")
    if encoding != "url":
        raise _invalid("Invalid Encoding Method specified in Request", "encoding-type", encoding)


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
