"""The embedded account's verdict on a call that is not made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stslab.lesson import verdict
from stslab.lesson.verdict import UNKNOWN
from stslab.runner.ports import Call, Credentials

KEY = Credentials("AKIAEXAMPLE", "secret")


def told(fault: str) -> dict[str, Any]:
    return {"allowed": None, "by": [], "keys": [], "gates": [], "documents": {}, "fault": fault}


def test_a_move_of_the_clock_has_no_verdict() -> None:
    def would(_: Mapping[str, object]) -> Mapping[str, Any]:
        raise AssertionError

    assert verdict.decided(would, KEY, Call("sts", "embedded", "MoveClock", {"By": 60})) == UNKNOWN
    assert verdict.decided(would, None, Call("sts", "iam", "ListUsers", {})) == UNKNOWN


def test_a_call_without_gates_that_should_fail_has_no_verdict() -> None:
    found = verdict.decided(lambda _: told("NoSuchEntity"), KEY, Call("sts", "iam", "GetUser", {}))
    assert found.allowed is None
