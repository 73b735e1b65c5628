"""The errors that the services answer with."""

import sqlite3
from contextlib import closing

import pytest

from stslab.sandbox.api import faults


def test_an_error_without_a_code_of_sqlite_is_not_a_full_disk() -> None:
    with (
        closing(sqlite3.connect(":memory:")) as db,
        pytest.raises(sqlite3.OperationalError, match="decode") as error,
    ):
        db.execute("SELECT CAST(x'ff' AS TEXT)").fetchone()
    assert faults.failure("iam", error.value).code == "InternalFailure"
