"""Wait for the result of a call with botocore's waiters, and emit a stack's events meanwhile."""

from stslab.runner.calls.work import Work
from stslab.runner.events import StackProgress
from stslab.runner.ports import Call, Data, Outcome, Refusal

_STACKS = "cloudformation"
# The members of a stack's event, in the order of StackProgress.
_KEYS = ("Timestamp", "LogicalResourceId", "ResourceType", "ResourceStatus", "ResourceStatusReason")

_ERROR_KEYS = (*_KEYS[:3], "EventType", "ValidationStatusReason")


class StackEvents:
    """Emits each event of one stack once."""

    def __init__(self, work: Work, stack: str, admin: str) -> None:
        self._work, self._stack, self._admin = work, stack, admin
        self._seen = set[object]()
        self.failures = list[str]()

    def skip(self) -> None:
        """Ignore past events, and follow the stack by its id from now on."""
        for event in self._unseen():
            self._stack = str(event.get("StackId") or self._stack)

    def emit_new(self) -> None:
        for event in self._unseen():
            progress = StackProgress(*(str(event.get(name, "")) for name in _KEYS))
            errors = self._errors() if "DescribeEvents" in progress.reason else []
            for each in (progress, *errors):
                self._work.calls.emit(each)
            if progress.status.endswith("FAILED") and "cancelled" not in progress.reason:
                failed = errors or [progress]
                self.failures += [f"{each.resource}: {each.reason}" for each in failed]

    def _errors(self) -> list[StackProgress]:
        """What a validation found. The stack's own event says only how much."""
        params = {"StackName": self._stack, "Filters": {"FailedEvents": True}}
        listing = Call(self._admin, _STACKS, "DescribeEvents", params)
        return [
            StackProgress(*(str(event[name]) for name in _ERROR_KEYS))
            for page in self._work.calls.pages(listing, {"NextToken": "NextToken"})
            for event in page.data.get("OperationEvents", [])
            if event.get("EventType") == "VALIDATION_ERROR"
        ]

    def _unseen(self) -> list[Data]:
        """New events, oldest first. AWS returns the newest first, in pages."""
        new: list[Data] = []
        listing = Call(self._admin, _STACKS, "DescribeStackEvents", {"StackName": self._stack})
        for page in self._work.calls.pages(listing, {"NextToken": "NextToken"}):
            events = page.data.get("StackEvents", [])
            fresh = [event for event in events if event.get("EventId") not in self._seen]
            new += fresh
            if not events or len(fresh) < len(events):
                break
        self._seen.update(event.get("EventId") for event in new)
        return new[::-1]


def wait(work: Work, call: Call, events: StackEvents | None = None) -> str:
    """Wait until a waiter, named in place of the call's operation, ends or its time is up.

    Return why it did not succeed, or "".
    """
    account, waiter = work.calls.account, call.operation
    delay, tries = account.waiter_pace(call.service, waiter)
    limit = delay * tries
    if events is None and call.service == _STACKS and call.params.get("StackName"):
        admin = work.place_of(call.identity).admin
        events = StackEvents(work, str(call.params["StackName"]), admin)

    def look() -> tuple[str, Outcome]:
        work.calls.made += 1
        probed = account.probe(call)
        if events:
            events.emit_new()
        return probed

    state, outcome = work.calls.until(
        look,
        lambda probed: (limit if probed[0] == "retry" else 0.0, waiter.replace("_", " ")),
        pause=min(delay, account.target.pace),
    )
    if state == "success":
        return ""
    if state == "retry":
        return f"{waiter} was not reached in {limit:.0f} s"
    if events and events.failures:
        return "; ".join(events.failures)
    if isinstance(outcome, Refusal):
        return outcome.text
    for stack in outcome.data.get("Stacks", ()):
        reason = stack.get("StackStatusReason", "")
        return f"the stack is in {stack.get('StackStatus')}{': ' if reason else ''}{reason}"
    return f"{waiter} can no longer be reached"
