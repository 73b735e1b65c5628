"""An account as one file that can be handed out, version 1.

Its first line is ``{"format": "stslab account", "version": 1}``. Then comes a line for each record,
``{"kind": "user", "record": {…}}``, as the classes in this folder describe it; a later version
reads what an earlier one wrote. Then the bodies of S3's objects: of each a line
``{"blob": SHA-256, "size": bytes}``, its bytes, and a line feed. So reading a file never costs more
than its size says.

A file comes from anywhere: what does not keep to this is refused before much of it is read.
"""

import hashlib
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from stslab.errors import SandboxError
from stslab.sandbox.state import buckets
from stslab.sandbox.state.snapshot import Account, Record, Settings, Snapshot
from stslab.sandbox.state.store import decoders

VERSION = 1
_FORMAT = "stslab account"
_MOST_LINES = 120_000
_MOST_TEXT = 32 * 1024 * 1024
_MOST_LINE = 8 * 1024 * 1024
_MOST_BLOB = 256 * 1024 * 1024
_MOST_BLOBS = 512 * 1024 * 1024
_MOST_CLOCK = 3650 * 24 * 3600
_HINT = "Export the account again: stslab sandbox export"


class _Header(msgspec.Struct):
    format: str
    version: int


class _Line(msgspec.Struct, omit_defaults=True):
    """A record of a kind, or what the body is that follows."""

    kind: str = ""
    record: msgspec.Raw = msgspec.Raw()
    blob: str = ""
    size: int = 0


def write(path: Path, account: Snapshot, blob: Callable[[str], bytes]) -> None:
    """Write an account to a file; ``blob`` gives the body of a name."""
    encode = msgspec.json.encode
    with path.open("wb") as file:
        file.write(encode(_Header(_FORMAT, VERSION)) + b"\n")
        for record in account.records():
            file.write(encode(_Line(record.table, msgspec.Raw(encode(record)))) + b"\n")
        for name in sorted(set(buckets.blobs(account))):
            body = blob(name)
            file.write(encode(_Line(blob=name, size=len(body))) + b"\n" + body + b"\n")


class Archive:
    """An account's file that was read and found to be one: its records, and its bodies."""

    def __init__(self, path: Path, account: Snapshot) -> None:
        self.account = account
        self._path = path

    def bodies(self) -> Iterator[tuple[str, bytes]]:
        """The bodies by name, one after another."""
        with _opened(self._path) as file:
            yield from (part for part in _parts(file) if isinstance(part, tuple))


def read(path: Path) -> Archive:
    """Read an account's file; SandboxError where it is none that can be taken in."""
    records: dict[tuple[str, str, str], Record] = {}
    names: list[str] = []
    with _opened(path) as file:
        for part in _parts(file):
            if isinstance(part, tuple):
                names.append(part[0])
                continue
            address = part.table, part.account, part.key
            if address in records:
                raise _refused("it has a record twice")
            records[address] = part
    account = Snapshot.of(records.values())
    _check(account)
    if names != sorted(set(buckets.blobs(account))):
        raise _refused("its bodies are not those of its objects")
    return Archive(path, account)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise _refused("it is no file")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise SandboxError(f"{path} can't be read: {error.strerror or error}.") from error


def _parts(file: IO[bytes]) -> Iterator[Record | tuple[str, bytes]]:
    """The records, and the bodies with their names."""
    _check_version(file.readline(len(_FORMAT) * 8))
    line, known = msgspec.json.Decoder(_Line), decoders()
    text = bodies = 0
    for number in range(2, _MOST_LINES):
        found = file.readline(_MOST_LINE + 1)
        text += len(found)
        if not found:
            return
        if len(found) > _MOST_LINE or text > _MOST_TEXT:
            raise _refused("it is too large")
        try:
            said = line.decode(found)
            if said.blob:
                bodies += said.size
                if bodies > _MOST_BLOBS:
                    raise _refused("it is too large")
                yield said.blob, _body(file, said)
                continue
            if said.kind not in known:
                raise _refused(f"line {number} is of a kind that this stslab does not know")
            record: Record = known[said.kind].decode(said.record)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise _refused(f"line {number} is none of an account's") from error
        yield record
    raise _refused("it has too many records")


def _check_version(line: bytes) -> None:
    try:
        header = msgspec.json.decode(line, type=_Header)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _refused("it is no account's file") from error
    if header.format != _FORMAT:
        raise _refused("it is no account's file")
    if not 1 <= header.version <= VERSION:
        raise SandboxError(
            f"The file has version {header.version} of the format; this stslab reads up to "
            f"{VERSION}.",
            "Use the stslab that wrote it, or a later one.",
        )


def _body(file: IO[bytes], said: _Line) -> bytes:
    if not 0 <= said.size <= _MOST_BLOB:
        raise _refused("it is too large")
    body = file.read(said.size)
    if hashlib.sha256(body).hexdigest() != said.blob or file.read(1) != b"\n":
        raise _refused("a body in it is not the one that its name says")
    return body


def _check(account: Snapshot) -> None:
    settings = list(account.everywhere(Settings))
    accounts = {one.account for one in account.everywhere(Account)}
    if len(settings) != 1 or not settings[0].instance or not accounts:
        raise _refused("it holds no whole account")
    if not abs(settings[0].clock_offset) <= _MOST_CLOCK:
        raise _refused("its clock is more than ten years off")
    if not {record.account for record in account.records()} <= accounts | {""}:
        raise _refused("it holds something of an account that it has not")


def _refused(why: str) -> SandboxError:
    return SandboxError(f"The file can't be taken in: {why}.", _HINT)
