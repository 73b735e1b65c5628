"""Looks through an account's file that somebody else made, before it is believed.

A file is refused unless it has the very tables that stslab makes, of this version, and every
thing in it is made of the few classes that accounts are made of. Nothing in the file can
call a function, or change a class, while it is looked through or when it is read later.
"""

from __future__ import annotations

import io
import pickle
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from stslab.errors import SandboxError
from stslab.sandbox.saved.persistence import classes, moto_things
from stslab.sandbox.saved.persistence.parts import KIND
from stslab.sandbox.saved.persistence.store import APPLICATION, SCHEMA, Address

MOST_BYTES = 2**30
_MOST_ROWS = 2**20
_MAGIC = b"SQLite format 3\0"
_CALLED = frozenset(
    {
        ("stslab.sandbox.saved.moto_patches", "_versions_restored"),
        *(("datetime", name) for name in ("date", "datetime", "timedelta", "timezone")),
        *(("collections", name) for name in ("OrderedDict", "defaultdict")),
    }
)
# No account has these: they call by other ways, or take memory for more than they bring.
_UNUSED = (
    pickle.INST,
    pickle.OBJ,
    pickle.EXT1,
    pickle.EXT2,
    pickle.EXT4,
    pickle.PERSID,
    pickle.PUT,
    pickle.BINPUT,
    pickle.LONG_BINPUT,
    pickle.BYTEARRAY8,
    pickle.NEXT_BUFFER,
)
# What the things are that have no class of their own; a part is its class, state and tables.
_PLAIN: Mapping[str, type] = {
    "iam.settings": dict,
    "iam.tags": dict,
    "s3.bucket": dict,
    "s3.object": list,
    "s3.tags": dict,
}
_PARTED = (type, dict, tuple)
_TEXTS = ".user_boundaries"
Thing = tuple[Address, bytes]


_Python: Any = pickle._Unpickler  # noqa: SLF001 - the one in C can't be told what to refuse


class _Inspector(_Python):  # type: ignore[misc] # typed by nobody
    """Reads a thing as the account would, and refuses what no account has in it."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(_Python.dispatch)
    stack: list[Any]

    def __init__(self, body: bytes) -> None:
        super().__init__(io.BytesIO(body))
        self._callable: set[int] = set()

    def persistent_load(self, pid: Any) -> Any:
        """What is saved by itself is looked through by itself."""
        plain = isinstance(pid, tuple) and len(pid) == 3 and all(type(one) is str for one in pid)  # noqa: PLR2004 - kind, account, name
        if not plain:
            raise pickle.UnpicklingError("a reference that is none")
        return object()

    def find_class(self, module: str, name: str) -> Any:
        """A class that accounts have, or one of the functions that make them again."""
        called = (module, name) in _CALLED
        if not (called or classes.is_known(module, name)):
            raise pickle.UnpicklingError(f"{module}.{name} has no place in an account")
        found = super().find_class(module, name)
        if called:
            self._callable.add(id(found))
        elif not isinstance(found, type) or found.__module__ != module:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in an account")
        return found

    def _reduce(self) -> None:
        if id(self.stack[-2]) not in self._callable:
            raise pickle.UnpicklingError("it calls what no account calls")
        _Python.load_reduce(self)

    def _build(self) -> None:
        if isinstance(self.stack[-2], type) or callable(self.stack[-2]):
            raise pickle.UnpicklingError("it changes a class")
        _Python.load_build(self)

    def _refused(self) -> None:
        raise pickle.UnpicklingError("it is written as no account is")

    dispatch[pickle.REDUCE[0]] = _reduce
    dispatch[pickle.BUILD[0]] = _build
    for _code in _UNUSED:
        dispatch[_code[0]] = _refused


def things(path: Path, stamps: Mapping[str, str]) -> list[Thing]:
    """All things of the account in this file, each looked through.

    Raises:
        SandboxError: it is no account, of another version, damaged, too large or hostile.
    """
    _require_likely(path)
    location = f"file:{quote(str(path))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(location, uri=True)) as connection:
            _require_ours(connection, path, stamps)
            found = list(_rows(connection))
    except sqlite3.Error as error:
        raise SandboxError(f"{path} is damaged: {error}.", "Export the account again.") from error
    for address, body in found:
        _inspect(path, address, body)
    _require_whole(path, {address for address, _ in found})
    return found


def _require_likely(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size
            likely = stream.read(len(_MAGIC)) == _MAGIC
    except OSError as error:
        raise SandboxError(f"{path} can't be read: {error.strerror or error}.") from error
    if not likely:
        raise SandboxError(
            f"{path} is not an account of stslab.",
            "Give a file that `stslab sandbox export` made.",
        )
    if size > MOST_BYTES:
        raise SandboxError(f"{path} is too large: an account has {MOST_BYTES >> 20} MiB at most.")


def _require_ours(connection: sqlite3.Connection, path: Path, stamps: Mapping[str, str]) -> None:
    """The file has our tables and nothing else: no view, trigger or virtual table."""
    connection.execute("PRAGMA trusted_schema = OFF")
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    schema = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    if application != APPLICATION or sorted(sql for (sql,) in schema) != sorted(SCHEMA):
        raise SandboxError(
            f"{path} is not an account of stslab.",
            "Give a file that `stslab sandbox export` made.",
        )
    _require_version(
        dict(connection.execute("SELECT name, value FROM stamp LIMIT 100")), path, stamps
    )
    (sound,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if sound != "ok":
        raise sqlite3.DatabaseError(sound)


def _require_version(found: Mapping[str, str], path: Path, stamps: Mapping[str, str]) -> None:
    differing = [
        f"{name} {found.get(name, 'unknown')} (this is {value})"
        for name, value in stamps.items()
        if found.get(name) != value
    ]
    if differing:
        raise SandboxError(
            f"{path} was exported by another version: {', '.join(differing)}.",
            "Import it with that version of stslab, or export it again with this one.",
        )


def _rows(connection: sqlite3.Connection) -> Iterator[Thing]:
    (count,) = connection.execute("SELECT count(*) FROM thing").fetchone()
    if count > _MOST_ROWS:
        raise sqlite3.DatabaseError("it has too many things in it")
    kinds = {*moto_things.KINDS, KIND}
    for kind, account, name, body in connection.execute(
        "SELECT kind, account, name, body FROM thing"
    ):
        texts = all(isinstance(one, str) for one in (kind, account, name))
        if not texts or not isinstance(body, bytes):
            raise sqlite3.DatabaseError("a thing in it is none")
        if kind not in kinds and not kind.startswith(f"{KIND}."):
            raise sqlite3.DatabaseError(f"it has a thing of an unknown kind: {kind[:40]!r}")
        yield (kind, account, name), body


def _inspect(path: Path, address: Address, body: bytes) -> None:
    try:
        thing = _Inspector(body).load()
        _require_shape(address[0], thing)
        pickle.dumps(thing, protocol=5)  # it must be possible to save it again
    except Exception as error:
        kind, _, name = address
        why = str(error) or "it ends too early"
        raise SandboxError(
            f"{path} is damaged, or was made to do harm: {kind} {name[:60]!r}: {why}.",
            "Nothing of it was used.",
        ) from error


def _require_shape(kind: str, thing: Any) -> None:
    """Refuse a thing that is none of its kind, over which the account would stumble later."""
    if kind == KIND:
        fits = type(thing) is tuple and tuple(map(type, thing)) == _PARTED
    elif kind in _PLAIN:
        fits = type(thing) is _PLAIN[kind]
    elif kind.endswith(_TEXTS):
        fits = type(thing) is str
    else:
        fits = type(thing).__module__ != "builtins"
    if not fits:
        raise pickle.UnpicklingError("it is none of its kind")


def _require_whole(path: Path, addresses: set[Address]) -> None:
    needed = {(KIND, "", "header"), (KIND, "", "account 111122223333")}
    if not needed <= addresses:
        raise SandboxError(f"{path} holds no whole account.", "Export the account again.")
