"""Prepare a step's call and journal entry, and settle a step that was left half-done."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from stslab.errors import RunError
from stslab.kinds.table import KINDS, Creation, creation_of, is_repeatable, names_made, search
from stslab.lab.embedded import MOVES
from stslab.lab.model import Stage, Step
from stslab.lab.references import as_known, resolve
from stslab.redaction import HIDDEN
from stslab.runner.calls.look import identity_in, is_ours, look, look_for
from stslab.runner.calls.work import Work
from stslab.runner.events import UndoOutcome
from stslab.runner.journal import records
from stslab.runner.journal.records import Entry, EntryState, Result, Thing, UndoCall
from stslab.runner.ports import Call, Data, TargetInfo
from stslab.runner.run.scope import refused
from stslab.runner.undo.undo import discovered, undo

Undoable = tuple[Thing | None, tuple[UndoCall, ...]]


class Prepared(msgspec.Struct, frozen=True):
    step: Step
    intent: records.Intent  # not redacted
    wait: Call | None  # after its call; the waiter is in place of the operation
    creation: Creation | None  # None if it makes nothing of a known kind
    place: TargetInfo  # the target in the called account

    @property
    def call(self) -> Call:
        return self.intent.call

    @property
    def params(self) -> Data:
        return self.intent.params

    def intending(self, **changes: object) -> "Prepared":
        """A copy with these members of the intent replaced."""
        return replace(self, intent=replace(self.intent, **changes))


def prepare(stage: Stage, number: int, scope: Data, target: TargetInfo) -> Prepared:
    """Resolve a step's expressions; UnresolvedReference if one refers to something unknown."""
    step = stage.steps[number]
    call = Call(step.identity, step.service, step.operation, resolve(step.params, scope))
    intent = records.Intent(
        stage=stage.id,
        step=number,
        title=step.title,
        thing=thing_made(call, {}, target),
        undo=undo_calls(step, scope),
        profile=step.profile.name if step.profile else "",
        **records.shared(call, records.Intent),
    )
    wait = None
    if step.wait:
        params = resolve(step.wait.params or {}, scope)
        wait = Call(step.identity, step.service, step.wait.waiter, params)
    return Prepared(step, intent, wait, creation_of(step.call, call.params), target)


def completed(prepared: Prepared, data: Data, scope: Data) -> Undoable:
    """The thing and its undo, completed from the answer."""
    thing = thing_made(prepared.call, data, prepared.place)
    if thing:
        thing = replace(thing, identity=identity_in(KINDS[thing.kind], data))
    setting = thing and KINDS[thing.kind].put
    return thing, prepared.intent.undo if setting else undo_calls(prepared.step, scope)


def thing_made(call: Call, data: Data, target: TargetInfo) -> Thing | None:
    """The thing that a call makes; names that only the answer has may be missing."""
    creation = creation_of(call.name, call.params)
    if creation is None:
        return None
    names = names_made(creation, call.params, data, target.account, target.partition)
    return Thing(creation.kind, names, admin=target.admin)


def undo_calls(step: Step, scope: Data) -> tuple[UndoCall, ...]:
    """The step's undo calls, with known expressions resolved."""
    return tuple(
        UndoCall(
            identity=undo.identity or step.identity,
            service=undo.service,
            operation=undo.operation,
            params=as_known(undo.params or {}, scope),
            waiter=undo.wait.waiter if undo.wait else "",
            waiter_params=as_known(undo.wait.params or {}, scope) if undo.wait else {},
        )
        for undo in step.undo or ()
    )


Settled = tuple[Data | None, int]
"""What a call answered, or None; then the number of the entry that a new call replaces, or 0."""


def settle(work: Work, entry: Entry, prepared: Prepared) -> Settled:
    """Find out whether the entry's call took effect; adopt or undo its thing."""
    if entry.state in records.MADE:
        return _undone(work, entry)
    if entry.state not in records.PERHAPS:
        return None, 0
    creation, thing = prepared.creation, entry.thing
    if is_repeatable(entry.call) or not (entry.undo or creation):
        return None, entry.seq
    if creation and creation.discover:
        return _discovered(work, entry, prepared)
    if creation and thing and thing.complete:
        return _looked_up(work, entry, prepared, thing)
    raise RunError(*refused("unknown", call=entry.call, title=entry.intent.title))


def restoring(work: Work, prepared: Prepared, entry: Entry | None) -> Prepared:
    """The step; if it changes a setting of the account, with an undo that restores the setting.

    After an earlier try, the undo restores the value from before that. RunError: the setting can't
    be looked up. NotOwn: the run may not change it here.
    """
    thing = prepared.intent.thing
    kind = KINDS[thing.kind] if thing else None
    if not (thing and kind and kind.put):
        return prepared
    undo = entry.undo if entry else ()
    if not undo:
        work.require(prepared.call)
        sight = look(work, thing)
        if sight.there is None:
            raise RunError(*refused("not seen", thing=thing.label))
        was = search(kind.was, {"answer": sight.data}) if sight.there else {}
        params = {name: value for name, value in was.items() if value is not None}
        operation = kind.put if params else kind.remove.operation
        params = params or {name: prepared.params[name] for name in kind.remove.names}
        undo = (UndoCall(thing.admin, kind.service, operation, params),)
    if prepared.step.call == MOVES:
        params = {**prepared.params, "From": undo[0].params["Offset"]}
        prepared = prepared.intending(params=params)
    return prepared.intending(undo=undo)


def adopt_existing(work: Work, prepared: Prepared) -> Data | None:
    """The answer of a call that was refused because its thing exists, if the thing is our own.

    Only an earlier try of the same call, whose answer was lost, can have made it.
    """
    thing = prepared.intent.thing
    if not (prepared.intent.replaces and thing and thing.complete):
        return None
    sight = look(work, thing)
    return adopted(prepared, sight.data) if sight.there and is_ours(work, sight) else None


def written(work: Work, intent: records.Intent) -> records.Intent:
    """The intent for the journal: without secrets, and without an object's body."""
    params = work.calls.clean(intent.params)
    thing, undo = cleaned(work, intent.thing, intent.undo)
    if intent.service == "s3" and "Body" in params:
        params = {**params, "Body": HIDDEN}
    return replace(intent, params=params, thing=thing, undo=undo)


def cleaned(work: Work, thing: Thing | None, undo: tuple[UndoCall, ...]) -> Undoable:
    """The thing and its undo without secrets. A call that needs one can't be made later."""
    clean = work.calls.clean
    calls = (
        replace(call, params=clean(call.params), waiter_params=clean(call.waiter_params))
        for call in undo
    )
    return thing and replace(thing, names=clean(dict(thing.names))), tuple(calls)


def _looked_up(work: Work, entry: Entry, prepared: Prepared, thing: Thing) -> Settled:
    sight = look_for(work, thing)
    if sight.there is None:
        raise RunError(*refused("not seen", thing=thing.label))
    if not sight.there:
        return None, entry.seq
    if not is_ours(work, sight):
        work.conclude(entry.seq, Result(EntryState.NOT_OURS))
        raise RunError(*refused("not ours", thing=thing.label))
    data = adopted(prepared, sight.data)
    return _undone(work, entry) if data is None else (data, 0)


def _discovered(work: Work, entry: Entry, prepared: Prepared) -> Settled:
    """Adopt a key whose secret was saved; undo a key whose secret is lost."""
    profile = work.calls.profiles.get(prepared.intent.profile)
    for thing in discovered(work, entry):
        if profile and profile.access_key_id in thing.names.values():
            return {"AccessKey": {**thing.names}}, 0
    return _undone(work, entry)


def _undone(work: Work, entry: Entry) -> Settled:
    """Undo the entry's call: a new one replaces none."""
    undone = undo(work, entry)
    if undone.failed or undone.outcome is UndoOutcome.KEPT:
        raise RunError(*refused("half done", title=entry.intent.title, detail=undone.detail))
    return None, 0


def adopted(prepared: Prepared, data: Data) -> Data | None:
    """The answer of the creating call, built from the lookup's, if that can be."""
    if not (prepared.creation and prepared.creation.adopt):
        return None
    built = search(prepared.creation.adopt, data)
    return built if isinstance(built, Mapping) else {}
