"""Waits for what a call began, by botocore's waiters; a stack's events are told as they come."""

import msgspec

from stslab.runner.calls.patience import Verdict
from stslab.runner.calls.work import Work
from stslab.runner.events import StackProgress
from stslab.runner.ports import Answer, Call, Data, Outcome, Refusal, WaiterProbe

_CANCELLED = "cancelled"
_STACKS = "cloudformation"


class Waited(msgspec.Struct, frozen=True):
    """How a wait ended; ``reason`` says why it did not succeed."""

    ok: bool
    reason: str = ""


class StackEvents:
    """Follows one stack's events; those that it has seen are not told again."""

    def __init__(self, work: Work, stack: str, admin: str) -> None:
        self._work = work
        self._admin = admin
        self._stack = stack
        self._seen: set[str] = set()
        self.failures: list[str] = []

    def skip(self) -> None:
        """Take what has happened so far as told, and follow the stack by its id from now on."""
        for event in self._unseen():
            self._seen.add(str(event.get("EventId")))
            self._stack = str(event.get("StackId") or self._stack)

    def tell(self) -> None:
        """Tell what has happened since."""
        for event in self._unseen():
            self._seen.add(str(event.get("EventId")))
            told = _progress(event)
            self._work.calls.emit(told)
            if told.status.endswith("FAILED") and _CANCELLED not in told.reason:
                self.failures.append(f"{told.resource}: {told.reason}")

    def _unseen(self) -> list[Data]:
        """New events, the oldest first. AWS gives the newest first, in pages."""
        new: list[Data] = []
        listing = Call(self._admin, _STACKS, "DescribeStackEvents", {"StackName": self._stack})
        for page in self._work.calls.pages(listing, {"NextToken": "NextToken"}):
            events = page.data.get("StackEvents", []) if isinstance(page, Answer) else []
            fresh = [event for event in events if event.get("EventId") not in self._seen]
            new += fresh
            if not events or len(fresh) < len(events):
                break
        return new[::-1]


def _progress(event: Data) -> StackProgress:
    return StackProgress(
        time=str(event.get("Timestamp", "")),
        resource=str(event.get("LogicalResourceId", "")),
        type=str(event.get("ResourceType", "")),
        status=str(event.get("ResourceStatus", "")),
        reason=str(event.get("ResourceStatusReason", "")),
    )


def wait(
    work: Work,
    identity: str,
    service: str,
    waiter: str,
    params: Data,
    *,
    events: StackEvents | None = None,
) -> Waited:
    """Wait until the waiter says success or failure, or its time is up."""
    account = work.calls.account
    pace = account.waiter_pace(service, waiter)
    limit = pace.delay * pace.max_attempts
    if events is None and service == _STACKS and params.get("StackName"):
        admin = work.place_of(identity).admin
        events = StackEvents(work, str(params["StackName"]), admin)

    def look() -> WaiterProbe:
        work.calls.made += 1
        probe = account.probe(identity, service, waiter, params)
        if events:
            events.tell()
        return probe

    def judge(probe: WaiterProbe) -> Verdict:
        return Verdict(limit if probe.state == "retry" else 0.0, waiter.replace("_", " "))

    pause = min(pace.delay, account.target.pace)
    probe = work.calls.patience.until(look, judge, pause=pause)
    return _waited(probe, waiter, limit, events.failures if events else [])


def _waited(probe: WaiterProbe, waiter: str, limit: float, failures: list[str]) -> Waited:
    if probe.state == "success":
        return Waited(ok=True)
    if probe.state == "retry":
        return Waited(ok=False, reason=f"{waiter} did not come about in {limit:.0f} s")
    return Waited(ok=False, reason="; ".join(failures) or _state(probe.outcome, waiter))


def _state(outcome: Outcome, waiter: str) -> str:
    if isinstance(outcome, Refusal):
        return f"{outcome.code}: {outcome.message}"
    stacks = outcome.data.get("Stacks") if isinstance(outcome, Answer) else None
    if not stacks:
        return f"{waiter} can no longer come about"
    reason = stacks[0].get("StackStatusReason", "")
    return f"the stack is in {stacks[0].get('StackStatus')}{': ' if reason else ''}{reason}"
