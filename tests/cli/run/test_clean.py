"""Cleaning up several runs, of which some can't be undone."""

from typing import Any

import pytest

from stslab.cli.failures import hints_select
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


def refused() -> CredentialsError:
    return CredentialsError("No second account.")


def left(thing: str) -> UndoIncomplete:
    return UndoIncomplete(f"1 thing is left: {thing}.", "Fix it.")


@pytest.mark.parametrize(
    ("fails", "code", "says", "notes"),
    [
        ([refused()], 4, "No second account.", []),
        ([left("user a"), refused()], 4, "No second account.", ["1 thing is left: user a. Fix it."]),
        ([left("user a"), left("user b")], 5, "1 thing is left: user a.", ["1 thing is left: user b."]),
    ],
)  # fmt: skip
def test_each_run_is_tried_and_each_error_told(
    fails: list[StslabError], code: int, says: str, notes: list[str]
):
    cleanup: Any = Cleanup(**dict(zip(("one", "two"), fails, strict=False)))
    with pytest.raises(StslabError, match=says) as caught:
        clean(cleanup, ["one", "two", "three"])
    assert cleanup.tried == ["one", "two", "three"]
    assert caught.value.exit_code == code
    assert getattr(caught.value, "__notes__", []) == notes


def test_what_to_do_about_a_further_error_selects_the_same_account():
    again = UndoIncomplete("1 thing is left.", "Run `stslab cleanup` again.")
    cleanup: Any = Cleanup(one=refused(), two=again)
    hints_select("--target aws")
    try:
        with pytest.raises(CredentialsError) as caught:
            clean(cleanup, ["one", "two"])
    finally:
        hints_select("")
    (note,) = caught.value.__notes__
    assert "stslab cleanup --target aws` again" in note


def test_nothing_is_left():
    cleanup: Any = Cleanup()
    clean(cleanup, ["one", "two"])
    assert cleanup.tried == ["one", "two"]
