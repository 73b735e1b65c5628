"""Lists every call that a run of a lab makes or may make: what it changes and costs. Pure."""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from stslab.kinds.harmless import judged, named_in, resources_of, things_of_template
from stslab.kinds.operations import CHANGES, HOME, Must, changes
from stslab.kinds.own import Own
from stslab.kinds.table import BY_REMOVAL, BY_RESOURCE_TYPE, KINDS, creation_of, names_made, search
from stslab.lab.model import Action, Check, LabFile, Params, Step
from stslab.lab.references import BASE, Scope, allowed, as_known, foresee, names_used
from stslab.structures import Path, listed
from stslab.vocabulary import ADMIN

STEP, UNDO, CHECK, FAULT, PROFILE = "step", "undo", "check", "fault", "profile"
# The parameters of reading calls that name a thing, with its kind: the first that has this name.
_NAMING = {one.names[0]: one.id for one in reversed([*KINDS.values()]) if len(one.names) == 1}
_LONGEST = 200


class LabCall(msgspec.Struct, frozen=True):
    """One call, in its place; ``own`` is what belongs to the run when it is made."""

    stage: str
    title: str
    when: str  # step, undo, check, fault or profile
    place: Path  # leads to it in the lab's file
    identity: str
    call: str
    params: Params
    own: Own
    caller: str = ""
    made: tuple[str, str] | None = None  # (kind, name) of a new thing that others may belong to
    sends: tuple[str, ...] = ()  # the calls that read data of others, which this call sends on
    fails: bool = False  # it is expected to be refused
    undos: tuple[str, ...] | None = None  # of a step that says so: the calls that undo it

    @property
    def kinds(self) -> list[str]:
        """The kinds of the things that the call and its template make."""
        creation = creation_of(self.call, self.params)
        types = {one.logical: one.type for one in resources_of(self.params, self.own)}.values()
        kinds = [BY_RESOURCE_TYPE[each].id for each in types if each in BY_RESOURCE_TYPE]
        return [creation.kind, *kinds] if creation else kinds

    @property
    def notes(self) -> Iterator[str]:
        found = judged(self.call, self.params, self.own, self.caller)
        yield from (one for one in found if isinstance(one, str))
        for read in self.sends:
            yield f"{self.call} sends on data that {read} reads, which is not the run's"


class Changed(msgspec.Struct, frozen=True):
    """One thing that a run changes, with the calls that change it and those that undo that."""

    thing: str
    calls: tuple[str, ...]
    undo: tuple[str, ...]


class Summary(msgspec.Struct, frozen=True):
    changed: tuple[Changed, ...]
    reads: tuple[str, ...]
    cleanup: tuple[str, ...]  # further calls of cleanup, for things that were added by hand
    notes: tuple[str, ...]


def summary(calls: Iterable[LabCall]) -> Summary:
    every = list(calls)
    changed: dict[str, tuple[list[str], list[str]]] = {}
    step = None
    for one in every:
        step = one if one.when == STEP else step
        shown = f"{one.call} (to be refused)" if one.fails else one.call
        removal = BY_REMOVAL.get(one.call) if one.when == UNDO else None
        # The removal of a step's thing counts for that thing, whose id may not be known yet.
        of = step if step and removal and removal.id in step.kinds[:1] else one
        for thing in subjects(of.call, of.params, of.own, of.caller):
            done, undo = changed.setdefault(thing, ([], []))
            (undo if one.when == UNDO else done).append(shown)
    removals = {
        f"{kind.service}.{removal.operation}"
        for kind in (KINDS[kind] for one in every for kind in one.kinds)
        for child in kind.children
        for removal in child.removals
    }
    return Summary(
        changed=tuple(
            Changed(thing, tuple(dict.fromkeys(done)), tuple(dict.fromkeys(undo)))
            for thing, (done, undo) in changed.items()
        ),
        reads=tuple(sorted({one.call for one in every if not changes(one.call)})),
        cleanup=tuple(sorted(removals)),
        notes=tuple(dict.fromkeys(note for one in every for note in one.notes)),
    )


def costs(calls: Iterable[LabCall]) -> str:
    """What the calls cost on a real account, in words."""
    services = {each.call.partition(".")[0] for each in calls}
    if others := services - HOME:
        return f"unknown: besides free services it uses {', '.join(sorted(others))}"
    s3 = "; the few S3 requests: under a cent" if "s3" in services else ""
    return f"nothing (IAM, STS and CloudFormation are free{s3})"


_Where = tuple[str, str, str, Path]
"""The part of a lab that a call is in: the first fields of a LabCall."""


def lab_calls(
    lab: LabFile, base: Scope = BASE, *, embedded: bool = True, faults: bool = False
) -> Iterator[LabCall]:
    """Every call of the lab, in order of a run; ``faults``: also those of its faults."""
    walk = _Walk(lab, base, embedded=embedded)
    for number, stage in enumerate(lab.stages):
        for at, step in enumerate(stage.steps):
            yield from walk.step(stage.id, step, ("stages", number, "steps", at))
        for at, check in enumerate(stage.checkpoint):
            if check.call:
                where = stage.id, check.says, CHECK, ("stages", number, "checkpoint", at)
                yield replace(walk.call(where, check), fails=bool(check.fails))
    yield from walk.profiles(lab)
    for number, fault in enumerate(lab.faults if faults else ()):
        for key, actions in (("change", fault.change), ("fix", fault.fix)):
            for at, action in enumerate(actions):
                where = fault.after, fault.title, FAULT, ("faults", number, key, at)
                yield walk.call(where, action)


class _Walk:
    def __init__(self, lab: LabFile, base: Scope, *, embedded: bool) -> None:
        self._scope, unknown = foresee(lab, base)
        accounts: dict[str, str] = {name: base["accounts"][name]["id"] for name in lab.accounts}
        self._accounts = {ADMIN: base["account"], **accounts}
        self._own = Own(
            run=base["run"]["id"],
            account=base["account"],
            partition=base["partition"],
            accounts=tuple(self._accounts.values()),
            embedded=embedded,
            allowed=allowed(lab, self._scope),
            unknown=unknown,
        )
        self._users: dict[str, str] = {}
        self._saved_in: dict[str, str] = {}
        self._foreign: dict[str, str] = {}

    def step(self, stage: str, step: Step, place: Path) -> Iterator[LabCall]:
        undos = None if step.undo is None else tuple(undo.call for undo in step.undo)
        done = replace(self.call((stage, step.title, STEP, place), step), undos=undos)
        yield done
        named = {*filter(None, [done.made]), *things_of_template(done.params, done.own)}
        made = {(done.own.account, *one) for one in named}
        self._own = replace(self._own, things=self._own.things | made)
        self._remember(step, done)
        for at, undo in enumerate(step.undo or ()):
            if undo.params is not None:
                where = stage, step.title, UNDO, (*place, "undo", at)
                yield self._effect(where, undo.identity or step.identity, undo.call, undo.params)

    def profiles(self, lab: LabFile) -> Iterator[LabCall]:
        for name, settings in lab.profiles.items():
            if settings.role_arn:
                where = lab.stages[-1].id, f"profile {name}", PROFILE, ("profiles", name)
                by = "WithWebIdentity" if settings.web_identity_token_file else ""
                params = {"RoleArn": settings.role_arn}
                who = settings.source_profile or ADMIN
                yield self._effect(where, who, f"sts.AssumeRole{by}", params)

    def call(self, where: _Where, part: Step | Check | Action) -> LabCall:
        return self._effect(where, part.identity, part.call or "", part.params)

    def _effect(self, where: _Where, who: str, call: str, params: Params) -> LabCall:
        known = as_known(params, self._scope)
        own = replace(self._own, account=self._accounts.get(who, self._own.account))
        sent = names_used(params) & self._foreign.keys()
        return LabCall(
            *where,
            identity=who,
            call=call,
            params=known,
            own=own,
            caller=self._users.get(who, ""),
            made=_new_thing(call, known, own),
            sends=tuple(sorted({self._foreign[name] for name in sent})),
        )

    def _remember(self, step: Step, done: LabCall) -> None:
        """Keep who the step's profile is, and whether the step saves data of others."""
        account = done.own.account
        if step.profile:
            user = str(done.params.get("UserName", done.caller))
            self._users[step.profile.name] = user if step.call == "iam.CreateAccessKey" else ""
            role = str(done.params.get("RoleArn", ""))
            assumed = self._saved_in.get(role) or "".join(role.split(":")[4:5])
            is_role = step.call.startswith("sts.AssumeRole")
            self._accounts[step.profile.name] = assumed if is_role and assumed else account
        self._saved_in |= dict.fromkeys((f"<{name}>" for name in step.save), account)
        if not changes(step.call) and not _is_of_own(done):
            self._foreign |= dict.fromkeys(step.save, step.call)


def _new_thing(call: str, params: Params, own: Own) -> tuple[str, str] | None:
    """The thing that a call makes, if others may belong to it: (kind, name)."""
    creation = creation_of(call, params)
    if creation is None or KINDS[creation.kind].parent or KINDS[creation.kind].put:
        return None
    names = names_made(creation, params, {}, own.account, own.partition)
    name = names.get(KINDS[creation.kind].names[0])
    return (creation.kind, name) if name else None


def _is_of_own(read: LabCall) -> bool:
    """Whether a call reads only what is the run's own."""
    named = {kind: str(read.params[name]) for name, kind in _NAMING.items() if name in read.params}
    own = bool(named) and all(read.own.has(*one) for one in named.items())
    return read.call == "sts.GetCallerIdentity" or (own and read.call.partition(".")[0] in HOME)


# -- what a call changes, in words ----------------------------------------------------------------


def subjects(call: str, params: Params, own: Own, caller: str = "") -> tuple[str, ...]:
    """The things that a call changes, as people call them, as far as known; empty for a read."""
    if not changes(call):
        return ()
    service = call.partition(".")[0]
    things = tuple(dict.fromkeys(_subjects(call, params, own, caller)))
    if things or service in HOME:
        return things
    # For other services only the parameters tell what it changes.
    texts = {name: value[:_LONGEST] for name, value in params.items() if isinstance(value, str)}
    named = ", ".join(f"{name} {value}" for name, value in texts.items())
    return (f"something of {service}{named and f': {named}'}",)


def _subjects(call: str, params: Params, own: Own, caller: str) -> Iterator[str]:
    creation, removal = creation_of(call, params), BY_REMOVAL.get(call)
    if creation:
        names = names_made(creation, params, {}, own.account, own.partition)
        inside = ", ".join(_inside(params, own))
        label = _label(creation.kind, {"UserName": caller, **names})
        yield f"{label} with {inside}" if inside else label
    elif removal:
        yield _label(removal.id, {"UserName": caller, **params})
    else:
        rules = [one for rule in CHANGES.get(call, ()) for one in rule.either or (rule,)]
        for rule in (one for one in rules if one.must in (Must.OWN, Must.ROLE)):
            kind = "iam.role" if rule.must is Must.ROLE else rule.kind
            found = search(rule.where, params) or (caller if rule.implied else None)
            for name in filter(None, listed(found)):
                yield _label(kind, {KINDS[kind].names[0]: str(name)})


def _inside(params: Params, own: Own) -> Iterator[str]:
    labels: dict[str, str] = {}
    for one in resources_of(params, own):
        kind = BY_RESOURCE_TYPE.get(one.type)
        what = kind.noun if kind else one.type
        known = next((name for _, name in named_in(one) if name.isprintable()), "")
        labels.setdefault(one.logical, f"{what} {known}".strip())
    yield from labels.values()


def _label(kind: str, names: Params) -> str:
    """What people call a thing, without the names that are not known."""
    known = dict.fromkeys(KINDS[kind].names, "") | {key: str(one) for key, one in names.items()}
    return " ".join(KINDS[kind].label(known).split())
