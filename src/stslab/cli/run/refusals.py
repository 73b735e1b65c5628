"""The refusals in the embedded account's log, and their explanations."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from stslab.aws.profiles import ProfileFiles
from stslab.errors import SandboxError, StslabError, UsageError
from stslab.home import Home
from stslab.lesson.byhand import is_by_learner, is_own
from stslab.lesson.verdict import decided
from stslab.render.requests import call_name
from stslab.runner.journal.records import CheckRecord
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Call
from stslab.sandbox.api.identifiers import account_of_key
from stslab.sandbox.pipeline.log_file import Event, is_refused, newest_first
from stslab.sandbox.server.client import control
from stslab.sandbox.why.explanation import explain
from stslab.vocabulary import ADMIN

_SHORTEST = 6
_RUNS = 8  # whose checks are looked at


def explained(home: Home, request_id: str = "", since: str = "") -> dict[str, Any] | None:
    """Explain the request of this id, or the newest failure since then; None if there is none.

    ``expected``: a check of a lab wanted this refusal, so that without an id no change is advised.
    UsageError: the log has no such request, or several.
    """
    folder = home.sandbox

    def events() -> Iterator[Event]:
        return takewhile(lambda event: str(event["eventTime"]) >= since, newest_first(folder))

    expected = _expected(home)
    event = _with_id(folder, request_id) if request_id else _newest_failure(events(), expected)
    if event is None:
        return None
    told = explain(
        event,
        key=partial(_key_facts, folder),
        events=partial(newest_first, folder),
        may=partial(_who_may, home, event),
    )
    told["expected"] = event["requestID"] in expected
    if not request_id and (told["expected"] or not _is_met(event)):
        told["changes"] = [] if told["expected"] else told["changes"]
        others = (one for one in events() if _is_met(one) and one["requestID"] not in expected)
        for last in islice(others, 1):
            other = "refusal that was not expected" if told["expected"] else "refusal"
            known = f"stslab why {last['requestID'][:8]}"
            told["why"] += f" The last {other} was of {call_name(last)}: `{known}` explains it."
    return told


def _expected(home: Home) -> frozenset[str]:
    """The ids of the refusals that checks of the newest runs expect: journaled, or made again."""
    with suppress(StslabError), Journal.of(home) as journal:
        pasts = [journal.past(run.id) for run in journal.newest(_RUNS)]
        checks = (check for past in pasts for check in past.every(CheckRecord))
        ids = {check.request_id for check in checks if check.denied}
        own = [one for one in newest_first(home.sandbox) if is_own(one)] if ids else []
        calls = [_call(event) for event in own if event["requestID"] in ids]
        return frozenset(event["requestID"] for event in own if _call(event) in calls)
    return frozenset()  # the journal can't be read


def _call(event: Event) -> list[object]:
    """What tells a refused call from others, whichever session of a role makes it, and when."""
    who = str(event["userIdentity"].get("principalId")).partition(":")[0]
    return [who, *map(event.get, ("eventName", "requestParameters", "errorCode"))]


def _who_may(home: Home, event: Event) -> list[str]:
    """The profiles that would be allowed the same call now, with full access only if no other is.

    Another account's count only for AssumeRole: their other calls are about that account.
    """
    caller = event["userIdentity"].get("accessKeyId", "")
    service, operation = str(event["eventSource"]).partition(".")[0], event["eventName"]
    call = Call("", service, operation, event["requestParameters"])
    would = partial(control, home.sandbox, "POST", "would")
    allowed = []
    with suppress(StslabError):
        profiles = ProfileFiles(home.profiles(home.target))
        for name in profiles.names():
            keys = profiles.get(name)
            if keys is None or keys.access_key_id == caller:
                continue
            across = account_of_key(keys.access_key_id) != account_of_key(caller)
            if (operation == "AssumeRole" or not across) and decided(would, keys, call).allowed:
                allowed.append(name)
        return [name for name in allowed if name not in (ADMIN, "root")] or allowed[:1]
    return []  # the account did not answer for all of them


def _newest_failure(events: Iterable[Event], expected: Collection[object]) -> Event | None:
    """The newest refusal, or the learner's last call if it is newer and failed in another way.

    Any newer failure of the learner's counts more than a refusal that a check expected.
    """
    last_call, failed = True, None
    for event in events:
        theirs = is_by_learner(event)
        fails = theirs and "errorCode" in event
        if _is_met(event) or (fails and last_call):
            return (failed or event) if event["requestID"] in expected else event
        last_call, failed = last_call and not theirs, failed or (event if fails else None)
    return failed


def _with_id(folder: Path, request_id: str) -> Event:
    start = request_id.strip().lower()
    found = {
        event["requestID"]: event
        for event in newest_first(folder)
        if str(event["requestID"]).lower().startswith(start)
    }
    if len(found) == 1 and (len(start) >= _SHORTEST or start in map(str.lower, found)):
        return next(iter(found.values()))
    problem = "several requests" if found else "no request"
    fix = "List the last requests with their ids: stslab sandbox log"
    raise UsageError(f"The log has {problem} whose id begins with {request_id}.", fix)


def _is_met(event: Event) -> bool:
    """Whether it was refused. STS also refuses what policies allow, such as too long a session."""
    code = event.get("errorCode", "")
    if is_own(event) and code == "InvalidClientTokenId":  # stslab tried a key that cleanup deleted
        return False
    return is_refused(event) or bool(code and event["eventSource"] == "sts.amazonaws.com")


def _key_facts(folder: Path, access_key_id: str) -> Mapping[str, Any] | None:
    """What the embedded account knows about the key; None if it is not running."""
    with suppress(SandboxError):
        return control(folder, "GET", f"key?id={access_key_id}") if access_key_id else None
    return None
