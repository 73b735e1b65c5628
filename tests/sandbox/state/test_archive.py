"""An account's file: whole, and refused where it is anything else."""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import zipfile
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


Entries = dict[str, bytes]


def entries_of(path: Path) -> Entries:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def rewritten(path: Path, entries: Entries, how: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", how) as file:
        for name, body in entries.items():
            file.writestr(name, body)


def refusal(path: Path) -> str:
    with pytest.raises(SandboxError) as refused:
        archive.read(path)
    return refused.value.message


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written, path = account(), tmp_path / "file"
    archive.write(path, written, {NAME: BODY}.__getitem__)
    found = archive.read(path)
    assert list(written.differences(found.account)) == []
    assert list(found.bodies()) == [(NAME, BODY)]


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Entries], Entries]:
    def changed(entries: Entries) -> Entries:
        kept = change(entries["records.jsonl"].splitlines())
        return {**entries, "records.jsonl": b"".join(line + b"\n" for line in kept)}

    return changed


def header(**members: object) -> Callable[[Entries], Entries]:
    said = {"format": "stslab account", "version": 1, **members}
    return lambda entries: {**entries, "account.json": json.dumps(said).encode()}


def settings(change: Callable[[bytes], bytes]) -> Callable[[Entries], Entries]:
    return lines(lambda found: [change(one) if b'"settings"' in one else one for one in found])


HOSTILE: dict[str, tuple[Callable[[Entries], Entries], str]] = {
    "no header": (lambda e: {k: v for k, v in e.items() if k != "account.json"}, "no account"),
    "another format": (header(format="pickle"), "no account"),
    "a header that is none": (lambda e: {**e, "account.json": b"[" * 4000}, "no account"),
    "a large header": (lambda e: {**e, "account.json": b" " * 5000}, "too large"),
    "a later version": (header(version=2), "reads up to 1"),
    "no records": (lambda e: {**e, "records.jsonl": b""}, "no whole account"),
    "a record that is none": (lines(lambda found: [*found, b"{}"]), "is none"),
    "a record of another kind": (
        lines(lambda found: [*found, b'{"kind":"pickle","record":{}}']),
        "does not know",
    ),
    "deep nesting": (
        lines(lambda found: [*found, b'{"kind":"user","record":' + b'{"tags":' * 100_000]),
        "is none",
    ),
    "a deep value that nothing reads": (
        settings(lambda one: one[:-2] + b',"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}}"),
        "is none",
    ),
    "a record twice": (lines(lambda found: [*found, found[0]]), "twice"),
    "a record that is cut off": (
        lambda e: {**e, "records.jsonl": e["records.jsonl"] + b'{"kind'},
        "cut off",
    ),
    "a line without end": (lambda e: {**e, "records.jsonl": b" " * 9_000_000}, "too large"),
    "a clock that is off": (
        settings(lambda one: one[:-2] + b',"clock_offset":1e300}}'),
        "ten years",
    ),
    "a time of no zone": (
        lines(lambda found: [re.sub(rb'(:\d\d[.\d]*)Z"', rb'\1"', one) for one in found]),
        "is none",
    ),
    "two settings": (
        lines(lambda f: [*f, b'{"kind":"settings","record":{"account":"1","instance":"x"}}']),
        "no whole account",
    ),
    "something of no account": (
        lines(lambda f: [*f, b'{"kind":"account","record":{"account":"","name":"a","canonical_id":"b"}}',
                         b'{"kind":"managed-policy","record":{"account":"9","name":"a","unique_id":"b","created":"2030-01-01T00:00:00Z","updated":"2030-01-01T00:00:00Z","versions":[]}}']),
        "that it has not",
    ),
    "a body that nothing has": (lambda e: {**e, f"blobs/{'0' * 64}": b"x"}, "not those"),
    "no body": (lambda e: {k: v for k, v in e.items() if k != f"blobs/{NAME}"}, "not those"),
    "another body": (lambda e: {**e, f"blobs/{NAME}": b"x"}, "not the one"),
    "something else": (lambda e: {**e, "../../x": b"x"}, "not those"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "said"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_account_is_refused(exported: Path, change, said) -> None:
    rewritten(exported, change(entries_of(exported)))
    assert said in refusal(exported)


@pytest.mark.parametrize("how", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_body_that_is_packed_is_refused_before_it_is_unpacked(exported: Path, how: int) -> None:
    rewritten(exported, {**entries_of(exported), f"blobs/{'0' * 64}": bytes(10_000_000)}, how)
    assert "packed in another way" in refusal(exported)


def test_records_that_unpack_to_very_much_are_refused(exported: Path) -> None:
    entries = entries_of(exported)
    with zipfile.ZipFile(exported, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in entries.items():
            if name != "records.jsonl":
                file.writestr(name, body, zipfile.ZIP_STORED)
        with file.open("records.jsonl", "w") as stream:
            for _ in range(40):
                stream.write(bytes(1_000_000))
    assert "too large" in refusal(exported)


def test_a_directory_that_lies_is_refused(exported: Path) -> None:
    content = bytearray(exported.read_bytes())
    where = content.rindex(b"records.jsonl") - 46  # its entry in the directory
    struct.pack_into("<L", content, where + 24, 5)  # the size that it is said to unpack to
    exported.write_bytes(content)
    assert "damaged" in refusal(exported)


def test_an_entry_that_is_there_twice_is_refused(exported: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(exported, "a") as file:
        file.writestr("account.json", b"{}")
    assert "twice" in refusal(exported)


def test_very_many_entries_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "many"
    rewritten(path, {f"{number:x}": b"" for number in range(20_001)})
    assert "too large" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(4096), bytes(100_000)])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert "no account's file" in refusal(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "no file" in refusal(tmp_path / "pipe")
    assert "no file" in refusal(tmp_path)
    assert "can't be read" in refusal(tmp_path / "missing")


def test_an_archive_with_a_comment_or_a_second_directory_is_refused(exported: Path) -> None:
    content = exported.read_bytes()
    exported.write_bytes(content[:-2] + struct.pack("<H", 3) + b"abc")
    assert "no account's file" in refusal(exported)
    exported.write_bytes(content[:-22] + b"PK\x06\x07" + bytes(16) + content[-22:])
    assert "no account's file" in refusal(exported)


def test_every_damaged_byte_is_refused_or_harmless(exported: Path) -> None:
    content = exported.read_bytes()
    for place in range(0, len(content), 37):
        changed = bytearray(content)
        changed[place] ^= 0x40
        exported.write_bytes(changed)
        try:
            archive.read(exported)
        except SandboxError:
            continue
