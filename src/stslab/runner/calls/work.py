"""The run, its journal and its calls; and the guard: a call may only change the run's things."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from stslab.errors import CredentialsError, NotOwn
from stslab.kinds.harmless import Objection, objections
from stslab.kinds.operations import HOME, changes
from stslab.kinds.own import Named, Own
from stslab.kinds.table import KINDS
from stslab.runner.calls.calls import Calls
from stslab.runner.journal import records
from stslab.runner.journal.past import Past
from stslab.runner.journal.records import MADE, Entry, EntryState, RunRecord, Thing, UndoCall
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Call, TargetInfo
from stslab.structures import beside
from stslab.vocabulary import ADMIN

# The states of things that a run may have made: their names are the run's own.
_NAMED = (*MADE, EntryState.INTENDED, EntryState.LOST, EntryState.UNDONE)
# Names in these services belong to the caller's account; bucket names are global.
_OF_AN_ACCOUNT = ("iam", "cloudformation")
_OF_THE_CALLER = ("sts.GetSessionToken", "sts.GetFederationToken")
_UNRESOLVED = frozenset({"${{"})


def not_own(objection: Objection, where: str = "") -> NotOwn:
    """The error for an objection; ``where`` is the part of the lab that it is about."""
    reason = f"{where}: {objection.reason}" if where else objection.reason
    return NotOwn(f"{reason} Nothing was sent.", objection.fix)


@dataclass(frozen=True, slots=True)
class Work:
    run: RunRecord
    journal: Journal
    calls: Calls
    _recognised: set[Named] = field(default_factory=set, init=False, compare=False)

    def __post_init__(self) -> None:
        self.calls.guard = self.require

    @property
    def past(self) -> Past:
        return self.journal.past(self.run.id)

    def conclude(self, entry: int, result: records.Result) -> None:
        self.journal.write(self.run.id, records.Concluded(entry, result))

    def made(self) -> tuple[Thing, ...]:
        """Every thing that the run is known to have made, including a stack's resources."""
        entries = (entry for entry in self.past.entries() if entry.state in MADE)
        return tuple(thing for entry in entries for thing in self.things_of(entry))

    def known(self) -> tuple[Thing, ...]:
        """Every thing that the run made, including those undone since."""
        return tuple(thing for entry in self.past.entries() for thing in self.things_of(entry))

    def things_of(self, entry: Entry) -> tuple[Thing, ...]:
        own = (entry.thing,) if entry.thing else ()
        return (*own, *self.past.things(entry.seq))

    # The journal says which things are the run's own. No others may be changed.

    def require(self, call: Call) -> None:
        """Raise NotOwn if the call would change something that is not the run's own."""
        for objection in self._objections(call):
            raise not_own(objection)

    def objections_to(
        self, undo: Iterable[UndoCall], made: Thing | None
    ) -> Iterator[tuple[UndoCall, Objection]]:
        """The undo calls of a step that may not be made; ``made`` is the step's own thing."""
        for each in undo:
            for objection in islice(self._objections(each, made, _UNRESOLVED), 1):
                yield each, objection

    def recognise(self, thing: Thing) -> None:
        """Count a thing, recognised by its tag, parent or name, as the run's own."""
        self._recognised.update(self._named(thing))

    def _objections(
        self, call: Call, made: Thing | None = None, unknown: frozenset[str] = frozenset()
    ) -> Iterator[Objection]:
        """``made`` is one more thing that is own; ``unknown`` are texts for unknown values."""
        assumed = self._assumed(call.identity)
        if assumed:
            yield from self._objections(assumed, made, unknown)
        if not changes(call.name) and call.service in HOME:
            return
        run, entries = self.run, self.past.entries()
        account, user = self._caller(call.identity, entries)
        if call.service in _OF_AN_ACCOUNT and account not in (run.account, *run.accounts.values()):
            where = f"account {account}" if account else "an unknown account"
            changed = f"would change {where}, which is not the run's."
            yield Objection(f"{call.name} as {call.identity} {changed}")
            return
        things = {*self._recognised, *(self._named(made) if made else ())}
        for entry in entries:
            if entry.state in _NAMED:
                named = [name for thing in self.things_of(entry) for name in self._named(thing)]
                things |= {name for name in named if entry.state in MADE or run.id in name[2]}
        embedded = run.kind == "sandbox"
        lets_in = [call.lets_in] if call.lets_in and embedded else []
        own = Own(
            run=run.id,
            account=account or run.account,
            partition=run.partition,
            things=frozenset(things),
            accounts=(run.account, *run.accounts.values(), *lets_in),
            embedded=embedded,
            allowed=run.allowed,
            unknown=unknown,
        )
        yield from objections(call.name, call.params, own, user)

    def _assumed(self, identity: str) -> Call | None:
        """The call by which a profile gets its credentials, from its settings."""
        settings = self.calls.profiles.settings.get(identity, {})
        if not settings.get("role_arn"):
            return None
        source, params = settings.get("source_profile", ADMIN), {"RoleArn": settings["role_arn"]}
        token = "web_identity_token_file" in settings
        return Call(source, "sts", f"AssumeRole{'WithWebIdentity' if token else ''}", params)

    def place_of(self, identity: str) -> TargetInfo:
        """The target in the account that this identity calls in, if that is known."""
        return self.calls.target.of(self._caller(identity, self.past.entries())[0])

    def _named(self, thing: Thing) -> Iterator[Named]:
        """The name of a thing, for the guard. A child has none: its parent is judged."""
        kind = KINDS.get(thing.kind)
        if kind and not kind.parent and kind.names and kind.names[0] in thing.names:
            yield self.account_of(thing), thing.kind, thing.names[kind.names[0]]

    def account_of(self, thing: Thing) -> str:
        return self.run.accounts.get(thing.admin, self.run.account)

    def _caller(self, identity: str, entries: tuple[Entry, ...]) -> tuple[str, str]:
        """The account that an identity calls in, and the run's user that it is, or ""."""
        homes = {ADMIN: self.run.account, **self.run.accounts}
        home, settings = homes.get(identity, ""), self.calls.profiles.settings.get(identity, {})
        if settings.get("credential_process"):
            return self._caller(settings["credential_process"].split()[4], entries)
        if home or settings:
            assumed = settings.get("role_arn", "::::")  # a profile with `environment` has none
            return home or assumed.split(":")[4], ""
        made = [one for one in entries if one.intent.profile == identity and one.state in _NAMED]
        if not made:
            return "", ""
        entry = made[-1]
        if entry.call.startswith("sts.AssumeRole"):
            return str(entry.intent.params.get("RoleArn")).split(":")[4], ""
        before = tuple(each for each in entries if each.seq < entry.seq)
        account, user = self._caller(entry.intent.identity, before)
        if entry.call == "iam.CreateAccessKey":
            return account, entry.thing.names.get("UserName", "") if entry.thing else ""
        return (account, user) if entry.call in _OF_THE_CALLER else ("", "")


def account_is_gone(run: RunRecord, target: TargetInfo) -> bool:
    """Whether the run's embedded account was replaced by the target, a newer one.

    CredentialsError: the target is another account, or another place, than the run began on.
    """
    there = run.kind == target.kind == "sandbox" and run.target == target.name
    if there and run.instance != target.instance:
        return True

    started = f"{run.account} ({run.target})", f"{target.account} ({target.name})"
    served = run.instance or "AWS itself", target.instance or "AWS itself"
    others = ((was, target.accounts.get(name, "none")) for name, was in run.accounts.items())
    places = [("on account", started), ("in the region", (run.region, target.region))]
    places += [("at", served), *(("with the second account", other) for other in others)]
    for place, (was, now) in places:
        if was != now:
            texts = beside(__file__, "elsewhere.yaml")
            message = texts["says"].format(run=run.id, place=place, was=was, now=now)
            raise CredentialsError(message, texts[place].format(was=was))
    return False
