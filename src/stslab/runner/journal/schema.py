"""The journal's table. Records are added to it, and neither changed nor taken out."""

import sqlite3

APPLICATION_ID = 0x5354534C
"""The letters STSL: says that a SQLite file is stslab's journal."""

VERSION = 6
"""Raised whenever the tables change: a journal of another version is refused, not converted."""

_STATEMENTS = (
    """
    CREATE TABLE records (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, number INTEGER NOT NULL,
      kind TEXT NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL, seal TEXT NOT NULL)
    """,
    "CREATE UNIQUE INDEX records_by_run ON records (run, number)",
    "CREATE INDEX records_by_kind ON records (kind)",
    """
    CREATE TRIGGER never_changed BEFORE UPDATE ON records
    BEGIN SELECT RAISE(ABORT, 'a record is never changed'); END
    """,
    """
    CREATE TRIGGER never_removed BEFORE DELETE ON records
    BEGIN SELECT RAISE(ABORT, 'a record is never removed'); END
    """,
)


def version_of(database: sqlite3.Connection) -> int:
    """The version of the file's tables; 0 where it has none yet."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def create(database: sqlite3.Connection) -> None:
    """Make the table in an empty file, in one transaction or not at all.

    ``database`` is in autocommit mode.
    """
    if version_of(database) == VERSION:
        return
    database.execute("BEGIN EXCLUSIVE")
    try:
        if version_of(database) != VERSION:  # no other process did it while this one waited
            for statement in _STATEMENTS:
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
