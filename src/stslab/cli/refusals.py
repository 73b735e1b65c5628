"""Finds a request in the embedded account's log, and has it explained."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stslab.errors import SandboxError, StslabError, UsageError
from stslab.redaction import fingerprint

if TYPE_CHECKING:
    from stslab.home import Home
    from stslab.sandbox.pipeline.log_file import Event

_SHORTEST = 6
_ASSUME, _ROOT = "AssumeRole", "root"


def explained(home: "Home", request_id: str) -> dict[str, Any] | None:
    """The explanation of the request of this id, or of the last refusal; None if there was none.

    Raises:
        UsageError: the log has no such request, or several.
    """
    from stslab.sandbox.pipeline.log_file import newest_first
    from stslab.sandbox.why.explanation import Beside, explain

    folder = home.sandbox
    event = _chosen(folder, request_id)
    if event is None:
        return None
    beside = Beside(
        key=lambda key: _key_facts(folder, key),
        events=lambda: newest_first(folder),
        may=lambda: _who_may(home, event),
    )
    return explain(event, beside)


def _who_may(home: "Home", event: "Event") -> list[str]:
    """The profiles that would be allowed the same now.

    Those with full access count only if no other is allowed. Those of another account count only
    for assuming a role: other calls would be about their own account.
    """
    from stslab.aws.profiles import ADMIN, ProfileFiles
    from stslab.aws.target import sandbox_name
    from stslab.sandbox.api.identifiers import account_of_key
    from stslab.sandbox.server import client

    asked = event["userIdentity"].get("accessKeyId", "")
    across = event["eventName"] == _ASSUME
    call = {
        "service": str(event["eventSource"]).partition(".")[0],
        "operation": event["eventName"],
        "params": event["requestParameters"],
    }
    found = []
    try:
        profiles = ProfileFiles(home.profiles(sandbox_name(home.named)), region="")
        for name in profiles.names():
            known = profiles.get(name)
            near = known and (
                across or account_of_key(known.access_key_id) == account_of_key(asked)
            )
            if known and near and known.access_key_id != asked:
                proof = fingerprint(known.secret_access_key, known.session_token)
                asks = {**call, "key": known.access_key_id, "proof": proof}
                if client.control(home.sandbox, "POST", "would", {"calls": [asks]})["allowed"]:
                    found.append(name)
    except StslabError:
        return []
    return [name for name in found if name not in (ADMIN, _ROOT)] or found[:1]


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
    """What the embedded account knows of the key; None if it does not run."""
    from stslab.sandbox.server import client

    if not access_key_id:
        return None
    try:
        return client.control(folder, "GET", f"key?id={access_key_id}")
    except SandboxError:
        return None
