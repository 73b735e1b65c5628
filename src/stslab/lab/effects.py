"""Every call that a run of a lab will make or may make, and what each changes: the one list. Pure.

The lint, the consent screen, ``show``, the dry run and the guard of a real account all go by it.
What only an answer will tell stands as its name in angle brackets.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from stslab.kinds.judge import Note, judged, things_of_template
from stslab.kinds.operations import HOME, changes
from stslab.kinds.own import Own
from stslab.kinds.subjects import kinds_made, subjects
from stslab.kinds.table import BY_REMOVAL, KINDS, creation_of, names_made
from stslab.lab.changed import Changed, Summary
from stslab.lab.checking.scope import ADMIN
from stslab.lab.foresight import BASE, allowed, foresee
from stslab.lab.model import Action, Check, LabFile, Params, Step
from stslab.lab.references import Scope, names_used

Place = tuple[str | int, ...]

STEP, UNDO, CHECK, FAULT, PROFILE = "step", "undo", "check", "fault", "profile"
_SAYS_WHO_CALLS = "sts.GetCallerIdentity"
# Where the parameters of a lookup name a thing of a kind.
_NAMING = {
    "Bucket": "s3.bucket",
    "GroupName": "iam.group",
    "InstanceProfileName": "iam.instance_profile",
    "PolicyArn": "iam.policy",
    "RoleName": "iam.role",
    "StackName": "cloudformation.stack",
    "UserName": "iam.user",
}


class Effect(msgspec.Struct, frozen=True):
    """One call, and ``own``: what is the run's own when it is made.

    ``when`` is step, undo, check or fault; ``place`` leads to it in the lab's file. ``made`` is
    what it makes, if others hang on things of its kind. ``sends`` are the reads of what is not
    the run's own whose data it sends on. ``fails``: it is to be refused.
    """

    stage: str
    title: str
    when: str
    place: Place
    identity: str
    call: str
    params: Params
    own: Own
    caller: str = ""
    made: tuple[str, str] | None = None
    sends: tuple[str, ...] = ()
    fails: bool = False

    @property
    def things(self) -> tuple[str, ...]:
        return subjects(self.call, self.params, self.own, self.caller)

    @property
    def kinds(self) -> tuple[str, ...]:
        return kinds_made(self.call, self.params, self.own)

    @property
    def notes(self) -> Iterator[str]:
        """What a person should know of it before they agree to it."""
        for one in judged(self.call, self.params, self.own, self.caller):
            if isinstance(one, Note):
                yield one.text
        for read in self.sends:
            yield f"{self.call} sends on what {read} reads, which is not the run's"


def summary(effects: Iterable[Effect]) -> Summary:
    listed = list(effects)
    calls: dict[str, tuple[list[str], list[str]]] = {}
    step = None
    for one in listed:
        step = one if one.when == STEP else step
        said = f"{one.call} (to be refused)" if one.fails else one.call
        for thing in step.things if step and _removes(one, step) else one.things:
            done, undo = calls.setdefault(thing, ([], []))
            (undo if one.when == UNDO else done).append(said)
    kinds = {kind: KINDS[kind] for one in listed for kind in one.kinds}
    return Summary(
        changed=tuple(
            Changed(thing, tuple(dict.fromkeys(done)), tuple(dict.fromkeys(undo)))
            for thing, (done, undo) in calls.items()
        ),
        reads=tuple(sorted({one.call for one in listed if not changes(one.call)})),
        cleanup=tuple(
            sorted(
                {
                    f"{kind.service}.{removal.operation}"
                    for kind in kinds.values()
                    for child in kind.children
                    for removal in child.removals
                }
            )
        ),
        notes=tuple(dict.fromkeys(note for one in listed for note in one.notes)),
    )


def _removes(undo: Effect, step: Effect) -> bool:
    """Whether an undo removes what its step makes, whose id only the answer may tell."""
    removal = BY_REMOVAL.get(undo.call)
    return undo.when == UNDO and removal is not None and removal.id in step.kinds[:1]


class _Where(NamedTuple):
    """Which part of a lab a call belongs to: the first fields of an effect."""

    stage: str
    title: str
    when: str
    place: Place


def effects(
    lab: LabFile, base: Scope = BASE, *, embedded: bool = True, faults: bool = False
) -> Iterator[Effect]:
    """Every call of the lab, in a run's order: each step, its undo, each check.

    ``faults``: with those of the faults, which no run makes.
    """
    walk = _Walk(lab, base, embedded=embedded)
    for number, stage in enumerate(lab.stages):
        for at, step in enumerate(stage.steps):
            where = _Where(stage.id, step.title, STEP, ("stages", number, "steps", at))
            yield from walk.step(where, step)
        for at, check in enumerate(stage.checkpoint):
            if check.call:
                where = _Where(stage.id, check.says, CHECK, ("stages", number, "checkpoint", at))
                yield replace(walk.call(where, check), fails=bool(check.fails))
    yield from walk.profiles(lab)
    for number, fault in enumerate(lab.faults if faults else ()):
        for key, actions in (("change", fault.change), ("fix", fault.fix)):
            for at, action in enumerate(actions):
                where = _Where(fault.after, fault.title, FAULT, ("faults", number, key, at))
                yield walk.call(where, action)


class _Walk:
    """Goes through a lab in a run's order, and knows what it has made and read so far."""

    def __init__(self, lab: LabFile, base: Scope, *, embedded: bool) -> None:
        self._foresight = foresee(lab, base)
        accounts: dict[str, str] = {ADMIN: base["account"]}
        accounts |= {name: base["accounts"][name]["id"] for name in lab.accounts}
        self._own = Own(
            run=base["run"]["id"],
            account=base["account"],
            partition=base["partition"],
            accounts=tuple(accounts.values()),
            embedded=embedded,
            allowed=allowed(lab, self._foresight.scope),
            unknown=self._foresight.unknown,
        )
        self._users: dict[str, str] = {}
        self._accounts = accounts
        self._told_in: dict[str, str] = {}
        self._foreign: dict[str, str] = {}

    def step(self, where: _Where, step: Step) -> Iterator[Effect]:
        """The step's call, and what undoes it."""
        done = self.call(where, step)
        yield done
        inside = things_of_template(done.params, done.own) if "TemplateBody" in done.params else ()
        named = {*filter(None, [done.made]), *inside}
        made = {(done.own.account, *one) for one in named}
        self._own = replace(self._own, things=self._own.things | made)
        self._remember(step, done)
        for at, undo in enumerate(step.undo or ()):
            if undo.params is not None:
                place = where._replace(when=UNDO, place=(*where.place, "undo", at))
                who = undo.identity or step.identity
                yield self._effect(place, who, undo.call, undo.params)

    def profiles(self, lab: LabFile) -> Iterator[Effect]:
        """The calls by which profiles get their credentials."""
        for name, said in lab.profiles.items():
            if said.role_arn:
                place = _Where(lab.stages[-1].id, f"profile {name}", PROFILE, ("profiles", name))
                by = "WithWebIdentity" if said.web_identity_token_file else ""
                params = {"RoleArn": said.role_arn}
                yield self._effect(
                    place, said.source_profile or ADMIN, f"sts.AssumeRole{by}", params
                )

    def call(self, where: _Where, part: Step | Check | Action) -> Effect:
        return self._effect(where, part.identity, part.call or "", part.params)

    def _effect(self, where: _Where, who: str, call: str, params: Params) -> Effect:
        known = self._foresight.params(params)
        own = replace(self._own, account=self._accounts.get(who, self._own.account))
        sent = names_used(dict(params)) & self._foreign.keys()
        return Effect(
            *where,
            identity=who,
            call=call,
            params=known,
            own=own,
            caller=self._users.get(who, ""),
            made=_made(call, known, own),
            sends=tuple(sorted({self._foreign[name] for name in sent})),
        )

    def _remember(self, step: Step, done: Effect) -> None:
        """Who the step's profile is, and whose data the step saves."""
        if step.profile:
            user = str(done.params.get("UserName", done.caller))
            self._users[step.profile.name] = user if step.call == "iam.CreateAccessKey" else ""
            self._accounts[step.profile.name] = self._account_of(step, done)
        self._told_in |= dict.fromkeys((f"<{name}>" for name in step.save), done.own.account)
        if not changes(step.call) and not _is_of_own(done):
            self._foreign |= dict.fromkeys(step.save, step.call)

    def _account_of(self, step: Step, done: Effect) -> str:
        """The account that a step's profile calls in: that of the role, or of who calls."""
        role = str(done.params.get("RoleArn", ""))
        told = self._told_in.get(role) or role.split(":")[4:5]
        assumed = step.call.startswith("sts.AssumeRole") and told
        return "".join(told) if assumed else done.own.account


def _made(call: str, params: Params, own: Own) -> tuple[str, str] | None:
    """The thing that a call makes, if others hang on things of its kind: (kind, name)."""
    creation = creation_of(call, params)
    if creation is None or KINDS[creation.kind].parent or KINDS[creation.kind].put:
        return None
    names = names_made(creation, params, {}, own.account, own.partition)
    name = names.get(KINDS[creation.kind].names[0])
    return (creation.kind, name) if name else None


def _is_of_own(read: Effect) -> bool:
    """Whether a call looks at nothing but what is the run's own."""
    named = [
        (kind, str(read.params[name])) for name, kind in _NAMING.items() if name in read.params
    ]
    own = bool(named) and all(read.own.has(*one) for one in named)
    return read.call == _SAYS_WHO_CALLS or (own and read.call.partition(".")[0] in HOME)
