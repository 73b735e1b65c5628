"""Tags of buckets and objects.

S3 User Guide, "Categorizing your objects using tags" and "Using cost allocation S3 bucket
tags".
"""

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from stslab.sandbox.s3.faults import fault, invalid_argument

_MOST = 10
_MOST_ON_BUCKETS = 50
_LONGEST_KEY, _LONGEST_VALUE = 128, 256
_SYSTEM = "aws:"


def of_header(text: str | None) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(text or "", keep_blank_values=True, max_num_fields=_MOST * 10)
    except ValueError:
        pairs = []
    if len({key for key, _ in pairs}) != len(pairs) or (text and not pairs):
        raise invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
            "parameters without tag name duplicates.",
            "x-amz-tagging",
            text,
        )
    return _checked(dict(pairs), _MOST)


def of_set(tag_set: Iterable[Mapping[str, str]], most: int = _MOST_ON_BUCKETS) -> Mapping[str, str]:
    tags: dict[str, str] = {}
    for tag in tag_set:
        if tag["Key"] in tags:
            message = "Cannot provide multiple Tags with the same key"
            raise fault("InvalidTag", message, TagKey=tag["Key"])
        tags[tag["Key"]] = tag["Value"]
    return _checked(tags, most)


def of_object(tag_set: Iterable[Mapping[str, str]]) -> Mapping[str, str]:
    """The tags of an object's TagSet; an object has ten at most."""
    return of_set(tag_set, _MOST)


def as_set(tags: Mapping[str, str]) -> list[Mapping[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _checked(tags: Mapping[str, str], most: int) -> Mapping[str, str]:
    if len(tags) > most:
        kind = "Object" if most == _MOST else "Bucket"
        raise fault("BadRequest", f"{kind} tags cannot be greater than {most}")
    for key, value in tags.items():
        if not 0 < len(key) <= _LONGEST_KEY:
            raise fault("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(value) > _LONGEST_VALUE:
            raise fault("InvalidTag", "The TagValue you have provided is invalid", TagKey=key)
        if key.lower().startswith(_SYSTEM):
            message = "System tags cannot be added/updated by requester"
            raise fault("InvalidTag", message, TagKey=key)
    return tags
