"""The names that a new bucket may have: S3 User Guide, "Bucket naming rules"."""

from __future__ import annotations

import re

from stslab.sandbox.api.model import ApiFault

_ALLOWED = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check(name: str) -> None:
    """Refuse what can't be a new bucket's name.

    Raises:
        ApiFault: InvalidBucketName.
    """
    if not (_ALLOWED.fullmatch(name) and not _is_reserved(name)):
        raise ApiFault(
            "InvalidBucketName", "The specified bucket is not valid.", extra={"BucketName": name}
        )


def _is_reserved(name: str) -> bool:
    return (
        ".." in name
        or _ADDRESS.fullmatch(name) is not None
        or name.startswith(_PREFIXES)
        or name.endswith(_SUFFIXES)
    )
