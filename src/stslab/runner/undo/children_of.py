"""What must go before a thing can: finds it in the account, and takes it away."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stslab.kinds.kind import Child, is_gone, search
from stslab.kinds.table import BY_REMOVAL, KINDS
from stslab.runner.calls.ahead import Read
from stslab.runner.calls.calls import ADMIN
from stslab.runner.calls.work import Work
from stslab.runner.journal.records import Thing, UndoCall
from stslab.runner.ports import Answer, Refusal

_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Extra:
    """Something on a thing that goes before it. ``count`` is of how many it stands for."""

    parent: Thing
    child: Child
    names: Mapping[str, Any]
    count: int

    @property
    def text(self) -> str:
        """What people call it."""
        what = self.child.what.format_map(self.names)
        return f"{what} ({self.count})" if self.count > 1 else what

    def calls(self) -> Iterator[UndoCall]:
        """What takes it away, in order."""
        service, every = KINDS[self.parent.kind].service, {**self.parent.names, **self.names}
        for removal in self.child.removals:
            params = {name: every[name] for name in removal.names}
            yield UndoCall(ADMIN, service, removal.operation, params)

    @property
    def thing(self) -> Thing | None:
        """It as a thing of its own, if it is one."""
        service = KINDS[self.parent.kind].service
        kind = BY_REMOVAL.get(f"{service}.{self.child.removals[0].operation}")
        every = {**self.parent.names, **self.names}
        if kind is None or not all(name in every for name in kind.names):
            return None
        return Thing(kind.id, {name: str(every[name]) for name in kind.names})


class Children:
    """Finds and clears what hangs on things, as ``admin``."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def of(self, thing: Thing) -> Iterator[Extra]:
        """All that must go before the thing. What can't be listed is left out."""
        for child in self._children(thing):
            yield from self._listed(thing, child)

    def clear(self, thing: Thing) -> str:
        """Take all of it away; the answer is why something could not be, or nothing."""
        problems = [self._clear(thing, child) for child in self._children(thing)]
        return "; ".join(filter(None, problems))

    def _clear(self, thing: Thing, child: Child) -> str:
        """List and remove until nothing is listed: pages, and what is added meanwhile."""
        for _ in range(_ROUNDS):
            found = next(self._pages(thing, child), [])
            if not found:
                return ""
            problems = [self._remove(extra) for extra in found]
            if all(problems):
                return problems[0]
        return f"{child.what} keep coming back"

    def _remove(self, extra: Extra) -> str:
        for number, call in enumerate(extra.calls()):
            kind = BY_REMOVAL.get(f"{call.service}.{call.operation}")
            if kind:  # what hangs on a thing of the run's goes with it
                self._work.own.recognise(Thing(kind.id, call.params))
            outcome = self._work.calls.make(ADMIN, call.service, call.operation, call.params)
            problem = _problem(call.service, outcome)
            if problem and number == 0:
                return f"{extra.text}: {problem}"
        return ""

    def _listed(self, thing: Thing, child: Child) -> Iterator[Extra]:
        for page in self._pages(thing, child):
            yield from page

    def _children(self, thing: Thing) -> Iterator[Child]:
        """The kinds of what may hang on the thing; they do not wait for each other."""
        return self._work.calls.ahead(
            KINDS[thing.kind].children, lambda child: _listing(thing, child)
        )

    def _pages(self, thing: Thing, child: Child) -> Iterator[list[Extra]]:
        for outcome in self._work.calls.pages(*_listing(thing, child), child.pages):
            data = outcome.data if isinstance(outcome, Answer) else {}
            found = child.listed(thing.names, data)
            yield [
                Extra(thing, child, names, int(search(child.count, names) or 1))
                for names in found
                if isinstance(names, Mapping)
            ]


def _listing(thing: Thing, child: Child) -> Read:
    params = {name: thing.names[name] for name in child.names}
    return Read(KINDS[thing.kind].service, child.listing, params)


def _problem(service: str, outcome: Any) -> str:
    if isinstance(outcome, Answer):
        errors = outcome.data.get("Errors")
        return f"{errors[0].get('Code')}: {errors[0].get('Message')}" if errors else ""
    if isinstance(outcome, Refusal):
        return "" if is_gone(service, outcome) else f"{outcome.code}: {outcome.message}"
    return str(outcome.reason)
