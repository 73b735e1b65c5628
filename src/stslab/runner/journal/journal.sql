CREATE TABLE records (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, number INTEGER NOT NULL,
  kind TEXT NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL, seal TEXT NOT NULL);

CREATE UNIQUE INDEX records_by_run ON records (run, number);

CREATE INDEX records_by_kind ON records (kind);

CREATE TRIGGER never_changed BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'a record is never changed'); END;

CREATE TRIGGER never_removed BEFORE DELETE ON records
BEGIN SELECT RAISE(ABORT, 'a record is never removed'); END;
