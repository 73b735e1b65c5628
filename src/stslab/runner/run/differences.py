"""Compares what a call asks for with what the account has: policies by what they mean. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stslab.errors import MalformedPolicy
from stslab.kinds.creations import Effect
from stslab.kinds.kind import RUN_TAG, search
from stslab.policy import PolicyKind, parse
from stslab.policy.documents.meaning import differing
from stslab.runner.events import Difference
from stslab.runner.ports import Data

_HIDDEN = "****"
_POLICIES: Mapping[str, PolicyKind] = {
    "iam.role": PolicyKind.TRUST,
    "s3.bucket_policy": PolicyKind.RESOURCE,
}
# What is wanted and not there, and what is there in its place.
Sides = tuple[tuple[str, ...], tuple[str, ...]]
_KEYS = ("Key", "ParameterKey")


def differences(
    effect: Effect, params: Data, data: Data, but: Iterable[str] = ()
) -> Iterator[Difference]:
    """In what the account's answer is not as these parameters make it.

    ``but`` are places of the answer that something else decided since.
    """
    for name, place in effect.shows.items():
        if name in params and place not in but:
            wanted, found = _compared(name, effect.kind, params[name], search(place, data))
            if wanted or found:
                yield Difference(name, wanted, found)


def _compared(name: str, kind: str, wanted: object, found: object) -> Sides:
    if name.endswith(("PolicyDocument", "Policy")):
        return _policies(wanted, found, _POLICIES.get(kind, PolicyKind.IDENTITY))
    if isinstance(wanted, list | tuple):
        return _lists(wanted, found if isinstance(found, list) else [])
    same = str(wanted) == str(found)
    return ((), ()) if same else ((str(wanted),), (str(found or "nothing"),))


def _policies(wanted: Any, found: Any, kind: PolicyKind) -> Sides:
    try:
        ours, theirs = differing(parse(wanted, kind), parse(found, kind))
    except (MalformedPolicy, TypeError):
        return ((), ()) if wanted == found else ((_text(wanted),), (_text(found or "nothing"),))
    return tuple(map(_text, ours)), tuple(map(_text, theirs))


def _lists(wanted: Iterable[object], found: list[object]) -> Sides:
    """What is wanted and not there, and what is there in its place; the run's tag is our affair."""
    lacking = [one for one in wanted if one not in found and not _is_settled(one, found)]
    keys = {_key(one) for one in lacking}
    instead = [one for one in found if _key(one) in keys]
    return tuple(map(_text, lacking)), tuple(map(_text, instead))


def _is_settled(one: object, found: list[object]) -> bool:
    hidden = any(_key(one) == _key(other) and _HIDDEN in str(other) for other in found)
    return hidden or _key(one) == RUN_TAG


def _key(one: object) -> object:
    if not isinstance(one, Mapping):
        return one
    return next((one[key] for key in _KEYS if key in one), None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
