"""Whatever the account's file holds: a start reads it, says what it leaves out, or is refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from stslab.cli.main import cli
from stslab.errors import SandboxError
from stslab.sandbox.server import client
from stslab.sandbox.server.embedded import EmbeddedAccount
from stslab.sandbox.state.buckets import Bucket, Object, ObjectVersion, Part, Upload
from stslab.sandbox.state.identities import User
from stslab.vocabulary import LEARNER

NOW = datetime(2030, 1, 1, tzinfo=UTC)
UNKNOWN = "UPDATE record SET body = json_set(body, '$.rehearsal', 'warp=3') WHERE kind = 'settings'"


def part(body: str) -> Part:
    return Part(number=1, size=1, etag="e", blob=body, modified=NOW)


def item(name: str, *bodies: str) -> Object:
    versions = tuple(
        ObjectVersion(version_id=body, modified=NOW, parts=(part(body),)) for body in bodies
    )
    return Object(account=LEARNER, bucket="buck", name=name, versions=versions)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An account with three objects and an upload, whose bodies are ``a``, ``b`` and ``c``."""
    with closing(EmbeddedAccount(tmp_path, fresh=True)) as account:
        with account.inside.state.transaction() as tx:
            tx.put(Bucket(name="buck", owner=LEARNER, region="us-east-1", created=NOW))
            for one in (item("one", "a"), item("two", "a", "b"), item("three", "b")):
                tx.put(one)
            draft = ObjectVersion(modified=NOW)
            tx.put(
                Upload(
                    account=LEARNER,
                    bucket="buck",
                    name="four",
                    upload_id="up",
                    initiator="arn",
                    draft=draft,
                    parts=(part("a"), part("c")),
                )
            )
            tx.blobs.update({name: name.encode() for name in "abc"})
        assert account.notes == ""
    return tmp_path


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "account.sqlite")) as db:
        db.execute(statement)
        db.commit()


def test_objects_without_their_bodies_are_left_out_and_named(folder: Path) -> None:
    change(folder, "DELETE FROM blob WHERE name = 'a'")
    with closing(EmbeddedAccount(folder, fresh=False)) as account:
        names = {one for one in ("one", "two", "three", "four") if f"buck/{one} " in account.notes}
        assert names == {"one", "two", "four"}
        state = account.inside.state
        assert state.unsaved() == []
        left = {one.name: one.versions for one in state.snapshot.all(Object, LEARNER)}
        assert left == {"two": item("two", "b").versions, "three": item("three", "b").versions}
        (upload,) = state.snapshot.all(Upload, LEARNER)
        assert upload.parts == (part("c"),)
    with closing(EmbeddedAccount(folder, fresh=False)) as account:
        assert account.notes == ""


def test_a_rehearsal_that_is_unknown_is_ended_and_named(folder: Path) -> None:
    change(folder, UNKNOWN)
    with closing(EmbeddedAccount(folder, fresh=False)) as account:
        assert "has no setting 'warp'" in account.notes
        assert account.rehearsal is None
        account.reset()
        assert account.notes == ""


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM record WHERE kind = 'settings'", "lacks its settings"),
        ("DELETE FROM record WHERE kind = 'account'", "lacks account '111122223333'"),
        ("DELETE FROM record WHERE kind = 'account' AND account LIKE '1%'", "lacks account"),
        ("DELETE FROM record WHERE kind != 'settings'", "lacks account"),
        (UNKNOWN.replace("rehearsal', 'warp=3'", "clock_offset', 1e9"), "<= 315360000"),
    ],
)
def test_an_account_that_lacks_itself_is_refused(folder: Path, statement: str, says: str) -> None:
    change(folder, statement)
    with pytest.raises(SandboxError, match=says) as refused:
        EmbeddedAccount(folder, fresh=False)
    assert "stslab sandbox reset" in refused.value.hint


def test_start_and_status_say_what_was_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STSLAB_HOME", str(tmp_path))
    folder = tmp_path / "sandbox"
    with closing(EmbeddedAccount(_made(folder), fresh=True)) as account:
        assert account.inside.state.snapshot.get(User, LEARNER, "admin")
        with account.inside.state.transaction() as tx:
            tx.put(item("title\x1b]0;x\x07", "a"))
    change(folder, UNKNOWN)
    try:
        started = CliRunner().invoke(cli, ["sandbox", "start"])
        assert started.exit_code == 0
        assert "start --rehearse" in started.stderr
        status = CliRunner().invoke(cli, ["sandbox", "status"])
        for shown in (started.stderr, status.stdout):
            assert "has no setting 'warp'" in shown
            assert "buck/title" in shown
            assert "\x1b" not in shown
    finally:
        client.stop(folder)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
