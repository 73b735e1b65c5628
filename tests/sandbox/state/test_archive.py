"""The file of an exported account: anything else is refused."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.sandbox.furnished import EVERYTHING, TRUST

from stslab.errors import SandboxError
from stslab.sandbox.pipeline import accounts
from stslab.sandbox.state import archive
from stslab.sandbox.state.buckets import Bucket, Object, ObjectVersion, Part
from stslab.sandbox.state.identities import User
from stslab.sandbox.state.snapshot import Account, Snapshot

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
    bucket = Bucket(name="buck", owner="111122223333", region="us-east-1", created=NOW)
    return Snapshot.of([*accounts.new(), bucket, held])


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


def record(kind: str, **members: object) -> bytes:
    made = {"account": "111122223333", **_NAMED.get(kind, {}), **members}
    return json.dumps({"kind": kind, "record": made}).encode()


THEN = "2030-01-01T00:00:00Z"
_NAMED: dict[str, dict[str, object]] = {
    "user": {"name": "ann", "unique_id": "AIDA1", "created": THEN},
    "group": {"name": "devs", "unique_id": "AGPA1", "created": THEN},
    "role": {"name": "app", "unique_id": "AROA1", "created": THEN, "trust": TRUST},
    "managed-policy": {"name": "own", "unique_id": "ANPA1", "created": THEN, "updated": THEN},
    "instance-profile": {"name": "app", "unique_id": "AIPA1", "created": THEN},
    "mfa-device": {"serial": "arn:m", "seed": "S", "created": THEN},
    "bucket": {"account": "", "name": "b", "owner": "111122223333", "region": "x", "created": THEN},
    "object": {"bucket": "buck", "name": "b"},
    "run": {"account": "", "run": "r", "turn": 1},
    "trace": {"account": "", "run": "r", "of": ["user", "111122223333", "ann"]},
    "stack-resource": {
        "stack_id": "s", "logical_id": "r", "type": "t", "status": "s", "changed": THEN,
    },
}  # fmt: skip


def deep(levels: int) -> object:
    value: object = []
    for _ in range(levels):
        value = [value]
    return value


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
        settings(lambda one: one[:-2] + b',"clock_offset":1e9}}'),
        "<= 315360000",
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
        more(record("group", account="999999999999")),
        "lacks account '999999999999'",
    ),
    "an account without its number": (
        more(b'{"kind":"account","record":{"account":"../../x","name":"a","canonical_id":"b"}}'),
        "matching regex",
    ),
    "a policy without versions": (
        more(record("managed-policy", versions=[], default="v9")), "lacks its default version",
    ),
    "a policy with another default": (
        more(record("managed-policy", versions=[{"version_id": "v1", "document": EVERYTHING, "created": THEN}], default="v2")),
        "lacks its default version",
    ),
    "an object without versions": (more(record("object", versions=[])), "of length >= 1"),
    "an owner that is missing": (more(record("bucket", owner="9")), "lacks account '9'"),
    "a run without a key": (more(record("run", keys=[])), "of length >= 1"),
    "a trace of nothing known": (more(record("trace", was="pickle {}", left="")), "not a record"),
    "a trace of a record with a flaw": (
        more(record("trace", was="", left='account {"account":"x","name":"a","canonical_id":"b"}')),
        "not a record",
    ),
    "a deep policy": (more(record("user", inline={"p": "[" * 10_000})), "has a policy that can't be read"),
    "a policy of no statements": (more(record("user", inline={"p": "{}"})), "can't be read"),
    "a policy of other statements": (more(record("role", trust='{"Statement":["a"]}')), "can't be read"),
    "a bucket policy that is not JSON": (more(record("bucket", policy="no")), "can't be read"),
    "a policy of two million characters": (
        more(record("user", inline={"p": "[" * 2_000_000})), "too much in them",
    ),
    "a large policy": (more(record("bucket", policy=" " * 140_000)), "policies that are too large"),
    "a large inline policy": (
        more(record("user", inline={"p": "x" * 10_241})), "policies that are too large",
    ),
    "many inline policies": (
        more(record("user", inline={str(number): EVERYTHING for number in range(200)})),
        "policies that are too large",
    ),
    "very many inline policies": (
        more(record("user", inline={str(number): "" for number in range(500_000)}),
             record("user", name="bob", inline={str(number): "" for number in range(500_000)})),
        "too much in them",
    ),
    "a deep value": (
        more(record("stack-resource", metadata=deep(200))), "is nested too deeply",
    ),
    "a part of another size": (
        lambda lines: [one.replace(b'"size":21,"etag"', b'"size":22,"etag"') for one in lines],
        "not those of its objects",
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
    begun = time.process_time()
    assert message in refusal(exported)
    assert time.process_time() - begun < 2


REFUSED_TO_WRITE = {
    "a policy": (User(account="111122223333", name="a", unique_id="u", created=NOW, inline={"p": ""}), "can't be read"),
    "its size": (Account(account="111122223333", name="x" * 9_000_000, canonical_id=""), "too large"),
    "its values": (Account(account="111122223333", name="," * 1_000_000, canonical_id=""), "too much"),
}  # fmt: skip


@pytest.mark.parametrize(("record", "message"), REFUSED_TO_WRITE.values(), ids=REFUSED_TO_WRITE)
def test_a_file_that_would_be_refused_is_not_written(tmp_path, record, message) -> None:
    now = Snapshot.of([*account().records(), record])
    with pytest.raises(SandboxError, match=message) as refused:
        archive.write(tmp_path / "file", now, {NAME: BODY}.__getitem__)
    assert refused.value.message.startswith("The account can't be exported. ")


def test_many_objects_are_not_a_hostile_file(tmp_path: Path) -> None:
    """Twice as many as an account may have users, roles and policies."""
    part = Part(number=1, size=len(BODY), etag="e" * 32, blob=NAME, modified=NOW)
    version = ObjectVersion(modified=NOW, parts=(part,), etag="e" * 32, headers={"a": "b"})
    many = (Object(account="111122223333", bucket="buck", name=str(n), versions=(version,)) for n in range(20_000))  # fmt: skip
    path, now = tmp_path / "file", Snapshot.of([*account().records(), *many])
    archive.write(path, now, {NAME: BODY}.__getitem__)
    assert archive.read(path).account.count(Object, "111122223333") == 20_001


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
