"""Session tags: what is passed, what is inherited along a chain of roles, what is refused.

IAM User Guide, "Passing session tags in AWS STS".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.state.sessions import Session
from stslab.sandbox.sts import faults

_RESERVED = "aws:"
_MOST = 50


@dataclass(frozen=True, slots=True)
class SessionTags:
    """``passed`` came with the request, ``inherited`` are the calling session's transitive ones."""

    passed: tuple[tuple[str, str], ...] = ()
    transitive: tuple[str, ...] = ()
    inherited: tuple[tuple[str, str], ...] = ()

    @property
    def all(self) -> tuple[tuple[str, str], ...]:
        """The tags of the new session."""
        return self.inherited + self.passed

    @property
    def all_transitive(self) -> tuple[str, ...]:
        """The keys of those that the next session in the chain inherits."""
        return tuple(key for key, _ in self.inherited) + self.transitive

    @property
    def passing(self) -> dict[str, str]:
        """Those that the next session in the chain inherits."""
        wanted = _folded(self.all_transitive)
        return {key: value for key, value in self.all if key.lower() in wanted}

    def context(self) -> dict[str, str | Sequence[str]]:
        """The condition keys that the tags fill: aws:RequestTag, aws:TagKeys and STS's own."""
        keys: dict[str, str | Sequence[str]] = {
            f"aws:RequestTag/{key}": value for key, value in self.all
        }
        if self.all:
            keys["aws:TagKeys"] = [key for key, _ in self.all]
        if self.all_transitive:
            keys["sts:TransitiveTagKeys"] = list(self.all_transitive)
        return keys


def from_params(params: Mapping[str, Any], calling: Session | None) -> SessionTags:
    """The tags of a request, checked, with those of the ``calling`` session that pass on.

    Raises:
        ApiFault: duplicate, reserved, too many, not among the tags, or overriding an
            inherited one.
    """
    passed = tuple((tag["Key"], tag.get("Value", "")) for tag in params.get("Tags", ()))
    return checked(passed, params.get("TransitiveTagKeys", ()), calling)


def checked(
    passed: tuple[tuple[str, str], ...], transitive: Iterable[str], calling: Session | None
) -> SessionTags:
    """Like :func:`from_params`, given the tags and the keys of the transitive ones."""
    transitive = tuple(transitive)
    inherited = _inherited(calling)
    _check_keys([key for key, _ in passed])
    if not _folded(transitive) <= _folded(key for key, _ in passed):
        raise faults.invalid(
            "The specified transitive tag key must be included in the requested tags."
        )
    if _folded(key for key, _ in passed) & _folded(key for key, _ in inherited):
        raise _unusable(
            "One of the specified transitive tag keys can't be set because it conflicts with a "
            "transitive tag key from the calling session."
        )
    return SessionTags(passed, transitive, inherited)


def _inherited(calling: Session | None) -> tuple[tuple[str, str], ...]:
    if calling is None:
        return ()
    passing = _folded(calling.transitive_tags)
    return tuple((key, value) for key, value in calling.tags if key.lower() in passing)


def _check_keys(keys: list[str]) -> None:
    if len(keys) > _MOST:
        raise _unusable(f"Cannot pass more than {_MOST} session tags.")
    if len(_folded(keys)) < len(keys):
        raise _unusable("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.lower().startswith(_RESERVED) for key in keys):
        raise _unusable("The tag key prefix aws: is reserved. You can't use it in session tags.")


def _folded(keys: Iterable[str]) -> set[str]:
    return {key.lower() for key in keys}


def _unusable(message: str) -> ApiFault:
    return ApiFault("InvalidParameterValue", message)
