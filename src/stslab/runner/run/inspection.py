"""Looks whether what a step did is still so, and whether somebody did by hand what it would do."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from stslab.kinds.effects import DOCUMENT, EFFECTS, Effect
from stslab.kinds.judge import resources_of
from stslab.kinds.kind import UNUSABLE, search
from stslab.kinds.operations import changes
from stslab.kinds.own import Own
from stslab.kinds.table import BY_REMOVAL, KINDS
from stslab.kinds.template import MARK, UNKNOWN
from stslab.lab.model import Profile
from stslab.lab.references import evaluate
from stslab.runner.calls.calls import ADMIN
from stslab.runner.calls.look import Lookout, complete, label
from stslab.runner.calls.work import Work
from stslab.runner.events import CallShown, Difference
from stslab.runner.journal.records import MADE, Entry, Thing
from stslab.runner.ports import Answer, Credentials, Refusal
from stslab.runner.run.credentials import has_expired
from stslab.runner.run.differences import differences
from stslab.runner.run.prepare import Prepared, Scope
from stslab.runner.undo.stacks import Stacks
from stslab.runner.undo.takeback import TakeBack

_ENDED = "ExpiredToken"
_MAKES_KEYS = "iam.CreateAccessKey"
_ASSUMES = "sts.AssumeRole"
_STACK = "cloudformation.stack"
_OWNERS = {"iam.role": "Role", "iam.user": "User", "iam.group": "Group"}
_MADE_BY = {
    "iam.role": "iam.CreateRole",
    "iam.user": "iam.CreateUser",
    "iam.policy": "iam.CreatePolicy",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a step's work showed. ``what`` is what is wrong with it, or nothing.

    ``gone``: it has to be made again. ``fix`` are the calls that put back what was changed.
    ``answer`` is what the step's call would answer, where that can be told.
    """

    what: str = ""
    gone: bool = False
    differences: tuple[Difference, ...] = ()
    fix: tuple[CallShown, ...] = ()
    answer: Mapping[str, Any] = field(default_factory=dict)


_AS_IT_WAS = Seen()


class Inspection:
    """Looks at what steps did, for one run. ``remade`` are the names of what was made again."""

    def __init__(self, work: Work, remade: set[str]) -> None:
        self._work = work
        self._remade = remade
        self._lookout = Lookout(work)
        self._takeback = TakeBack(work)

    # What a step of the run's did

    def of(self, prepared: Prepared, entry: Entry, scope: Scope) -> Seen:
        """What is wrong with what came of a step that was done; what can't be told is not."""
        if not changes(prepared.call):
            return self._read_again(prepared, scope)
        later = [
            one for one in self._work.journal.entries(entry.run)
            if one.seq > entry.seq and one.state in MADE
        ]  # fmt: skip
        effect = EFFECTS.get(prepared.call)
        thing = entry.thing or _named_by(prepared, effect)
        seen = _AS_IT_WAS
        if effect and thing and complete(thing) and not any(_removes(one, thing) for one in later):
            seen = self._thing(thing, effect, prepared.params, [*_decided(later, thing)])
        elif not effect and self._remade.intersection(map(str, prepared.params.values())):
            return Seen("What it was done to was made again", gone=True)
        profile = prepared.step.profile
        if profile and not seen.gone and not any(_uses(one, thing) for one in later):
            return self._profile(profile, prepared) or seen
        return seen

    def _read_again(self, prepared: Prepared, scope: Scope) -> Seen:
        """What a step read and saved may be another by now."""
        step = prepared.step
        if not step.save:
            return _AS_IT_WAS
        outcome = self._work.calls.make(
            step.identity, step.service, step.operation, prepared.params
        )
        if not isinstance(outcome, Answer):
            return _AS_IT_WAS
        data = self._work.calls.clean(outcome.data)
        found = {name: evaluate(text, data, scope) for name, text in step.save.items()}
        known = self._work.journal.saved(self._work.run.id)
        other = [name for name, value in found.items() if value not in (None, known.get(name))]
        return Seen(f"{', '.join(other)}: another by now", gone=True) if other else _AS_IT_WAS

    def _profile(self, profile: Profile, prepared: Prepared) -> Seen | None:
        """What is wrong with credentials that the run wrote; None where nothing is."""
        name = profile.name
        known = {one.name: one for one in self._work.journal.profiles(self._work.run.id)}
        credentials = self._work.profiles.get(name)
        if credentials is None or name not in known:
            return Seen(f"The profile {name} is gone", gone=True)
        if credentials.access_key_id != known[name].access_key_id:
            return Seen(f"The profile {name} has other credentials by now", gone=True)
        wrong = self._problem(name, credentials, prepared)
        return Seen(f"{wrong} (profile {name})", gone=True) if wrong else None

    def _problem(self, name: str, credentials: Credentials, prepared: Prepared) -> str:
        """Why credentials do not serve; nothing where they do."""
        what = "session" if credentials.session_token else "key"
        if has_expired(credentials.expiration, self._work.clock.now()):
            return f"The {what} has ended"
        outcome = self._work.calls.make(name, "sts", "GetCallerIdentity", {})
        if isinstance(outcome, Refusal) and outcome.code in UNUSABLE:
            ended = outcome.code.startswith(_ENDED)
            return f"The {what} has ended" if ended else f"AWS takes the {what} no more"
        if isinstance(outcome, Answer):
            arn = str(outcome.data.get("Arn"))
            return f"The {what} is {arn}" if _is_caller(prepared, arn) is False else ""
        return ""

    # A thing and its documents

    def _thing(
        self, thing: Thing, effect: Effect, params: Mapping[str, Any], decided: list[str]
    ) -> Seen:
        sight = self._lookout.look(thing)
        if sight.there is None or (not sight.there and self._takeback.is_there(thing)):
            return _AS_IT_WAS
        if not sight.there:
            return Seen(f"{_first_big(label(thing))} is gone", gone=True)
        if not KINDS[thing.kind].parent and self._lookout.is_replaced(thing):
            what = f"{_first_big(label(thing))} is another than the run made"
            return Seen(what, gone=True)
        seen = self._compared(thing, effect, params, self._more(thing, effect, sight.data), decided)
        if seen.what or thing.kind != _STACK:
            return seen
        return next((one for one in self._inside(thing, params) if one.what), seen)

    def _more(self, thing: Thing, effect: Effect, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The look-up's answer, and that of the second look-up where there is one."""
        if not effect.more:
            return data
        operation, wanted = effect.more
        known = {"answer": data, "thing": dict(thing.names)}
        params = {name: search(text, known) for name, text in wanted.items()}
        outcome = self._work.calls.read(KINDS[thing.kind].service, operation, params)
        return {**data, **(outcome.data if isinstance(outcome, Answer) else {})}

    def _compared(
        self,
        thing: Thing,
        effect: Effect,
        params: Mapping[str, Any],
        data: Mapping[str, Any],
        decided: list[str],
    ) -> Seen:
        found = tuple(differences(effect, params, data, decided))
        if not found:
            return Seen(answer=data)
        what = f"{_first_big(label(thing))} is not as the step makes it"
        fix = self._fix(thing, effect, params) if found[0].what.endswith("Document") else ()
        return Seen(what, differences=found, fix=fix, answer=data)

    def _fix(
        self, thing: Thing, effect: Effect, params: Mapping[str, Any]
    ) -> tuple[CallShown, ...]:
        if not effect.put_back:
            return ()
        operation, wanted = effect.put_back
        document = next(params[name] for name in params if name.endswith("PolicyDocument"))
        text = document if isinstance(document, str) else json.dumps(document)
        given = {name: text if value == DOCUMENT else value for name, value in wanted.items()}
        service = KINDS[thing.kind].service
        return (self._work.calls.shown(ADMIN, service, operation, {**thing.names, **given}),)

    def _inside(self, stack: Thing, params: Mapping[str, Any]) -> Iterator[Seen]:
        """What is wrong with the things that a stack made, and with their policies."""
        physical = Stacks(self._work).inside(stack)
        wanted = self._properties(params, physical)
        for logical, thing in physical.items():
            effect = EFFECTS.get(_MADE_BY.get(thing.kind, ""), Effect(thing.kind))
            properties = wanted.get(logical, {})
            yield self._thing(thing, effect, properties, [])
            for policy in properties.get("Policies") or ():
                yield self._inline(thing, policy)

    def _inline(self, owner: Thing, policy: Mapping[str, Any]) -> Seen:
        put = EFFECTS[f"iam.Put{_OWNERS[owner.kind]}Policy"]
        thing = Thing(put.kind, {**owner.names, "PolicyName": str(policy.get("PolicyName"))})
        return self._thing(thing, put, policy, [])

    def _properties(
        self, params: Mapping[str, Any], physical: Mapping[str, Thing]
    ) -> dict[str, Mapping[str, Any]]:
        """The properties of a template's resources, as far as they can be told beforehand.

        A resource that a condition makes in one way or another is left out.
        """
        run, ways = self._work.run, dict[str, list[Mapping[str, Any]]]()
        for one in resources_of(params, Own(run.id, run.account, run.partition)):
            ways.setdefault(one.logical, []).append(_filled(one.properties, physical))
        return {
            name: every[0]
            for name, every in ways.items()
            if all(each == every[0] for each in every)
        }

    # What was made by hand

    def by_hand(self, prepared: Prepared) -> Seen | None:
        """What somebody made that the step would make, since the run began; None if nothing."""
        if prepared.step.profile:
            return self._credentials_by_hand(prepared.step.profile.name, prepared)
        effect = EFFECTS.get(prepared.call)
        thing = prepared.intent.thing or _named_by(prepared, effect)
        if not (effect and thing and complete(thing)):
            return None
        sight = self._lookout.look(thing)
        if not sight.there:
            return None
        data = self._more(thing, effect, sight.data)
        if not self._is_of_the_run(thing, search(effect.made, data) if effect.made else None):
            return None
        seen = self._thing(thing, effect, prepared.params, [])
        built = prepared.creation and search(prepared.creation.adopt or "`{}`", data)
        return replace(seen, answer=built if isinstance(built, Mapping) else {})

    def _is_of_the_run(self, thing: Thing, made: Any) -> bool:
        """Whether it hangs on a thing of the run's, or was made since the run began."""
        if KINDS[thing.kind].parent:
            return self._lookout.parent_is_ours(thing)
        began = datetime.fromisoformat(self._work.run.started).replace(microsecond=0)
        return isinstance(made, datetime) and made >= began

    def _credentials_by_hand(self, name: str, prepared: Prepared) -> Seen | None:
        credentials = self._work.profiles.get(name)
        if not credentials or has_expired(credentials.expiration, self._work.clock.now()):
            return None
        self._work.calls.learn_profiles([name])
        outcome = self._work.calls.make(name, "sts", "GetCallerIdentity", {})
        told = outcome.data if isinstance(outcome, Answer) else {}
        if not _is_caller(prepared, str(told.get("Arn"))):
            return None
        key = credentials.access_key_id
        if prepared.call == _MAKES_KEYS:
            names = {"UserName": str(prepared.params.get("UserName")), "AccessKeyId": key}
            there = self._lookout.look(Thing("iam.access_key", names)).there
            return Seen(answer={"AccessKey": {**names, "Status": "Active"}}) if there else None
        session = {"AccessKeyId": key, "Expiration": credentials.expiration}
        user = {"Arn": told.get("Arn"), "AssumedRoleId": told.get("UserId")}
        return Seen(answer={"Credentials": session, "AssumedRoleUser": user})


def _named_by(prepared: Prepared, effect: Effect | None) -> Thing | None:
    """The thing that a call is about, as its parameters name it."""
    return Thing(effect.kind, effect.names(prepared.params)) if effect else None


def _is_caller(prepared: Prepared, arn: str) -> bool | None:
    """Whether an ARN is that of who gets a step's credentials; None where that can't be told."""
    kind, _, path = arn.rpartition(":")[2].partition("/")
    params = prepared.params
    if prepared.call == _MAKES_KEYS:
        return kind == "user" and path.rpartition("/")[2] == params.get("UserName", "")
    if not prepared.call.startswith(_ASSUMES):
        return None
    role, _, session = path.partition("/")
    named = str(params.get("RoleArn")).rpartition("/")[2]
    return (kind, role, session) == ("assumed-role", named, params.get("RoleSessionName", session))


def _removes(later: Entry, thing: Thing) -> bool:
    """Whether a later call removed the thing, or what it hangs on."""
    kind = BY_REMOVAL.get(later.call)
    return kind is not None and _names(later, kind.names, thing)


def _uses(later: Entry, thing: Thing | None) -> bool:
    """Whether a later call did something to this very thing that no look-up compares."""
    known = thing is not None and later.call not in EFFECTS and changes(later.call)
    return bool(known and thing and _names(later, tuple(thing.names), thing))


def _names(later: Entry, names: tuple[str, ...], thing: Thing) -> bool:
    named = {name: later.intent.params.get(name) for name in names}
    return bool(named) and named.items() <= thing.names.items()


def _decided(later: list[Entry], thing: Thing) -> Iterator[str]:
    """Where a look-up shows what later calls of the run decided."""
    for one in later:
        effect = EFFECTS.get(one.call)
        if effect and effect.kind == thing.kind and effect.names(one.intent.params) == thing.names:
            yield from effect.shows.values()


def _filled(properties: Mapping[str, Any], physical: Mapping[str, Thing]) -> Mapping[str, Any]:
    """The properties with the ids of other resources; without those that are not known."""
    known = {}
    for name, value in properties.items():
        text = MARK.sub(lambda found: _id(physical, found), json.dumps(value, ensure_ascii=False))
        if UNKNOWN not in text:
            known[name] = json.loads(text)
    return known


def _id(physical: Mapping[str, Thing], mark: re.Match[str]) -> str:
    """What ``Ref`` of a resource comes to; an attribute of one is not known."""
    thing = physical.get(mark[1])
    return next(iter(thing.names.values())) if thing and "." not in mark[0] else UNKNOWN


def _first_big(text: str) -> str:
    return text[:1].upper() + text[1:]
