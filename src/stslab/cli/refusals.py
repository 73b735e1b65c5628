"""Finds a request in the embedded account's log, and has it explained."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stslab.errors import SandboxError, UsageError

if TYPE_CHECKING:
    from stslab.sandbox.pipeline.log_file import Event

_SHORTEST = 6


def explained(folder: Path, request_id: str) -> dict[str, Any] | None:
    """The explanation of the request of this id, or of the last refusal; None where there is none.

    Raises:
        UsageError: the log has no such request, or several.
    """
    from stslab.sandbox.why.explanation import explain

    event = _chosen(folder, request_id)
    return None if event is None else explain(event, lambda key: _key_facts(folder, key))


def _chosen(folder: Path, request_id: str) -> "Event | None":
    from stslab.sandbox.pipeline.log_file import is_refused, newest_first

    if not request_id:
        return next(filter(is_refused, newest_first(folder)), None)
    wanted = request_id.strip().lower()
    found = {
        event["requestID"]: event
        for event in newest_first(folder)
        if str(event["requestID"]).lower().startswith(wanted)
    }
    if len(found) == 1 and (len(wanted) >= _SHORTEST or wanted in map(str.lower, found)):
        return next(iter(found.values()))
    problem = "several requests" if found else "no request"
    raise UsageError(
        f"The log has {problem} whose id begins with {request_id}.",
        "See the ids of the last ones: stslab sandbox log",
    )


def _key_facts(folder: Path, access_key_id: str) -> Mapping[str, Any] | None:
    """What the sandbox knows of the key; None where it does not run."""
    from stslab.sandbox.server import client

    if not access_key_id:
        return None
    try:
        return client.control(folder, "GET", f"key?id={access_key_id}")
    except SandboxError:
        return None
