"""The control verb ``rehearse``: begins, changes and ends a rehearsal, and tells how it goes.

``POST`` with ``{"spec": "keys=3s,…"}`` begins one (in place of another); ``{"spec": null}``
ends it. ``{"faults": [{"call": "iam.CreateUser", "at": 2, "kind": "reset-after"}]}`` lets a
call go wrong: the second ``iam.CreateUser`` from now. ``call`` may be ``*``, and ``times``
says how often in a row. ``GET`` tells what goes on.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from stslab.errors import SandboxError, UsageError
from stslab.sandbox.rehearsal.faults import KINDS, Scripted
from stslab.sandbox.rehearsal.rehearsal import Rehearsal
from stslab.sandbox.rehearsal.spec import BARE
from stslab.sandbox.server.control.requests import ControlRequest, Registry


class Stage(Protocol):
    """Where rehearsals take place: the embedded account."""

    @property
    def rehearsal(self) -> Rehearsal | None:
        """The one that goes on."""
        ...

    def rehearse(self, text: str | None) -> None:
        """Begin one; with None, end it."""
        ...


def add_verbs(registry: Registry, stage: Callable[[], Stage]) -> None:
    """Answer ``rehearse``."""
    registry.add("rehearse", lambda asked: _rehearse(stage(), asked))


def _rehearse(stage: Stage, asked: ControlRequest) -> Mapping[str, Any]:
    if asked.method == "POST":
        _change(stage, asked.body)
    going_on = stage.rehearsal
    if going_on is None:
        return {"spec": None}
    return {
        "spec": going_on.text,
        "spreading": going_on.spreading(),
        "calls": going_on.faults.seen.total(),
        "struck": dict(going_on.faults.struck),
    }


def _change(stage: Stage, body: Mapping[str, Any]) -> None:
    script = [_scripted(one) for one in _listed(body.get("faults", []))]
    if "spec" in body:
        text = body["spec"]
        if not isinstance(text, str | None):
            raise SandboxError('The spec of a rehearsal is text: {"spec": "keys=3s"}.')
        _begin(stage, text)
    if "faults" in body:
        if stage.rehearsal is None:
            raise SandboxError(
                "No rehearsal goes on.", "Begin one: stslab sandbox start --rehearse"
            )
        stage.rehearsal.faults.script(script)


def _begin(stage: Stage, text: str | None) -> None:
    try:
        stage.rehearse(BARE if text == "" else text)
    except UsageError as error:
        raise SandboxError(error.message, error.hint) from error


def _listed(faults: object) -> list[Any]:
    if not isinstance(faults, list):
        raise SandboxError("Faults are a list.")
    return faults


def _scripted(one: object) -> Scripted:
    wanted: Mapping[str, Any] = one if isinstance(one, dict) else {}
    call, kind = wanted.get("call"), wanted.get("kind")
    at, times = wanted.get("at", 1), wanted.get("times", 1)
    numbers = all(type(number) is int and number > 0 for number in (at, times))
    if not isinstance(call, str) or kind not in KINDS or not numbers:
        raise SandboxError(
            'A fault is {"call": "iam.CreateUser", "kind": "reset-after", "at": 1, "times": 1}.',
            f"Its kind is one of {', '.join(KINDS)}.",
        )
    return Scripted(call, kind, at, times)
