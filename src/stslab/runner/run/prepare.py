"""Turns a step into what is journaled and called: parameters, undo, and the thing it makes."""

import msgspec
from msgspec.structs import replace

from stslab.kinds.table import KINDS, Creation, creation_of, names_made
from stslab.lab.foresight import as_known
from stslab.lab.model import Stage, Step, Undo
from stslab.lab.references import resolve
from stslab.runner.calls.look import identity_in
from stslab.runner.journal.records import Intent, Thing, UndoCall
from stslab.runner.ports import Data, TargetInfo

Scope = Data


class Prepared(msgspec.Struct, frozen=True):
    """A step ready to be called. ``creation`` is None where it makes nothing that is known.

    ``place`` is the target in the account that is called. The intent is not redacted.
    """

    step: Step
    intent: Intent
    waiter: str
    waiter_params: Data
    creation: Creation | None
    place: TargetInfo

    @property
    def params(self) -> Data:
        return self.intent.params

    def again(self, replaces: int) -> "Prepared":
        """The same, to be made again in the place of an earlier entry."""
        return replace(self, intent=replace(self.intent, replaces=replaces))

    def called_with(self, params: Data) -> "Prepared":
        return replace(self, intent=replace(self.intent, params=params))

    def undone_by(self, undo: tuple[UndoCall, ...]) -> "Prepared":
        return replace(self, intent=replace(self.intent, undo=undo))


def prepare(stage: Stage, number: int, scope: Scope, target: TargetInfo) -> Prepared:
    """The stage's step, with all that is known now put in.

    Raises:
        UnresolvedReference: its parameters refer to something that is not known.
    """
    step = stage.steps[number]
    params = resolve(step.params, scope)
    creation = creation_of(step.call, params)
    intent = Intent(
        stage=stage.id,
        step=number,
        title=step.title,
        identity=step.identity,
        service=step.service,
        operation=step.operation,
        params=params,
        thing=thing_made(creation, params, {}, target),
        undo=undo_calls(step, scope),
        profile=step.profile.name if step.profile else "",
    )
    waited = resolve(step.wait.params or {}, scope) if step.wait else {}
    return Prepared(step, intent, step.wait.waiter if step.wait else "", waited, creation, target)


def completed(
    prepared: Prepared, data: Data, scope: Scope
) -> tuple[Thing | None, tuple[UndoCall, ...]]:
    """The thing and its undo, now that the answer is known."""
    thing = thing_made(prepared.creation, prepared.params, data, prepared.place)
    if thing:
        thing = replace(thing, identity=identity_in(KINDS[thing.kind], data))
    setting = thing and KINDS[thing.kind].put
    return thing, prepared.intent.undo if setting else undo_calls(prepared.step, scope)


def thing_made(
    creation: Creation | None, params: Data, data: Data, target: TargetInfo
) -> Thing | None:
    """The thing that a call makes; without those of its names that only the answer tells."""
    if creation is None:
        return None
    names = names_made(creation, params, data, target.account, target.partition)
    return Thing(creation.kind, names, admin=target.admin)


def undo_calls(step: Step, scope: Scope) -> tuple[UndoCall, ...]:
    """The step's undo, with all that is known put in; the rest stays as it is written."""
    return tuple(_undo_call(undo, step, scope) for undo in step.undo or ())


def _undo_call(undo: Undo, step: Step, scope: Scope) -> UndoCall:
    return UndoCall(
        identity=undo.identity or step.identity,
        service=undo.service,
        operation=undo.operation,
        params=as_known(undo.params or {}, scope),
        waiter=undo.wait.waiter if undo.wait else "",
        waiter_params=as_known(undo.wait.params or {}, scope) if undo.wait else {},
    )
