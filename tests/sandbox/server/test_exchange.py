"""Exported accounts: complete, private, and the same after an import but for the instance."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.sandbox.direct import Direct
from tests.sandbox.furnished import furnish

from stslab.errors import SandboxError
from stslab.sandbox.pipeline import accounts
from stslab.sandbox.server import exchange
from stslab.sandbox.state import archive, buckets
from stslab.sandbox.state.snapshot import Settings, Snapshot
from stslab.sandbox.state.state import State
from stslab.sandbox.state.store import Store, decoders
from stslab.sandbox.state.traces import Run, Trace


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an account with something of everything in it."""
    folder = tmp_path_factory.mktemp("account")
    store = Store(folder / "account.sqlite")
    state = State(Snapshot(), store)
    with state.transaction() as tx:
        for record in accounts.new():
            tx.put(record)
    direct = Direct(state)
    furnish(direct)
    direct.stop()
    store.close()
    return folder


@pytest.fixture
def exported(made: Path, tmp_path: Path) -> Path:
    path = tmp_path / "exported"
    exchange.export(made, path)
    return path


def loaded(path: Path) -> tuple[Snapshot, dict[str, bytes]]:
    store = Store(path)
    now = store.load()
    bodies = {part.blob: store.blob(part.blob) for part in buckets.parts(now)}
    store.close()
    return now, bodies


def test_an_export_is_complete_and_private(made: Path, exported: Path) -> None:
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600
    assert list(exported.parent.iterdir()) == [exported]
    shutil.copytree(made, exported.with_name("copy"))
    now, bodies = loaded(exported.with_name("copy") / "account.sqlite")
    found = archive.read(exported)
    assert list(now.differences(found.account)) == []
    assert dict(found.bodies()) == bodies
    assert len(list(now.records())) > 10
    assert bodies


def test_only_the_instance_changes_on_import(exported: Path, tmp_path: Path) -> None:
    found = archive.read(exported)
    exchange._write(tmp_path / "new", found, renamed=True)
    now, bodies = loaded(tmp_path / "new")
    (changed,) = found.account.differences(now)
    assert isinstance(changed.before, Settings)
    assert isinstance(changed.after, Settings)
    assert changed.before.instance != changed.after.instance
    assert bodies == dict(found.bodies())


@pytest.mark.parametrize("kept", [0, 10, 100, 2000, -100])
def test_a_file_that_is_cut_off_is_refused(exported: Path, kept: int) -> None:
    exported.write_bytes(exported.read_bytes()[:kept])
    with pytest.raises(SandboxError, match="can't be imported"):
        archive.read(exported)


def test_export_needs_an_account(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="no account yet"):
        exchange.export(tmp_path, tmp_path / "b")


def test_a_failed_export_leaves_no_file(made: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        exchange.export(made, tmp_path / "taken")
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]
    with pytest.raises(FileNotFoundError):
        exchange.export(made, tmp_path / "none" / "file")


def test_a_process_that_only_exports_knows_each_kind_of_record() -> None:
    code = "from stslab.sandbox.state import store; print(*store.decoders())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {*done.stdout.split()} == {*decoders()} | {Run.table, Trace.table}


def test_reading_does_not_change_the_exported_file(exported: Path) -> None:
    before = exported.read_bytes()
    archive.read(exported)
    assert exported.read_bytes() == before
    assert list(exported.parent.iterdir()) == [exported]
