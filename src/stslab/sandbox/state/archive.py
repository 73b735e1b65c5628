"""The file of an exported account, format version 1.

The first line is ``{"format": "stslab account", "version": 1}``. One line for each record follows,
``{"kind": "user", "record": {…}}``, as the classes in this folder define it. Then come the bodies
of S3's objects, each as a line ``{"blob": SHA-256, "size": bytes}``, its bytes and a line feed.

The file may come from anyone, so anything else is refused before much of it is read, and so is an
account that breaks its invariants. An account that is too large for a file is not written.
"""

import hashlib
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from stslab.errors import SandboxError
from stslab.sandbox.state import buckets, invariants
from stslab.sandbox.state.snapshot import Record, Snapshot
from stslab.sandbox.state.store import decoders

FORMAT, VERSION = "stslab account", 1
_MOST_HEADER = 112  # bytes
_MOST_LINES = 50_000
_MOST_VALUES = 1_000_000  # members of records, items of lists, and what their texts hold of such
_MOST_TEXT = 32 * 1024 * 1024
_MOST_LINE = 8 * 1024 * 1024
_MOST_BODY = 256 * 1024 * 1024
_MOST_BODIES = 512 * 1024 * 1024


class Header(msgspec.Struct):
    """What a file of stslab says first: its format, and the version of that."""

    format: str
    version: int


class _Line(msgspec.Struct, omit_defaults=True):
    """A record and its kind, or the hash and size of the body that follows."""

    kind: str = ""
    record: msgspec.Raw = msgspec.Raw()
    blob: str = ""
    size: int = 0


def write(path: Path, account: Snapshot, blob: Callable[[str], bytes]) -> None:
    """Write an account to a file. ``blob`` returns the body with a name.

    Raises SandboxError if the file can't be imported.
    """
    encode = msgspec.json.encode
    with path.open("wb") as file:
        file.write(encode(Header(FORMAT, VERSION)) + b"\n")
        for record in account.records():
            file.write(encode(_Line(record.table, msgspec.Raw(encode(record)))) + b"\n")
        for name in sorted({part.blob for part in buckets.parts(account)}):
            body = blob(name)
            file.write(encode(_Line(blob=name, size=len(body))) + b"\n" + body + b"\n")
    try:
        read(path)
    except SandboxError as error:
        hint = "Remove that from the account, and export it again."
        raise SandboxError(f"The account can't be exported. {error.message}", hint) from error


class Archive(NamedTuple):
    """A valid file of an account: its records in ``account``, and its bodies."""

    path: Path
    account: Snapshot

    def bodies(self) -> Iterator[tuple[str, bytes]]:
        """The names and bodies, one after another."""
        with _opened(self.path) as file:
            yield from (part for part in _parts(file) if isinstance(part, tuple))


def read(path: Path) -> Archive:
    """Read and check an account's file. Raises SandboxError if it can't be imported."""
    records: list[Record] = []
    bodies: list[tuple[str, int]] = []
    with _opened(path) as file:
        for part in _parts(file):
            if isinstance(part, Record):
                records.append(part)
            else:
                bodies.append((part[0], len(part[1])))
    account = Snapshot.of(records)
    if len(records) > sum(1 for _ in account.records()):
        raise _refused("it has a record twice")
    if problem := invariants.problem(account):
        raise _refused(problem)
    if bodies != sorted({(part.blob, part.size) for part in buckets.parts(account)}):
        raise _refused("its bodies are not those of its objects")
    return Archive(path, account)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe could wait forever
            raise _refused("it is not a regular file")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise SandboxError(f"{path} can't be read: {error.strerror or error}.") from error


def _parts(file: IO[bytes]) -> Iterator[Record | tuple[str, bytes]]:
    """The records, and the names and bodies."""
    try:
        check_header(file.readline(_MOST_HEADER), FORMAT, VERSION)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _refused("it is not the file of an account") from error
    decode, known = msgspec.json.Decoder(_Line).decode, decoders()
    text = values = bodies = 0
    for number, written in enumerate(iter(partial(file.readline, _MOST_LINE + 1), b""), 2):
        text += len(written)
        values += sum(map(written.count, (b",", b"[", b"{")))
        if len(written) > _MOST_LINE or text > _MOST_TEXT:
            raise _refused("it is too large")
        if number > _MOST_LINES or values > _MOST_VALUES:
            raise _refused("it has too many records, or too much in them")
        try:
            line = decode(written)
            if line.blob:
                bodies += line.size
                if bodies > _MOST_BODIES or not 0 <= line.size <= _MOST_BODY:
                    raise _refused("it is too large")
                body = file.read(line.size)
                if hashlib.sha256(body).hexdigest() != line.blob or file.read(1) != b"\n":
                    raise _refused("a body in it does not match its hash")
                yield line.blob, body
                continue
            if line.kind not in known:
                raise _refused(f"line {number} has a kind that this stslab does not know")
            record: Record = known[line.kind].decode(line.record)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise _refused(f"line {number} is not a record of an account: {error}") from error
        yield record


def check_header(text: bytes, form: str, newest: int) -> None:
    """ValueError: the file has another format. SandboxError: its version is unknown here."""
    header = msgspec.json.decode(text, type=Header)
    if header.format != form:
        raise ValueError(f"its format is not {form!r}")
    if not 1 <= header.version <= newest:
        message = f"The file has version {header.version}; this stslab reads up to {newest}."
        raise SandboxError(message, "Use the stslab that wrote it, or a later one.")


def _refused(why: str) -> SandboxError:
    hint = "Export the account again: stslab sandbox export"
    return SandboxError(f"The file can't be imported: {why}.", hint)
