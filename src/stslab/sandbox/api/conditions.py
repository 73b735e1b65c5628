"""Condition keys that several services fill: tags, and how a time is written."""

from collections.abc import Mapping, Sequence
from datetime import datetime

Keys = dict[str, str | Sequence[str]]


def iso(moment: datetime) -> str:
    """A time as date condition keys have it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def request_tags(tags: Mapping[str, str]) -> Keys:
    """The keys of tags that a request passes: ``aws:RequestTag/…`` and ``aws:TagKeys``."""
    keys: Keys = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    if tags:
        keys["aws:TagKeys"] = tuple(tags)
    return keys


def resource_tags(tags: Mapping[str, str], service: str = "aws") -> Keys:
    """The keys of a resource's tags: ``aws:ResourceTag/…``, or the service's own as well."""
    keys: Keys = {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
    if service != "aws":
        keys |= {f"{service}:ResourceTag/{key}": value for key, value in tags.items()}
    return keys
