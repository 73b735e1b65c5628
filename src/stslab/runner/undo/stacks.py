"""What a CloudFormation stack made: found in the account, and remembered in the journal."""

from stslab.errors import NotOwn
from stslab.kinds.table import BY_RESOURCE_TYPE
from stslab.runner.calls.look import identified
from stslab.runner.calls.work import Work
from stslab.runner.journal.records import MADE, Thing
from stslab.runner.ports import Answer, Call, Data

STACK = "cloudformation.stack"


def remember(work: Work, stack: Thing, entry: int) -> tuple[Thing, ...]:
    """The things of known kinds that the stack made, now and as remembered earlier.

    They are journaled with ``entry`` (0: not at all), for the proof after the stack is gone.
    """
    found = tuple(inside(work, stack).values())
    if not entry:
        return found
    known = work.journal.past(work.run.id).things(entry)
    new = [identified(work, one) for one in found if not any(one.same(each) for each in known)]
    work.journal.found(work.run.id, entry, tuple(new))
    return work.journal.past(work.run.id).things(entry)


def inside(work: Work, stack: Thing) -> dict[str, Thing]:
    """What the stack has now of known kinds, by the names of its template."""
    params = {"StackName": stack.names["StackName"]}
    outcome = work.calls.make(Call(stack.admin, "cloudformation", "DescribeStackResources", params))
    listed = outcome.data.get("StackResources", []) if isinstance(outcome, Answer) else []
    found = {str(one.get("LogicalResourceId")): _made(work, one, stack.admin) for one in listed}
    return {name: thing for name, thing in found.items() if thing}


def require_own(work: Work, call: Call) -> None:
    """Let the call pass; a stack may have made its thing since it was looked at.

    Raises:
        NotOwn: it would change what is not the run's own.
    """
    try:
        work.own.require(call)
    except NotOwn:
        before = work.made()
        for entry in work.entries():
            if entry.thing and entry.thing.kind == STACK and entry.state in MADE:
                remember(work, entry.thing, entry.seq)
        if work.made() == before:
            raise
        work.own.require(call)


def _made(work: Work, resource: Data, admin: str) -> Thing | None:
    """A stack's resource as a thing; None where it is of no known kind, gone, or not the stack's.

    One that could not be made may name what somebody else made before.
    """
    kind = BY_RESOURCE_TYPE.get(str(resource.get("ResourceType")))
    physical, status = resource.get("PhysicalResourceId"), resource.get("ResourceStatus")
    if kind is None or not physical or status == "DELETE_COMPLETE":
        return None
    if status == "CREATE_FAILED" and work.run.id not in str(physical):
        return None
    return Thing(kind.id, {kind.names[0]: str(physical)}, admin=admin)
