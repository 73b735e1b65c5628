"""What a CloudFormation stack made: found in the account, and remembered in the journal."""

from collections.abc import Mapping
from typing import Any

from stslab.kinds.table import BY_RESOURCE_TYPE
from stslab.runner.calls.look import Lookout
from stslab.runner.calls.work import Work
from stslab.runner.journal.records import MADE, Thing
from stslab.runner.ports import Answer

_STACK = "cloudformation.stack"


class Stacks:
    """Knows what stacks made, for one run."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def remember(self, stack: Thing, entry: int) -> tuple[Thing, ...]:
        """The things of known kinds that the stack made, now and as remembered earlier.

        They are journaled with ``entry`` (0: not at all), for the proof after the stack is gone.
        """
        found = tuple(self.inside(stack).values())
        if not entry:
            return found
        known, look = self._work.journal.things(self._work.run.id, entry), Lookout(self._work)
        new = [thing for thing in found if not any(thing.same(one) for one in known)]
        self._work.journal.found(self._work.run.id, entry, tuple(map(look.identified, new)))
        return self._work.journal.things(self._work.run.id, entry)

    def look_again(self) -> bool:
        """Remember what each stack of the run has by now; whether that is more than before."""
        before = self._work.made()
        for entry in self._work.journal.entries(self._work.run.id):
            if entry.thing and entry.thing.kind == _STACK and entry.state in MADE:
                self.remember(entry.thing, entry.seq)
        return self._work.made() != before

    def inside(self, stack: Thing) -> dict[str, Thing]:
        """What the stack has now of known kinds, by the names of its template."""
        params = {"StackName": stack.names["StackName"]}
        outcome = self._work.calls.read("cloudformation", "DescribeStackResources", params)
        listed = outcome.data.get("StackResources", []) if isinstance(outcome, Answer) else []
        found = {
            str(one.get("LogicalResourceId")): _thing(one) for one in listed if self._is_made(one)
        }
        return {name: thing for name, thing in found.items() if thing}

    def _is_made(self, resource: Mapping[str, Any]) -> bool:
        """Not one that could not be made: it may name what somebody else made before."""
        failed = resource.get("ResourceStatus") == "CREATE_FAILED"
        return not failed or self._work.run.id in str(resource.get("PhysicalResourceId"))


def _thing(resource: Mapping[str, Any]) -> Thing | None:
    kind = BY_RESOURCE_TYPE.get(str(resource.get("ResourceType")))
    physical = resource.get("PhysicalResourceId")
    if kind is None or not physical or resource.get("ResourceStatus") == "DELETE_COMPLETE":
        return None
    return Thing(kind.id, {kind.names[0]: str(physical)})
