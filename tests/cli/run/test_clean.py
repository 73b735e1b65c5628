"""Cleaning up several runs, of which some can't be undone."""

from typing import Any

import pytest

from stslab.cli.run.cleanup import clean
from stslab.errors import CredentialsError, StslabError, UndoIncomplete


class Cleanup:
    """Notes the runs that it is asked to undo, and fails for those in ``fails``."""

    def __init__(self, **fails: StslabError) -> None:
        self.fails, self.tried = fails, list[str]()

    def run(self, run: str) -> None:
        self.tried.append(run)
        if run in self.fails:
            raise self.fails[run]


@pytest.mark.parametrize(
    ("fails", "error", "says"),
    [
        ({"one": CredentialsError("No second account.")}, CredentialsError, "No second account."),
        (
            {
                "one": CredentialsError("No second account."),
                "two": UndoIncomplete("1 thing is left.", [("user a", "aws ...")], "Fix it."),
            },
            CredentialsError,
            "No second account.",
        ),
        (
            {
                "one": UndoIncomplete("1 thing is left.", [("user a", "aws ...")], "Fix it."),
                "two": UndoIncomplete("1 thing is left.", [("user b", "aws ...")], "Fix it."),
            },
            UndoIncomplete,
            "2 things of 2 runs are left.",
        ),
    ],
)
def test_each_run_is_tried(fails: dict[str, StslabError], error: type[StslabError], says: str):
    cleanup: Any = Cleanup(**fails)
    with pytest.raises(error, match=says):
        clean(cleanup, ["one", "two", "three"])
    assert cleanup.tried == ["one", "two", "three"]


def test_nothing_is_left():
    cleanup: Any = Cleanup()
    clean(cleanup, ["one", "two"])
    assert cleanup.tried == ["one", "two"]
