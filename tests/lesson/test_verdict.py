"""What the embedded account says of a call that was not made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stslab.lesson import verdict
from stslab.lesson.ports import UNKNOWN
from stslab.runner.ports import Credentials

KEY = Credentials("AKIAEXAMPLE", "secret")


def told(fault: str) -> dict[str, Any]:
    return {"allowed": None, "by": [], "keys": [], "gates": [], "documents": {}, "fault": fault}


def test_a_move_of_the_clock_is_no_call_that_a_policy_is_asked_for() -> None:
    def would(_: Mapping[str, object]) -> Mapping[str, Any]:
        raise AssertionError

    assert verdict.decided(would, KEY, "embedded", "MoveClock", {"By": 60}) == UNKNOWN
    assert verdict.decided(would, None, "iam", "ListUsers", {}) == UNKNOWN


def test_where_no_policy_is_asked_and_it_fails_nothing_is_known() -> None:
    assert verdict.of(told("NoSuchEntity")).allowed is None
