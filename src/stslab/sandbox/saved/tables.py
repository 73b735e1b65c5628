"""Dictionaries that remember which of their keys changed, so that only those are saved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Table(dict[Key, Value]):
    """A dictionary that lists the keys that were set or deleted since it was last asked.

    A value that changes in place is not seen: whoever changes it says so with :meth:`touch`,
    or sets it again.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.changed: set[Key] = set(self)

    def touch(self, *keys: Key) -> None:
        """Say that the values at ``keys`` changed in place."""
        self.changed.update(keys)

    def take_changed(self) -> set[Key]:
        """The keys that changed since the last time, which are forgotten."""
        taken, self.changed = self.changed, set()
        return taken

    def __setitem__(self, key: Key, value: Value) -> None:
        super().__setitem__(key, value)
        self.changed.add(key)

    def __delitem__(self, key: Key) -> None:
        super().__delitem__(key)
        self.changed.add(key)

    def pop(self, key: Key, *default: Any) -> Any:
        """As a dictionary's; the key counts as changed."""
        self.changed.add(key)
        return super().pop(key, *default)

    def popitem(self) -> tuple[Key, Value]:
        """As a dictionary's; the key counts as changed."""
        key, value = super().popitem()
        self.changed.add(key)
        return key, value

    def clear(self) -> None:
        """As a dictionary's; every key counts as changed."""
        self.changed.update(self)
        super().clear()

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As a dictionary's; each key that is set counts as changed."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def setdefault(self, key: Key, default: Value = None) -> Value:  # type: ignore[assignment]
        """As a dictionary's; a key that is added counts as changed."""
        if key not in self:
            self[key] = default
        return self[key]

    def load(self, rows: Iterable[tuple[Key, Value]]) -> None:
        """Take in rows that are saved already: they do not count as changed."""
        for key, value in rows:
            super().__setitem__(key, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (dict(self),))
