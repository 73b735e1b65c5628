"""Snapshots are values; transactions happen completely or not at all."""

from __future__ import annotations

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stslab.errors import SandboxError
from stslab.sandbox.state import store as store_module
from stslab.sandbox.state.identities import AccessKey, Group, User
from stslab.sandbox.state.snapshot import Settings, Snapshot
from stslab.sandbox.state.state import State
from stslab.sandbox.state.store import Store

ACCOUNT = "111122223333"
THEN = datetime(2026, 1, 1, tzinfo=UTC)


def user(name: str, **members: object) -> User:
    return User(account=ACCOUNT, name=name, unique_id=f"AIDA{name}", created=THEN, **members)  # type: ignore[arg-type]


def test_a_snapshot_does_not_see_later_changes() -> None:
    state = State(Snapshot.of([user("Ana")]))
    before = state.snapshot
    with state.transaction() as tx:
        tx.put(replace(user("Ana"), path="/team/"))
        tx.put(user("Bob"))
    assert before.count(User, ACCOUNT) == 1
    assert state.snapshot.get(User, ACCOUNT, "bob") == user("Bob")
    changed = {
        (d.before and d.before.key, d.after and d.after.key)
        for d in before.differences(state.snapshot)
    }
    assert changed == {("ana", "ana"), (None, "bob")}


def test_a_transaction_reads_its_own_changes() -> None:
    state = State(Snapshot())
    with state.transaction() as tx:
        tx.put(user("Ana"))
        assert tx.get(User, ACCOUNT, "ana") is not None
        tx.delete(user("Ana"))
        assert tx.get(User, ACCOUNT, "ana") is None
        assert list(tx.all(User, ACCOUNT)) == []


def test_an_exception_undoes_the_transaction() -> None:
    state = State(Snapshot())
    with pytest.raises(ZeroDivisionError):
        _put_and_fail(state)
    assert list(state.snapshot.records()) == []
    with state.transaction() as tx:
        tx.put(user("Bob"))
    assert state.snapshot.count(User, ACCOUNT) == 1


def test_a_record_that_is_put_always_stays_when_the_transaction_fails() -> None:
    state = State(Snapshot())
    with pytest.raises(ZeroDivisionError):
        _put_and_fail(state, user("Eve"))
    assert list(state.snapshot.records()) == [user("Eve")]


def _put_and_fail(state: State, *always: User) -> None:
    with state.transaction() as tx:
        tx.put(user("Ana"))
        for one in always:
            tx.put(one, always=True)
        raise ZeroDivisionError


def test_transactions_do_not_nest() -> None:
    state = State(Snapshot())
    with state.transaction(), pytest.raises(RuntimeError), state.transaction():
        pass


def test_changes_that_can_not_be_saved_are_undone(tmp_path: Path) -> None:
    store = Store(tmp_path / "account.sqlite")
    state = State(store.load(), store)
    store.close()
    with pytest.raises(sqlite3.ProgrammingError), state.transaction() as tx:
        tx.put(user("Ana"))
    assert list(state.snapshot.records()) == []


def test_watchers_see_each_change_in_order() -> None:
    state, seen = State(Snapshot()), []
    stop = state.watch(
        lambda before, after: seen.append((before.count(User, ACCOUNT), after.count(User, ACCOUNT)))
    )
    for name in ("Ana", "Bob"):
        with state.transaction() as tx:
            tx.put(user(name))
    with state.transaction():
        pass  # changes nothing
    stop()
    with state.transaction() as tx:
        tx.put(user("Eve"))
    assert seen == [(0, 1), (1, 2)]


def test_no_secret_is_shown() -> None:
    key = AccessKey(
        account=ACCOUNT,
        access_key_id="AKIA1",
        secret_access_key="hidden",
        owner="AIDA1",
        created=THEN,
    )
    assert "hidden" not in f"{key!r} {key} {replace(key, active=False)!r}"


names = st.sampled_from(["Ana", "Bob", "Eve"])
changes = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "again"]), names, st.text(max_size=3)), max_size=12
)


def saved(path: Path) -> Snapshot:
    with closing(Store(path)) as store:
        return store.load()


@given(changes)
def test_a_reopened_store_has_what_was_saved(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("state") / "account.sqlite"
    store = Store(path)
    state = State(store.load(), store)
    for what, name, value in made:
        if what == "again":
            store.close()
            store = Store(path)
            opened = store.load()
            assert list(state.snapshot.differences(opened)) == []
            state = State(opened, store)
            continue
        with state.transaction() as tx:
            one = user(name, tags={"value": value})
            tx.put(one) if what == "put" else tx.delete(one)
            tx.put(Group(account=ACCOUNT, name=name, unique_id="AGPA", created=THEN))
    store.close()
    assert list(state.snapshot.differences(saved(path))) == []


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Store(tmp_path / "account.sqlite").close()
    finally:
        os.umask(before)
    assert (tmp_path / "account.sqlite").stat().st_mode & 0o777 == 0o600


_ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT x FROM c"


def _with(tmp_path: Path, statement: str) -> Path:
    path = tmp_path / "account.sqlite"
    store = Store(path)
    with State(Snapshot(), store).transaction() as tx:
        tx.put(Settings(instance="one"))
        tx.put(user("Ana"))
    store.close()
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()
    return path


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE record SET body = '{'", "truncated"),
        ("UPDATE record SET kind = 'spaceship'", "spaceship"),
        ("UPDATE record SET key = 'other' WHERE kind = 'user'", "key of another record"),
        ("UPDATE record SET body = '{\"account\": 5}'", "Expected `str`"),
        ("UPDATE record SET body = printf('%.100000c', '[')", "can't be read"),
        ("UPDATE record SET body = 5", "not a record that an account can have"),
        ("UPDATE meta SET value = '2'", "format 2"),
        ("UPDATE meta SET value = '\u00b2'", "format \u00b2"),
        ("UPDATE meta SET value = printf('%.5000c', '9')", "format 999"),
        ("DELETE FROM meta", "format no version"),
        (f"CREATE VIEW endless AS {_ENDLESS}", "a view or a trigger"),
        (
            "CREATE TRIGGER forgetful AFTER INSERT ON record BEGIN DELETE FROM record; END",
            "a view or a trigger",
        ),
    ],
)
def test_a_file_that_is_not_an_account_is_refused(
    tmp_path: Path, statement: str, says: str
) -> None:
    path = _with(tmp_path, statement)
    with pytest.raises(SandboxError, match=says):
        saved(path)
    with pytest.raises(SandboxError, match=says), store_module.opened(path):
        pass  # to export it


def test_a_large_body_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, begun, goes_on = store_module._blob, Event(), Event()

    def slowly(db: sqlite3.Connection, path: Path, name: str) -> bytes:
        if name == "large":
            begun.set()
            assert goes_on.wait(10)
        return read(db, path, name)

    monkeypatch.setattr(store_module, "_blob", slowly)
    with closing(Store(tmp_path / "account.sqlite")) as store, ThreadPoolExecutor(2) as pool:
        store.save({}, {"large": b"L", "small": b"S"})
        large = pool.submit(store.blob, "large")
        try:
            assert begun.wait(5)
            assert pool.submit(store.blob, "small").result(5) == b"S"
        finally:
            goes_on.set()
        assert large.result() == b"L"


def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "account.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(SandboxError, match="can't be read"):
        saved(path)


def test_a_file_that_cannot_be_opened_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "account.sqlite"
    path.mkdir()
    with pytest.raises(SandboxError, match="can't be opened") as refused:
        saved(path)
    assert "reset" not in refused.value.hint


def test_a_row_of_another_version_is_read(tmp_path: Path) -> None:
    path = _with(
        tmp_path, "UPDATE record SET body = json_set(body, '$.later', 1) WHERE kind = 'user'"
    )
    assert saved(path).get(User, ACCOUNT, "ana") == user("Ana")
