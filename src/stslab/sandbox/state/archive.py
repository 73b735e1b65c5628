"""An account as one file that can be handed out: a zip archive, version 1.

``account.json`` is ``{"format": "stslab account", "version": 1}``. ``records.jsonl`` has one
line for each record, ``{"kind": "user", "record": {…}}``, as the classes in this folder describe
it; a later version reads what an earlier one wrote. ``blobs/<SHA-256>`` are the bodies of S3's
objects, stored as they are, so that reading a file never costs more than its size says.

A file comes from anywhere: what does not keep to this is refused before much of it is read.
"""

import hashlib
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from stslab.errors import SandboxError
from stslab.sandbox.state import buckets
from stslab.sandbox.state.record import Record
from stslab.sandbox.state.settings import Account, Settings
from stslab.sandbox.state.snapshot import Address, Snapshot
from stslab.sandbox.state.store import decoders

VERSION = 1
_FORMAT = "stslab account"
_HEADER, _RECORDS, _BLOBS = "account.json", "records.jsonl", "blobs/"
_MOST_ENTRIES = 20_000
_MOST_DIRECTORY = 4 * 1024 * 1024
_MOST_RECORDS = 100_000
_MOST_TEXT = 32 * 1024 * 1024
_MOST_LINE = 8 * 1024 * 1024
_MOST_BLOB = 256 * 1024 * 1024
_MOST_BLOBS = 512 * 1024 * 1024
_MOST_CLOCK = 3650 * 24 * 3600
_MOST = {_HEADER: 4096, _RECORDS: _MOST_TEXT}
_CHUNK = 64 * 1024
_END = struct.Struct("<4s4H2LH")  # the end of a zip archive's central directory
_END_MARK = b"PK\x05\x06"
_ENCRYPTED = 1
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What comes of reading an archive that is none."""
_HINT = "Export the account again: stslab sandbox export"


class _Header(msgspec.Struct):
    format: str
    version: int


class _Line(msgspec.Struct):
    kind: str
    record: msgspec.Raw


def write(path: Path, account: Snapshot, blob: Callable[[str], bytes]) -> None:
    """Write an account to a new file; ``blob`` gives the body of a name."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        header = msgspec.json.encode(_Header(_FORMAT, VERSION))
        archive.writestr(_HEADER, header)
        with archive.open(_RECORDS, "w", force_zip64=False) as lines:
            for record in account.records():
                kind, body = record.table.encode(), msgspec.json.encode(record)
                lines.write(b'{"kind":"%s","record":%s}\n' % (kind, body))
        for name in sorted(set(buckets.blobs(account))):
            archive.writestr(f"{_BLOBS}{name}", blob(name), zipfile.ZIP_STORED)


class Archive:
    """An account's file that was read and found to be one: its records, and its bodies."""

    def __init__(self, path: Path, account: Snapshot) -> None:
        self.account = account
        self._path = path

    def bodies(self) -> Iterator[tuple[str, bytes]]:
        """The bodies by name, one after another."""
        with _opened(self._path) as archive:
            yield from _bodies(archive, archive.namelist())


def read(path: Path) -> Archive:
    """Read an account's file; SandboxError where it is none that can be taken in."""
    with _opened(path) as archive:
        _check_version(archive)
        account = Snapshot.of(_records(archive))
        _check(account)
        names = [one for one in archive.namelist() if one not in (_HEADER, _RECORDS)]
        if {f"{_BLOBS}{name}" for name in buckets.blobs(account)} != set(names):
            raise _refused("its bodies are not those of its objects")
        for _ in _bodies(archive, names):
            continue  # each is what its name says
    return Archive(path, account)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise _refused("it is no file")
        with path.open("rb") as file:
            _check_directory(file)
            with zipfile.ZipFile(file) as archive:
                _check_entries(archive.infolist())
                yield archive
    except OSError as error:
        raise SandboxError(f"{path} can't be read: {error.strerror or error}.") from error
    except _DAMAGED as error:
        raise _refused("it is damaged, or no account's file") from error


def _check_directory(file: IO[bytes]) -> None:
    """Refuse an archive with more entries than an account has, before they are listed."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END.size))
    end = file.read(_END.size)
    if len(end) < _END.size or not end.startswith(_END_MARK):
        raise _refused("it is no account's file")
    *_, entries, directory, _start, comment = _END.unpack(end)
    file.seek(max(0, size - _END.size - 20))
    if file.read(4) == b"PK\x06\x07" or comment:  # a second, larger directory: zip64's
        raise _refused("it is no account's file")
    if entries > _MOST_ENTRIES or directory > _MOST_DIRECTORY:
        raise _refused("it is too large")


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    names = [one.filename for one in entries]
    if len(names) > _MOST_ENTRIES or len(set(names)) != len(names):
        raise _refused("it has too many entries, or one twice")
    for one in entries:
        stored = one.compress_type == zipfile.ZIP_STORED
        squeezed = one.compress_type == zipfile.ZIP_DEFLATED and one.filename == _RECORDS
        if one.flag_bits & _ENCRYPTED or not (stored or squeezed or one.filename == _HEADER):
            raise _refused("it is packed in another way than account files are")
        if one.file_size > _MOST.get(one.filename, _MOST_BLOB):
            raise _refused("it is too large")
    if sum(one.file_size for one in entries) > _MOST_TEXT + _MOST_BLOBS:
        raise _refused("it is too large")


def _check_version(archive: zipfile.ZipFile) -> None:
    if _HEADER not in archive.namelist() or _RECORDS not in archive.namelist():
        raise _refused("it is no account's file")
    try:
        header = msgspec.json.decode(archive.read(_HEADER), type=_Header)
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


def _records(archive: zipfile.ZipFile) -> Iterator[Record]:
    outer = msgspec.json.Decoder(_Line)
    inner = decoders()
    seen: set[Address] = set()
    for number, line in enumerate(_lines(archive), start=1):
        if number > _MOST_RECORDS:
            raise _refused("it has too many records")
        try:
            said = outer.decode(line)
            if said.kind not in inner:
                raise _refused(f"line {number} is of a kind that this stslab does not know")
            record = inner[said.kind].decode(said.record)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise _refused(f"line {number} of its records is none") from error
        address = record.table, record.account, record.key
        if address in seen:
            raise _refused("it has a record twice")
        seen.add(address)
        yield record


def _lines(archive: zipfile.ZipFile) -> Iterator[bytes]:
    rest = b""
    with archive.open(_RECORDS) as stream:
        while chunk := stream.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _MOST_LINE:
                raise _refused("one of its records is too large")
            yield from lines
    if rest:
        raise _refused("its last record is cut off")


def _check(account: Snapshot) -> None:
    settings = list(account.everywhere(Settings))
    accounts = {one.account for one in account.everywhere(Account)}
    if len(settings) != 1 or not settings[0].instance or not accounts:
        raise _refused("it holds no whole account")
    if not abs(settings[0].clock_offset) <= _MOST_CLOCK:
        raise _refused("its clock is more than ten years off")
    if not {record.account for record in account.records()} <= accounts | {""}:
        raise _refused("it holds something of an account that it has not")


def _bodies(archive: zipfile.ZipFile, names: list[str]) -> Iterator[tuple[str, bytes]]:
    for name in names:
        if not name.startswith(_BLOBS):
            continue
        body = archive.read(name)
        if hashlib.sha256(body).hexdigest() != name.removeprefix(_BLOBS):
            raise _refused("a body in it is not the one that its name says")
        yield name.removeprefix(_BLOBS), body


def _refused(why: str) -> SandboxError:
    return SandboxError(f"The file can't be taken in: {why}.", _HINT)
