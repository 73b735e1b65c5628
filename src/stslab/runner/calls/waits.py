"""Waits for what a call began, by botocore's waiters; a stack's events are told as they come."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stslab.runner.calls.patience import Verdict
from stslab.runner.calls.work import Work
from stslab.runner.events import StackProgress
from stslab.runner.ports import Answer, Outcome, Refusal, WaiterProbe

_CANCELLED = "cancelled"
_STACKS = "cloudformation"


@dataclass(frozen=True, slots=True)
class Waited:
    """How a wait ended; ``reason`` says why it did not succeed."""

    ok: bool
    reason: str = ""


class StackEvents:
    """Follows one stack's events; those that it has seen are not told again."""

    def __init__(self, work: Work, identity: str, stack: str) -> None:
        self._work = work
        self._identity = identity
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
            self._work.emit(told)
            if told.status.endswith("FAILED") and _CANCELLED not in told.reason:
                self.failures.append(f"{told.resource}: {told.reason}")

    def _unseen(self) -> list[Mapping[str, Any]]:
        """New events, the oldest first. AWS gives the newest first, in pages."""
        new: list[Mapping[str, Any]] = []
        pages = self._work.calls.pages(
            _STACKS, "DescribeStackEvents", {"StackName": self._stack}, {"NextToken": "NextToken"}
        )
        for page in pages:
            events = page.data.get("StackEvents", []) if isinstance(page, Answer) else []
            fresh = [event for event in events if event.get("EventId") not in self._seen]
            new += fresh
            if not events or len(fresh) < len(events):
                break
        return new[::-1]


def _progress(event: Mapping[str, Any]) -> StackProgress:
    return StackProgress(
        time=str(event.get("Timestamp", "")),
        resource=str(event.get("LogicalResourceId", "")),
        type=str(event.get("ResourceType", "")),
        status=str(event.get("ResourceStatus", "")),
        reason=str(event.get("ResourceStatusReason", "")),
    )


class Waits:
    """Waits, for one run."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def events_of(
        self, identity: str, service: str, params: Mapping[str, Any]
    ) -> StackEvents | None:
        """The events to follow in a wait with these parameters, if it is for a stack."""
        stack = params.get("StackName")
        return (
            StackEvents(self._work, identity, str(stack)) if service == _STACKS and stack else None
        )

    def wait(
        self,
        identity: str,
        service: str,
        waiter: str,
        params: Mapping[str, Any],
        events: StackEvents | None = None,
    ) -> Waited:
        """Wait until the waiter says success or failure, or its time is up."""
        account = self._work.account
        pace = account.waiter_pace(service, waiter)
        limit = pace.delay * pace.max_attempts
        following = events or self.events_of(identity, service, params)

        def look() -> WaiterProbe:
            self._work.calls.made += 1
            probe = account.probe(identity, service, waiter, params)
            if following:
                following.tell()
            return probe

        def judge(probe: WaiterProbe) -> Verdict:
            return Verdict(limit if probe.state == "retry" else 0.0, waiter.replace("_", " "))

        pause = min(pace.delay, account.target.pace)
        probe = self._work.calls.patience.until(look, judge, pause=pause)
        return _waited(probe, waiter, limit, following.failures if following else [])


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
