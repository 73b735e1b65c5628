"""moto's own dictionaries of backends: where IAM and S3 of each account live."""

from __future__ import annotations

from typing import Any

from moto.iam.models import iam_backends
from moto.s3.models import s3_backends

PARTITION = "aws"
_DICTIONARIES: dict[str, Any] = {"iam": iam_backends, "s3": s3_backends}


def iam(account_id: str) -> Any:
    """Moto's IAM backend of the account, made the first time it is asked for."""
    return _backend(iam_backends, account_id)


def s3(account_id: str) -> Any:
    """Moto's S3 backend of the account, made the first time it is asked for."""
    return _backend(s3_backends, account_id)


def _backend(dictionary: Any, account_id: str) -> Any:
    """The backend that is there, without the lock and the search of moto's own dictionary."""
    held = dict.get(dictionary, account_id)
    found = None if held is None else dict.get(held, PARTITION)
    return dictionary[account_id][PARTITION] if found is None else found


def bucket_owner(bucket: str) -> str | None:
    """The id of the account that owns the bucket; names are global within the partition."""
    found = s3_backends.bucket_accounts.get(bucket)
    return None if found is None else str(found[1])


def bucket(name: str) -> Any:
    """Moto's bucket of this name, in whichever account, or None."""
    owner = bucket_owner(name)
    return None if owner is None else s3(owner).buckets.get(name)


def clear() -> None:
    """Forget every account."""
    for dictionary in _DICTIONARIES.values():
        dictionary.clear()
    s3_backends.bucket_accounts.clear()
