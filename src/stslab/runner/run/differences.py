"""Compares what a call asks for with what the account has: policies by what they mean. Pure."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping

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
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d)\d:\d\dZ")  # and the ten minutes that it is in


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


def _policies(wanted: object, found: object, kind: PolicyKind) -> Sides:
    """A policy of *now*, as one that revokes sessions, was written some minutes ago."""
    now = {at[1]: at[0] for at in _MOMENT.finditer(_text(wanted))}
    there = _MOMENT.sub(lambda at: now.get(at[1], at[0]), _text(found or "nothing"))
    try:
        ours, theirs = differing(parse(_text(wanted), kind), parse(there, kind))
    except MalformedPolicy:
        return ((), ()) if wanted == found else ((_text(wanted),), (there,))
    return tuple(map(_text, ours)), tuple(map(_text, theirs))


def _lists(wanted: Iterable[object], found: list[object]) -> Sides:
    """What is wanted and not there, and what is there in its place; the run's tag is our affair."""
    settled = {RUN_TAG, *(_key(one) for one in found if _HIDDEN in str(one))}
    lacking = [one for one in wanted if one not in found and _key(one) not in settled]
    keys = {_key(one) for one in lacking}
    instead = [one for one in found if _key(one) in keys]
    return tuple(map(_text, lacking)), tuple(map(_text, instead))


def _key(one: object) -> object:
    if not isinstance(one, Mapping):
        return one
    return next((one[key] for key in _KEYS if key in one), None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
