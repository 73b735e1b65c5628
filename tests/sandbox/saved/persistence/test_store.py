"""The account's file: what it refuses, and that reading it runs nothing."""

from __future__ import annotations

import os
import pickle
import sqlite3
import stat
from pathlib import Path

import pytest

from stslab.errors import SandboxError
from stslab.sandbox.saved.persistence import pickles
from stslab.sandbox.saved.persistence.memory import Memory
from stslab.sandbox.saved.persistence.store import Store
from stslab.sandbox.saved.tables import Table

STAMPS = {"format": "1", "moto": "5"}
ONE = ("iam.users", "111122223333", "ann")


def test_saves_and_loads_by_kind(tmp_path):
    store = Store(tmp_path / "a", STAMPS)
    assert store.is_empty()
    store.save([(ONE, b"x"), (("iam.roles", "1", "r"), b"y")])
    store.close()
    again = Store(tmp_path / "a", STAMPS)
    assert list(again.load("iam.users")) == [("111122223333", "ann", b"x")]
    again.save([(ONE, None)])
    assert list(again.load("iam.users")) == []
    again.close()


def test_only_the_owner_may_read_it(tmp_path):
    Store(tmp_path / "a", STAMPS).close()
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


def test_another_version_is_refused_and_nothing_is_lost(tmp_path):
    store = Store(tmp_path / "a", STAMPS)
    store.save([(ONE, b"x")])
    store.close()
    before = (tmp_path / "a").read_bytes()
    with pytest.raises(SandboxError, match=r"moto 5 \(this is 6\)"):
        Store(tmp_path / "a", {**STAMPS, "moto": "6"})
    assert (tmp_path / "a").read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\0" + os.urandom(4000)]
)
def test_a_damaged_file_is_a_clear_error(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(SandboxError) as refused:
        Store(tmp_path / "a", STAMPS)
    assert "reset" in refused.value.hint


def test_a_foreign_database_is_left_alone(tmp_path):
    other = sqlite3.connect(tmp_path / "a")
    other.execute("CREATE TABLE diary (day TEXT)")
    other.close()
    with pytest.raises(SandboxError, match="not an account"):
        Store(tmp_path / "a", STAMPS)


def test_damaged_things_are_a_clear_error(tmp_path):
    memory = Memory(tmp_path / "a")
    memory.open()
    memory.close()
    file = sqlite3.connect(tmp_path / "a")
    file.execute("UPDATE thing SET body = x'80059999' WHERE kind = 'iam.users'")
    file.commit()
    file.close()
    damaged = Memory(tmp_path / "a")
    with pytest.raises(SandboxError, match="damaged"):
        damaged.open()
    damaged.close()


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (os.system, (f"touch {self.mark}",))


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "subprocess.Popen"])
def test_reading_runs_nothing(tmp_path, name):
    module, attribute = name.split(".")
    body = f"c{module}\n{attribute}\n(S'touch {tmp_path}/mark'\ntR.".encode()
    with pytest.raises(SandboxError, match="has no place in an account"):
        pickles.loads(body, lambda _: None)
    with pytest.raises(SandboxError):
        pickles.loads(pickle.dumps(Evil(tmp_path / "mark")), lambda _: None)
    assert not (tmp_path / "mark").exists()


def test_a_table_lists_what_changed():
    table: Table[str, int] = Table(a=1)
    assert table.take_changed() == {"a"}
    table["b"] = 2
    table.update(c=3)
    table.setdefault("d", 4)
    del table["a"]
    table.touch("e")
    table.pop("c")
    assert table.take_changed() == {"a", "b", "c", "d", "e"}
    table.load([("f", 6)])
    assert table.take_changed() == set()
    assert table == {"b": 2, "d": 4, "f": 6}
    table.clear()
    assert table.take_changed() == {"b", "d", "f"}
