"""What must go before a thing can: finds it in the account, and removes it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stslab.kinds.kind import Child, is_gone, search
from stslab.kinds.table import BY_REMOVAL, KINDS
from stslab.runner.calls.work import Work
from stslab.runner.journal.records import Thing
from stslab.runner.ports import Answer, Call, Data, Outcome, Refusal

_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Extra:
    """Something on a thing that goes before it. ``count`` is of how many it stands for."""

    parent: Thing
    child: Child
    names: Data
    count: int

    @property
    def text(self) -> str:
        what = self.child.what.format_map(self.names)
        return f"{what} ({self.count})" if self.count > 1 else what

    def calls(self) -> Iterator[Call]:
        """What removes it, in order."""
        every = {**self.parent.names, **self.names}
        for removal in self.child.removals:
            params = {name: every[name] for name in removal.names}
            service = KINDS[self.parent.kind].service
            yield Call(self.parent.admin, service, removal.operation, params)

    @property
    def thing(self) -> Thing | None:
        """It as a thing of its own, if it is one."""
        service = KINDS[self.parent.kind].service
        kind = BY_REMOVAL.get(f"{service}.{self.child.removals[0].operation}")
        every = {**self.parent.names, **self.names}
        if kind is None or not all(name in every for name in kind.names):
            return None
        names = {name: str(every[name]) for name in kind.names}
        return Thing(kind.id, names, admin=self.parent.admin)


def children(work: Work, thing: Thing) -> Iterator[Extra]:
    """All that must go before the thing. What can't be listed is left out."""
    for child in _kinds(work, thing):
        for page in _pages(work, thing, child):
            yield from page


def clear(work: Work, thing: Thing) -> str:
    """Remove all that must go first; the answer is why something could not be, or nothing."""
    problems = [_clear(work, thing, child) for child in _kinds(work, thing)]
    return "; ".join(filter(None, problems))


def _clear(work: Work, thing: Thing, child: Child) -> str:
    """List and remove until nothing is listed: pages, and what is added meanwhile."""
    for _ in range(_ROUNDS):
        found = next(_pages(work, thing, child), [])
        if not found:
            return ""
        problems = [_remove(work, extra) for extra in found]
        if all(problems):
            return problems[0]
    return f"{child.what} keep coming back"


def _remove(work: Work, extra: Extra) -> str:
    for number, call in enumerate(extra.calls()):
        kind = BY_REMOVAL.get(call.name)
        if kind:  # what hangs on a thing of the run's goes with it
            work.own.recognise(Thing(kind.id, call.params))
        problem = _problem(call.service, work.calls.make(call))
        if problem and number == 0:
            return f"{extra.text}: {problem}"
    return ""


def _kinds(work: Work, thing: Thing) -> Iterator[Child]:
    """The kinds of what may hang on the thing; they do not wait for each other."""
    return work.calls.ahead(KINDS[thing.kind].children, lambda child: _listing(thing, child))


def _pages(work: Work, thing: Thing, child: Child) -> Iterator[list[Extra]]:
    for outcome in work.calls.pages(_listing(thing, child), child.pages):
        data = outcome.data if isinstance(outcome, Answer) else {}
        yield [
            Extra(thing, child, names, int(search(child.count, names) or 1))
            for names in child.listed(thing.names, data)
            if isinstance(names, Mapping)
        ]


def _listing(thing: Thing, child: Child) -> Call:
    params = {name: thing.names[name] for name in child.names}
    return Call(thing.admin, KINDS[thing.kind].service, child.listing, params)


def _problem(service: str, outcome: Outcome) -> str:
    if isinstance(outcome, Answer):
        errors = outcome.data.get("Errors")
        return f"{errors[0].get('Code')}: {errors[0].get('Message')}" if errors else ""
    if isinstance(outcome, Refusal):
        return (
            ""
            if is_gone(service, outcome.code, outcome.message)
            else f"{outcome.code}: {outcome.message}"
        )
    return outcome.reason
