"""What has changed in the account since a moment: what ``stslab test`` asks before and after.

``POST mark`` remembers how everything is. ``GET changed`` tells what is not as it was then.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from stslab.errors import SandboxError
from stslab.sandbox.api.accounts import LEARNER
from stslab.sandbox.server.control.requests import ControlRequest, Registry
from stslab.sandbox.state.record import Record
from stslab.sandbox.state.snapshot import Difference, Snapshot
from stslab.sandbox.state.state import State

_CALLED: Mapping[str, str] = {
    "access-key": "access key",
    "account": "account",
    "bucket": "S3 bucket",
    "group": "IAM group",
    "instance-profile": "instance profile",
    "managed-policy": "IAM policy",
    "mfa-device": "MFA device",
    "object": "object",
    "oidc-provider": "OIDC provider",
    "role": "IAM role",
    "saml-provider": "SAML provider",
    "stack": "CloudFormation stack",
    "upload": "unfinished upload",
    "user": "IAM user",
}
"""What counts: sessions end by themselves, and nothing else can be made by a call."""
_PASSING = {"last_used": None, "credential_report": None}
"""Members that looking changes, or that no call can undo."""


def add_verbs(registry: Registry, state: Callable[[], State]) -> None:
    """Answer ``mark`` and ``changed``."""
    marked: list[Snapshot] = []

    def mark(_: ControlRequest) -> Mapping[str, object]:
        marked[:] = [state().snapshot]
        return {}

    def changed(_: ControlRequest) -> Mapping[str, object]:
        if not marked:
            raise SandboxError("Nothing was marked.")
        return {"changed": sorted(_sentences(marked[0], state().snapshot))}

    registry.add("mark", mark)
    registry.add("changed", changed)


def _sentences(before: Snapshot, after: Snapshot) -> Iterator[str]:
    for difference in before.differences(after):
        was, now = _lasting(difference.before), _lasting(difference.after)
        if was != now:
            yield f"{_called(difference)} {_what(was, now)}"


def _what(was: Record | None, now: Record | None) -> str:
    if was is None:
        return "is left"
    return "is gone" if now is None else "was changed"


def _lasting(record: Record | None) -> Record | None:
    """The record as far as it counts; None where it does not."""
    if record is None or record.table not in _CALLED:
        return None
    if getattr(record, "status", "") == "DELETE_COMPLETE":  # stacks are remembered
        return None
    passing = {name: none for name, none in _PASSING.items() if hasattr(record, name)}
    return msgspec.structs.replace(record, **passing)


def _called(difference: Difference) -> str:
    record = difference.after or difference.before
    if record is None:
        raise AssertionError
    name = f"{_CALLED[record.table]} {getattr(record, 'name', '') or record.key}"
    return name if record.account in ("", LEARNER) else f"{name} of account {record.account}"
