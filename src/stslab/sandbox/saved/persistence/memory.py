"""A world's memory: saves what a call changed, and makes the world again from it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import moto

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.saved.account import World
from stslab.sandbox.saved.persistence import audit, moto_things, pickles
from stslab.sandbox.saved.persistence.parts import Parts
from stslab.sandbox.saved.persistence.store import FORMAT, Address, Store


def stamps() -> dict[str, str]:
    """Which versions wrote an account, all of which must be the same to read it."""
    return {"format": str(FORMAT), "moto": moto.__version__}


class Memory:
    """Keeps one world in one file. Call it under the world's write lock."""

    def __init__(self, path: Path) -> None:
        self._store = Store(path, stamps())
        self._parts = Parts()
        self._pending: dict[Address, bytes | None] = {}

    def open(self) -> World:
        """The world that was saved here, or a new one, saved.

        Raises:
            SandboxError: the file is damaged, or was written by another version.
        """
        return self._new() if self._store.is_empty() else self._load()

    def renew(self) -> World:
        """A new world in place of the one that was saved, which is gone."""
        self._store.clear()
        self._parts = Parts()
        return self._new()

    def _new(self) -> World:
        world = World.new()
        addresses: list[Address] = []
        for account in world.accounts:
            moto_things.watch(account)
            addresses += moto_things.everything(account)
        self._save(world, addresses)
        return world

    def save(self, world: World, request: ApiRequest | None = None) -> None:
        """Save what changed since the last time; ``request`` is the call that changed it."""
        addresses = dict.fromkeys(moto_things.touch(request)) if request else {}
        for account in world.accounts:
            addresses.update(dict.fromkeys(moto_things.take_changed(account)))
        self._save(world, addresses)

    def differences(self, world: World) -> list[str]:
        """What is not saved as it is; nothing, or something was forgotten."""
        return audit.differences(world, self._store)

    def close(self) -> None:
        """Bring everything into the one file and let go of it."""
        self._store.close()

    def _save(self, world: World, addresses: Iterable[Address]) -> None:
        """What can't be saved now (a full disk, say) stays to be saved with the next change."""
        self._pending.update((address, _body(address)) for address in addresses)
        for name, part in world.parts().items():
            self._pending.update(self._parts.changed(name, part))
        if self._pending:
            self._store.save(self._pending.items())
            self._pending.clear()

    def _load(self) -> World:
        parts = self._parts.load(self._store)
        world = World.of(parts)
        for account in world.accounts:
            moto_things.watch(account)
        for kind in moto_things.KINDS:
            for account, name, body in self._store.load(kind):
                moto_things.put((kind, account, name), pickles.loads(body, moto_things.find))
        return world


def _body(address: Address) -> bytes | None:
    thing = moto_things.get(address)
    return None if thing is None else pickles.dumps(thing, moto_things.refer)
