"""The journal's tables."""

import sqlite3

APPLICATION_ID = 0x5354534C
"""The letters STSL: says that a SQLite file is stslab's journal."""

VERSION = 4
"""Raised whenever the tables change: a journal of another version is refused, not converted."""

# A seal tells whether a row that cleanup acts on is as it was written.
_TABLES = """
CREATE TABLE runs (
  id TEXT PRIMARY KEY, lab TEXT NOT NULL, title TEXT NOT NULL, path TEXT NOT NULL,
  sha256 TEXT NOT NULL, target TEXT NOT NULL, kind TEXT NOT NULL, account TEXT NOT NULL,
  region TEXT NOT NULL, "partition" TEXT NOT NULL, instance TEXT NOT NULL, state TEXT NOT NULL,
  started TEXT NOT NULL, ended TEXT NOT NULL, caller TEXT NOT NULL, person TEXT NOT NULL,
  allowed TEXT NOT NULL);
CREATE INDEX runs_by_lab ON runs (target, lab, state);
CREATE TABLE entries (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES runs (id),
  stage TEXT NOT NULL, step INTEGER NOT NULL, intent TEXT NOT NULL, at TEXT NOT NULL,
  seal TEXT NOT NULL);
CREATE INDEX entries_by_step ON entries (run, stage, step);
CREATE TABLE outcomes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, entry INTEGER NOT NULL REFERENCES entries (seq),
  state TEXT NOT NULL, detail TEXT NOT NULL, request_id TEXT NOT NULL,
  thing TEXT, undo TEXT, at TEXT NOT NULL, seal TEXT NOT NULL);
CREATE INDEX outcomes_by_entry ON outcomes (entry, seq);
CREATE TABLE things (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES runs (id),
  entry INTEGER NOT NULL, thing TEXT NOT NULL, seal TEXT NOT NULL);
CREATE INDEX things_by_run ON things (run, entry);
CREATE TABLE saved (
  run TEXT NOT NULL REFERENCES runs (id), name TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE TABLE profiles (
  run TEXT NOT NULL REFERENCES runs (id), name TEXT NOT NULL, access_key_id TEXT NOT NULL,
  expiration TEXT NOT NULL, PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE TABLE stages (
  run TEXT NOT NULL REFERENCES runs (id), stage TEXT NOT NULL, held INTEGER NOT NULL,
  seconds REAL NOT NULL, at TEXT NOT NULL, PRIMARY KEY (run, stage)) WITHOUT ROWID;
CREATE TABLE checks (
  run TEXT NOT NULL REFERENCES runs (id), stage TEXT NOT NULL, number INTEGER NOT NULL,
  title TEXT NOT NULL, says TEXT NOT NULL, held INTEGER NOT NULL, denied INTEGER NOT NULL,
  code TEXT NOT NULL, proof TEXT NOT NULL, request_id TEXT NOT NULL, seconds REAL NOT NULL,
  at TEXT NOT NULL, PRIMARY KEY (run, stage, number)) WITHOUT ROWID;
"""


def version_of(database: sqlite3.Connection) -> int:
    """The version of the file's tables; 0 where it has none yet."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def create(database: sqlite3.Connection) -> None:
    """Make the tables in an empty file, in one transaction or not at all.

    ``database`` is in autocommit mode.
    """
    if version_of(database) == VERSION:
        return
    database.execute("BEGIN EXCLUSIVE")
    try:
        if version_of(database) != VERSION:  # no other process did it while this one waited
            for statement in _TABLES.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
