"""Damaged journals: the damage is reported, and never acted on."""

import json
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
from tests.runner.conftest import Machine
from tests.runner.fake_world import World
from tests.runner.run.test_kill import lookalikes

from stslab.errors import CredentialsError, JournalError, RunError, UndoIncomplete
from stslab.runner.journal.store import Journal
from stslab.runner.report import report

BYTES, ROWS = 400, 300


@pytest.fixture
def stopped(assume_role, tmp_path) -> Machine:
    """A machine whose run was stopped, on an account with other people's things."""
    machine = Machine(assume_role, tmp_path, world=lookalikes())
    with machine.process() as process:
        process.run(last="verify-access")
    return machine


def strangers_of(world: World) -> Counter[str]:
    """The names in the account, counted."""
    return Counter(f"{kind} {name}" for kind, names in world.everything().items() for name in names)


def clean_up(machine: Machine) -> type[Exception] | None:
    """Clean up and report, as the commands do. Return the class of the error, if there is one."""
    try:
        with machine.process() as process:
            for run in process.journal.runs():
                report(process.journal.past(run.id), process.journal.links(run.id))
            process.clean_up()
    except (JournalError, UndoIncomplete, CredentialsError, RunError) as error:
        return type(error)
    return None


def tables(path: Path, change: Callable[[sqlite3.Connection], object]) -> None:
    database = sqlite3.connect(path)
    change(database)
    database.commit()
    database.close()


@pytest.mark.slow
def test_changed_bytes(stopped: Machine):
    """One to forty changed bytes of the file: no traceback, and nothing foreign touched."""
    path = stopped.folder / "journal.sqlite"
    tables(path, lambda database: database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    whole, chance = path.read_bytes(), random.Random(20261124)
    world, others, outcomes = deepcopy(stopped.world), strangers_of(lookalikes()), set()
    for _ in range(BYTES):
        stopped.world = deepcopy(world)
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 3, 10, 40))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        put(path, bytes(damaged))
        outcomes.add(clean_up(stopped))
        assert others <= strangers_of(stopped.world)
    assert len(outcomes) > 1


def test_changed_records_that_are_still_valid(stopped: Machine):
    """The run's names become a stranger's: cleanup must not follow the journal there."""
    path = stopped.folder / "journal.sqlite"
    tables(path, lambda database: database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    whole, chance = path.read_bytes(), random.Random(5)
    strangers = sorted(
        {str(name) for names in lookalikes().everything().values() for name in names}
    )
    before = stopped.world.everything()
    refused = 0
    for _ in range(ROWS):
        put(path, whole)
        tables(path, lambda database: misdirect(database, chance, strangers))
        if path.read_bytes() == whole:
            continue
        assert clean_up(stopped) is not None
        assert stopped.world.everything() == before
        refused += 1
    assert refused > ROWS // 2


def put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)


def misdirect(database: sqlite3.Connection, chance: random.Random, strangers: list[str]) -> None:
    """Change one record to name a thing that the run had not made; it is still valid JSON."""
    query = "SELECT seq, body FROM records WHERE kind IN ('begun', 'intent', 'outcome', 'found')"
    row, text = chance.choice(database.execute(query).fetchall())
    data = replaced(json.loads(text), chance, strangers)
    changed = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    if changed != text:
        database.execute("DROP TRIGGER never_changed")
        database.execute("UPDATE records SET body = ? WHERE seq = ?", (changed, row))


def replaced(data, chance, strangers):
    if isinstance(data, dict):
        return {key: replaced(value, chance, strangers) for key, value in data.items()}
    if isinstance(data, list):
        return [replaced(value, chance, strangers) for value in data]
    mine = isinstance(data, str) and "run00001" in data
    return chance.choice(strangers) if mine and chance.random() < 0.7 else data


@pytest.mark.parametrize("seal", ["x", ""])
def test_removing_the_seal_does_not_help(stopped: Machine, seal: str):
    path = stopped.folder / "journal.sqlite"

    def take_off(database: sqlite3.Connection) -> None:
        database.execute("DROP TRIGGER never_changed")
        database.execute("UPDATE records SET seal = ?", (seal,))

    tables(path, take_off)
    with Journal(path) as journal, pytest.raises(JournalError, match="was changed"):
        journal.past("run00001").entries()
