"""Judges each call of a run before it is sent: it changes only what is the run's own."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from stslab.errors import NotOwn
from stslab.kinds.judge import Objection, objections
from stslab.kinds.operations import HOME, changes
from stslab.kinds.own import Own
from stslab.kinds.table import KINDS
from stslab.runner.journal.records import MADE, Entry, EntryState, RunRecord, Thing, UndoCall
from stslab.runner.journal.store import Journal
from stslab.runner.ports import ADMIN, Call

# What a run may have made, or made and undid: its names are the run's own.
_NAMED = (*MADE, EntryState.INTENDED, EntryState.LOST, EntryState.UNDONE)
# These name things of the account that calls; a bucket's name is the only one in the world.
_OF_AN_ACCOUNT = ("iam", "cloudformation")
_OF_THE_CALLER = ("sts.GetSessionToken", "sts.GetFederationToken")
_UNRESOLVED = frozenset({"${{"})


class OwnOnly:
    """One run's guard: what is its own stands in its journal."""

    def __init__(self, run: RunRecord, journal: Journal) -> None:
        self._run = run
        self._journal = journal
        self._recognised: set[tuple[str, str]] = set()

    def require(self, call: Call) -> None:
        """Let the call pass.

        Raises:
            NotOwn: it would change what is not the run's own.
        """
        for found in self._objections(call, Own("", "", "")):
            raise not_own(found)

    def objections_to(
        self, undo: Iterable[UndoCall], made: Thing | None
    ) -> Iterator[tuple[UndoCall, Objection]]:
        """The undo calls of a step, as far as they are known, that may not be made.

        ``made`` is what the step itself makes.
        """
        own = frozenset(_named(made) if made else ())
        more = Own("", "", "", things=own, unknown=_UNRESOLVED)
        for one in undo:
            for found in self._objections(one.call, more):
                yield one, found
                break

    def recognise(self, thing: Thing) -> None:
        """Take what was recognised in the account (by its tag, its parent or its name) for own."""
        self._recognised |= set(_named(thing))

    def _objections(self, call: Call, more: Own) -> Iterator[Objection]:
        """``more`` are things that are own besides, and texts that stand for the unknown."""
        if not changes(call.name) and call.service in HOME:
            return
        entries = self._journal.entries(self._run.id)
        account, user = _caller(call.identity, entries, self._run.account)
        if call.service in _OF_AN_ACCOUNT and account != self._run.account:
            where = f"account {account}" if account else "an account that is not known"
            yield Objection(
                f"{call.name} as {call.identity} would change {where}, which is not the run's."
            )
            return
        yield from objections(call.name, call.params, self._own(entries, more), user)

    def _own(self, entries: tuple[Entry, ...], more: Own) -> Own:
        run, things = self._run, self._recognised | more.things
        for entry in entries:
            if entry.state in _NAMED:
                own = [entry.thing] if entry.thing else []
                every = (*own, *self._journal.things(run.id, entry.seq))
                named = [one for thing in every for one in _named(thing)]
                things |= {one for one in named if entry.state in MADE or run.id in one[1]}
        return replace(
            more,
            run=run.id,
            account=run.account,
            partition=run.partition,
            things=frozenset(things),
            embedded=run.kind == "sandbox",
            allowed=run.allowed,
        )


def not_own(objection: Objection, where: str = "") -> NotOwn:
    """The error that an objection is; ``where`` says which part of a lab it is about."""
    said = f"{where}: {objection.reason}" if where else objection.reason
    return NotOwn(f"{said} Nothing was sent.", objection.fix)


def _named(thing: Thing) -> Iterator[tuple[str, str]]:
    """The thing as (kind, name); nothing for what hangs on another, which is judged by that."""
    kind = KINDS.get(thing.kind)
    if kind and not kind.parent and kind.names and kind.names[0] in thing.names:
        yield thing.kind, thing.names[kind.names[0]]


def _caller(identity: str, entries: tuple[Entry, ...], home: str) -> tuple[str, str]:
    """The account that an identity calls in, and the run's own user that it is; else nothing."""
    if identity == ADMIN:
        return home, ""
    made = [one for one in entries if one.intent.profile == identity and one.state in _NAMED]
    if not made:
        return "", ""
    entry = made[-1]
    if entry.call == "iam.CreateAccessKey":
        named = entry.thing.names.get("UserName", "") if entry.thing else ""
        return home, named
    if entry.call.startswith("sts.AssumeRole"):
        return str(entry.intent.params.get("RoleArn")).split(":")[4], ""
    if entry.call in _OF_THE_CALLER:
        before = tuple(one for one in entries if one.seq < entry.seq)
        return _caller(entry.intent.identity, before, home)
    return "", ""
