"""The file of an exported account: anything else is refused."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stslab.errors import SandboxError
from stslab.sandbox.pipeline import accounts
from stslab.sandbox.state import archive
from stslab.sandbox.state.buckets import Object, ObjectVersion, Part
from stslab.sandbox.state.snapshot import Snapshot

BODY = b"what is in the object"
NAME = hashlib.sha256(BODY).hexdigest()
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def account() -> Snapshot:
    part = Part(number=1, size=len(BODY), etag="e", blob=NAME, modified=NOW)
    held = Object(
        account="111122223333",
        bucket="buck",
        name="key",
        versions=(ObjectVersion(modified=NOW, parts=(part,)),),
    )
    return Snapshot.of([*accounts.new(), held])


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    path = tmp_path / "account.stslab"
    archive.write(path, account(), {NAME: BODY}.__getitem__)
    return path


Lines = list[bytes]
BLOB = json.dumps({"blob": NAME, "size": len(BODY)}).encode()


def refusal(path: Path) -> str:
    with pytest.raises(SandboxError) as refused:
        archive.read(path)
    return refused.value.message


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written, path = account(), tmp_path / "file"
    archive.write(path, written, {NAME: BODY}.__getitem__)
    read = archive.read(path)
    assert list(written.differences(read.account)) == []
    assert list(read.bodies()) == [(NAME, BODY)]


def header(**members: object) -> Callable[[Lines], Lines]:
    first = {"format": "stslab account", "version": 1, **members}
    return lambda lines: [json.dumps(first).encode(), *lines[1:]]


def more(*records: bytes) -> Callable[[Lines], Lines]:
    return lambda lines: [*lines[:-2], *records, *lines[-2:]]


def settings(change: Callable[[bytes], bytes]) -> Callable[[Lines], Lines]:
    return lambda lines: [change(one) if b'"settings"' in one else one for one in lines]


HOSTILE: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "no header": (lambda lines: lines[1:], "not the file of an account"),
    "another format": (header(format="pickle"), "not the file of an account"),
    "an invalid header": (lambda lines: [b"[" * 4000, *lines[1:]], "not the file of an account"),
    "a large header": (lambda lines: [b" " * 5000, *lines[1:]], "not the file of an account"),
    "a later version": (header(version=2), "reads up to 1"),
    "no records": (lambda lines: lines[:1], "not a complete account"),
    "an empty record": (more(b"{}"), "does not know"),
    "no JSON": (more(b"{"), "is not a record"),
    "a record of another kind": (more(b'{"kind":"pickle","record":{}}'), "does not know"),
    "deep nesting": (more(b'{"kind":"user","record":' + b'{"tags":' * 100_000), "is not a record"),
    "a deep value that nothing reads": (
        settings(lambda one: one[:-2] + b',"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}}"),
        "is not a record",
    ),
    "a record twice": (lambda lines: more(lines[1])(lines), "twice"),
    "a record that is cut off": (lambda lines: [*lines[:-2], b'{"kind'], "is not a record"),
    "a line without end": (more(b" " * 9_000_000), "too large"),
    "very much text": (
        more(*(b'{"kind":"settings","record":{"account":"%d","x":"%s"}}' % (n, bytes(5_000_000).replace(b"\0", b"x")) for n in range(8))),
        "too large",
    ),
    "very many records": (
        more(*(b'{"kind":"settings","record":{"account":"%d"}}' % n for n in range(120_000))),
        "too many",
    ),
    "a clock that is off": (
        settings(lambda one: one[:-2] + b',"clock_offset":1e300}}'),
        "ten years",
    ),
    "a time without a zone": (
        lambda lines: [re.sub(rb'(:\d\d[.\d]*)Z"', rb'\1"', one) for one in lines],
        "is not a record",
    ),
    "two settings": (
        more(b'{"kind":"settings","record":{"account":"1","instance":"x"}}'),
        "not a complete account",
    ),
    "a record of an account that is missing": (
        more(b'{"kind":"account","record":{"account":"","name":"a","canonical_id":"b"}}',
             b'{"kind":"managed-policy","record":{"account":"9","name":"a","unique_id":"b","created":"2030-01-01T00:00:00Z","updated":"2030-01-01T00:00:00Z","versions":[]}}'),
        "that it lacks",
    ),
    "a body that no object has": (
        more(json.dumps({"blob": hashlib.sha256(b"x").hexdigest(), "size": 1}).encode(), b"x"),
        "not those",
    ),
    "a body twice": (more(BLOB, BODY), "not those"),
    "no body": (lambda lines: lines[:-2], "not those"),
    "another body": (lambda lines: [*lines[:-1], b"x"], "match its hash"),
    "a body that is cut off": (lambda lines: [*lines[:-1], BODY[:-1]], "match its hash"),
    "a body of very many bytes": (more(json.dumps({"blob": NAME, "size": 2**40}).encode()), "too large"),
    "a body of a negative size": (more(json.dumps({"blob": NAME, "size": -1}).encode()), "too large"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_damaged_file_is_refused(exported: Path, change, message) -> None:
    lines = exported.read_bytes().splitlines()
    exported.write_bytes(b"".join(line + b"\n" for line in change(lines)))
    assert message in refusal(exported)


@pytest.mark.parametrize(
    "content", [b"", b"SQLite format 3\0" + bytes(4096), b"PK\x03\x04" + bytes(9), bytes(100_000)]
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert "not the file of an account" in refusal(path)


def test_a_pipe_and_a_folder_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path)
    assert "can't be read" in refusal(tmp_path / "missing")


def test_every_changed_byte_is_refused_or_harmless(exported: Path) -> None:
    content = exported.read_bytes()
    for place in range(0, len(content), 37):
        changed = bytearray(content)
        changed[place] ^= 0x40
        exported.write_bytes(changed)
        try:
            archive.read(exported)
        except SandboxError:
            continue
