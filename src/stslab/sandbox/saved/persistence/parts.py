"""What of the sandbox's own is saved: the world's parts, each taken apart into rows.

A part is any object. Those of its attributes that are a :class:`Table` are saved row by
row; the rest of it, which is small, is one thing, saved again when it looks different.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stslab.sandbox.saved.persistence import pickles
from stslab.sandbox.saved.persistence.moto_things import find, refer
from stslab.sandbox.saved.persistence.store import Address, Store
from stslab.sandbox.saved.tables import Table

KIND = "part"
Change = tuple[Address, bytes | None]


class Parts:
    """Saves the parts of one world, and reads them back."""

    def __init__(self) -> None:
        self._last: dict[str, bytes] = {}

    def changed(self, name: str, part: Any) -> Iterator[Change]:
        """What of the part changed since the last time."""
        tables = {key: held for key, held in vars(part).items() if isinstance(held, Table)}
        rest = {key: held for key, held in vars(part).items() if key not in tables}
        body = pickles.dumps((type(part), rest, tuple(tables)), refer)
        if self._last.get(name) != body:
            self._last[name] = body
            yield (KIND, "", name), body
        for attribute, table in tables.items():
            for key in table.take_changed():
                row = pickles.dumps(table[key], refer) if key in table else None
                yield (table_kind(name, attribute), "", key), row

    def load(self, store: Store) -> dict[str, Any]:
        """Every part that was saved, by its name."""
        parts = {}
        for _account, name, body in store.load(KIND):
            self._last[name] = body
            kind, rest, tables = pickles.loads(body, find)
            part = object.__new__(kind)
            vars(part).update(rest)
            for attribute in tables:
                vars(part)[attribute] = _table(store, table_kind(name, attribute))
            parts[name] = part
        return parts


def table_kind(name: str, attribute: str) -> str:
    """The kind of the rows of one of a part's tables."""
    return f"{KIND}.{name}.{attribute}"


def _table(store: Store, kind: str) -> Table[str, Any]:
    table: Table[str, Any] = Table()
    table.load((key, pickles.loads(body, find)) for _account, key, body in store.load(kind))
    return table
