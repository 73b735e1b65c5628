"""Whether what is saved is what is there: the check that nothing was forgotten.

Which things a call changes in place is told from its parameters; this finds out whether
that was ever wrong. It reads everything, so it is for tests and for the doubtful.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stslab.sandbox.saved import moto_backends
from stslab.sandbox.saved.account import World
from stslab.sandbox.saved.persistence import moto_things, pickles
from stslab.sandbox.saved.persistence.parts import table_kind
from stslab.sandbox.saved.persistence.store import Address, Store
from stslab.sandbox.saved.tables import Table

_PASSING = frozenset({"last_used", "last_used_region", "_max_buffer_size", "disposed", "_tick"})
"""When a key or role was last used is saved with the next change, not with each request.

The others are moto's own bookkeeping: the tick counts how often an object was read.
"""


def differences(world: World, store: Store) -> list[str]:
    """The addresses of things that are there and not saved as they are, or the reverse."""
    there = dict(_everything(world))
    saved = {
        address: _plain(pickles.loads(body, _named))
        for address, body in store.everything()
        if address[0] != "part"
    }
    for address in saved.keys() - there.keys():  # AWS's own policies, once attached
        thing = moto_things.get(address)
        if thing is not None:
            there[address] = _plain(pickles.loads(pickles.dumps(thing, moto_things.refer), _named))
    wrong = {address for address in there.keys() | saved.keys() if _differ(address, there, saved)}
    return sorted(":".join(address) for address in wrong)


def _differ(address: Address, there: Mapping[Address, Any], saved: Mapping[Address, Any]) -> bool:
    missing = object()
    return bool(there.get(address, missing) != saved.get(address, missing))


def _named(reference: Any) -> Any:
    return reference


def _everything(world: World) -> Iterator[tuple[Address, Any]]:
    for account in world.accounts:
        for address in [*moto_things.everything(account), *_contents(account)]:
            thing = moto_things.get(address)
            yield address, _plain(pickles.loads(pickles.dumps(thing, moto_things.refer), _named))
    for name, part in world.parts().items():
        for attribute, table in vars(part).items():
            if isinstance(table, Table):
                for key, row in table.items():
                    yield (table_kind(name, attribute), "", key), _plain(row)


def _contents(account: str) -> Iterator[Address]:
    backend = moto_backends.s3(account)
    for arn in backend.tagger.tags:
        yield ("s3.tags", account, arn)
    for name, bucket in backend.buckets.items():
        yield ("s3.bucket", account, name)
        for key in dict.keys(bucket.keys):
            yield ("s3.object", account, f"{name}/{key}")
        for upload in bucket.multiparts:
            yield ("s3.upload", account, f"{name}/{upload}")


def _plain(thing: Any) -> Any:
    """The thing as plain values that compare by what they hold."""
    if isinstance(thing, Mapping):
        return {str(key): _plain(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [_plain(value) for value in thing]
    if isinstance(thing, set | frozenset):
        return sorted(map(repr, thing))
    state = _state(thing)
    if state is None:
        return repr(thing)
    kept = {name: _plain(value) for name, value in state.items() if name not in _PASSING}
    return [type(thing).__name__, kept]


def _state(thing: Any) -> Mapping[str, Any] | None:
    if type(thing).__module__ in {"builtins", "datetime"}:
        return None
    state = thing.__getstate__()
    if isinstance(state, tuple):  # with slots
        return {**(state[0] or {}), **state[1]}
    if isinstance(state, list):
        return {str(number): value for number, value in enumerate(state)}  # slots and frozen
    return state if isinstance(state, Mapping) else None
