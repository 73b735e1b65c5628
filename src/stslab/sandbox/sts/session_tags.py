"""Session tags: what is passed, what is inherited along a chain of roles, what is refused.

IAM User Guide, "Passing session tags in AWS STS".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stslab.sandbox.api import faults
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.api.need import Keys
from stslab.sandbox.state.sessions import Session

Tags = tuple[tuple[str, str], ...]
_RESERVED = "aws:"
_MOST = 50


@dataclass(frozen=True, slots=True)
class SessionTags:
    """``passed`` came with the request, ``inherited`` are the calling session's transitive ones."""

    passed: Tags = ()
    transitive: tuple[str, ...] = ()
    inherited: Tags = ()

    @property
    def all(self) -> Tags:
        """The tags of the new session."""
        return self.inherited + self.passed

    @property
    def all_transitive(self) -> tuple[str, ...]:
        """The keys of those that the next session in the chain inherits."""
        return tuple(key for key, _ in self.inherited) + self.transitive

    @property
    def passing(self) -> dict[str, str]:
        """Those that the next session in the chain inherits, by their keys in lower case."""
        wanted = _folded(self.all_transitive)
        return {key.lower(): value for key, value in self.all if key.lower() in wanted}

    def context(self) -> Keys:
        """The condition keys that the tags fill: aws:RequestTag, aws:TagKeys and STS's own."""
        keys: Keys = {f"aws:RequestTag/{key}": value for key, value in self.all}
        if self.all:
            keys["aws:TagKeys"] = [key for key, _ in self.all]
        if self.all_transitive:
            keys["sts:TransitiveTagKeys"] = list(self.all_transitive)
        return keys


def from_params(params: Mapping[str, Any], calling: Session | None) -> SessionTags:
    """The tags of a request, checked, with those of the ``calling`` session that pass on."""
    passed = tuple((tag["Key"], tag.get("Value", "")) for tag in params.get("Tags", ()))
    return checked(passed, params.get("TransitiveTagKeys", ()), calling)


def checked(passed: Tags, transitive: Iterable[str], calling: Session | None) -> SessionTags:
    """Like :func:`from_params`, given the tags and the keys of the transitive ones.

    Raises:
        ApiFault: a key is there twice, reserved, one too many, not among the tags, or
            overrides an inherited one.
    """
    transitive, keys = tuple(transitive), [key for key, _ in passed]
    passing = _folded(calling.transitive_tags) if calling is not None else set()
    own = calling.tags if calling is not None else ()
    inherited = tuple((key, value) for key, value in own if key.lower() in passing)
    if len(keys) > _MOST:
        raise _unusable(f"Cannot pass more than {_MOST} session tags.")
    if len(_folded(keys)) < len(keys):
        raise _unusable("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.lower().startswith(_RESERVED) for key in keys):
        raise _unusable("The tag key prefix aws: is reserved. You can't use it in session tags.")
    if not _folded(transitive) <= _folded(keys):
        raise faults.invalid(
            "The specified transitive tag key must be included in the requested tags."
        )
    if _folded(keys) & _folded(key for key, _ in inherited):
        raise _unusable(
            "One of the specified transitive tag keys can't be set because it conflicts with a "
            "transitive tag key from the calling session."
        )
    return SessionTags(passed, transitive, inherited)


def _folded(keys: Iterable[str]) -> set[str]:
    return {key.lower() for key in keys}


def _unusable(message: str) -> ApiFault:
    return ApiFault("InvalidParameterValue", message)
