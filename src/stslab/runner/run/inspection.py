"""Looks whether what a step did is still so, and whether somebody did by hand what it would do."""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from stslab.errors import MalformedPolicy
from stslab.kinds.judge import resources_of
from stslab.kinds.operations import changes
from stslab.kinds.own import Own
from stslab.kinds.table import (
    BY_REMOVAL,
    DOCUMENT,
    EFFECTS,
    KINDS,
    RUN_TAG,
    UNUSABLE,
    Effect,
    search,
)
from stslab.kinds.template import MARK, UNKNOWN
from stslab.lab.embedded import MOVES
from stslab.lab.model import Profile
from stslab.lab.references import evaluate
from stslab.policy import PolicyKind, parse
from stslab.policy.documents.document import differing
from stslab.runner.calls.look import (
    STACK,
    complete,
    inside,
    is_replaced,
    label,
    look,
    parent_is_ours,
)
from stslab.runner.calls.work import Work
from stslab.runner.events import CallShown, Difference
from stslab.runner.journal.records import MADE, Entry, Thing
from stslab.runner.ports import Answer, Call, Credentials, Data, Given, Refusal
from stslab.runner.run.prepare import Prepared, Scope
from stslab.runner.undo.undo import is_there, removed_by

_ENDED = "ExpiredToken"
_MAKES_KEYS = "iam.CreateAccessKey"
_ASSUMES = "sts.AssumeRole"
_GIVES_SESSION = "sts.GetSessionToken"
_OWNERS = {"iam.role": "Role", "iam.user": "User", "iam.group": "Group"}
_MADE_BY = {
    "iam.role": "iam.CreateRole",
    "iam.user": "iam.CreateUser",
    "iam.policy": "iam.CreatePolicy",
}


class Seen(msgspec.Struct, frozen=True):
    """What a look at a step's work showed. ``what`` is what is wrong with it, or nothing.

    ``gone``: it has to be made again. ``fix`` are the calls that put back what was changed.
    ``answer`` is what the step's call would answer, where that can be told.
    """

    what: str = ""
    gone: bool = False
    differences: tuple[Difference, ...] = ()
    fix: tuple[CallShown, ...] = ()
    answer: Data = msgspec.field(default_factory=dict)


_AS_IT_WAS = Seen()


class Inspection:
    """Looks at what steps did, for one run. ``remade`` are the names of what was made again."""

    def __init__(self, work: Work, remade: set[str]) -> None:
        self._work = work
        self._remade = remade

    # What a step of the run's did

    def of(self, prepared: Prepared, entry: Entry, scope: Scope) -> Seen:
        """What is wrong with what came of a step that was done; what can't be told is not."""
        entries = self._work.entries()
        later = [one for one in entries if one.seq > entry.seq and one.state in MADE]
        if prepared.step.token:
            return self._token(later)
        if not changes(prepared.step.call):
            return self._read_again(prepared, scope)
        effect = EFFECTS.get(prepared.step.call)
        thing = entry.thing or _named_by(prepared, effect)
        seen = _AS_IT_WAS
        if effect and thing and complete(thing) and not any(_removes(one, thing) for one in later):
            seen = self._thing(thing, effect, prepared.params, [*_decided(later, thing)])
        elif not effect and self._remade.intersection(map(str, prepared.params.values())):
            return Seen("What it was done to was made again", gone=True)
        profile = prepared.step.profile
        ended = any(one.call == MOVES for one in later)  # it was meant to end, perhaps
        if profile and not (seen.gone or ended or any(_uses(one, thing) for one in later)):
            return self._profile(profile, prepared) or seen
        return seen

    def _read_again(self, prepared: Prepared, scope: Scope) -> Seen:
        """What a step read and saved may be another by now."""
        step = prepared.step
        if not step.save:
            return _AS_IT_WAS
        outcome = self._work.calls.make(prepared.intent.call)
        if not isinstance(outcome, Answer):
            return _AS_IT_WAS
        data = self._work.calls.clean(outcome.data)
        found = {name: evaluate(text, data, scope) for name, text in step.save.items()}
        known = self._work.past.saved()
        other = [name for name, value in found.items() if value not in (None, known.get(name))]
        return Seen(f"{', '.join(other)}: another by now", gone=True) if other else _AS_IT_WAS

    def _token(self, later: list[Entry]) -> Seen:
        """What is wrong with the token, unless the clock was moved since."""
        token = self._work.calls.profiles.token()
        if not token:
            return Seen("The token is gone", gone=True)
        claims = json.loads(urlsafe_b64decode(f"{token.split('.')[1]}==="))
        moved = any(one.call == MOVES for one in later)
        ended = claims["exp"] <= self._work.calls.clock.now().timestamp()
        return Seen("The token has ended", gone=True) if ended and not moved else _AS_IT_WAS

    def _profile(self, profile: Profile, prepared: Prepared) -> Seen | None:
        """What is wrong with credentials that the run wrote; None where nothing is."""
        name = profile.name
        known = {one.name: one for one in self._work.past.profiles()}
        credentials = self._work.calls.profiles.get(name)
        if credentials is None or name not in known:
            return Seen(f"The profile {name} is gone", gone=True)
        if credentials.access_key_id != known[name].access_key_id:
            return Seen(f"The profile {name} has other credentials by now", gone=True)
        wrong = "" if profile.spoil else self._problem(name, credentials, prepared)
        return Seen(f"{wrong} (profile {name})", gone=True) if wrong else None

    def _problem(self, name: str, credentials: Credentials, prepared: Prepared) -> str:
        """Why credentials do not serve; nothing where they do."""
        what = "session" if credentials.session_token else "key"
        if credentials.have_expired(self._work.calls.clock.now()):
            return f"The {what} has ended"
        outcome = self._work.calls.make(Call(name, "sts", "GetCallerIdentity", {}))
        if isinstance(outcome, Refusal) and outcome.code in UNUSABLE:
            ended = outcome.code.startswith(_ENDED)
            return f"The {what} has ended" if ended else f"AWS takes the {what} no more"
        if isinstance(outcome, Answer):
            arn = str(outcome.data.get("Arn"))
            return f"The {what} is {arn}" if _is_caller(prepared, arn) is False else ""
        return ""

    # A thing and its documents

    def _thing(self, thing: Thing, effect: Effect, params: Data, decided: list[str]) -> Seen:
        sight = look(self._work, thing)
        if sight.there is None or (not sight.there and is_there(self._work, thing)):
            return _AS_IT_WAS
        if not sight.there:
            return Seen(f"{_first_big(label(thing))} is gone", gone=True)
        if not KINDS[thing.kind].parent and is_replaced(self._work, thing):
            what = f"{_first_big(label(thing))} is another than the run made"
            return Seen(what, gone=True)
        seen = self._compared(thing, effect, params, self._more(thing, effect, sight.data), decided)
        if seen.what or thing.kind != STACK:
            return seen
        return next((one for one in self._inside(thing, params) if one.what), seen)

    def _more(self, thing: Thing, effect: Effect, data: Data) -> Data:
        """The look-up's answer, and that of the second look-up where there is one."""
        if not effect.more:
            return data
        operation, wanted = effect.more
        known = {"answer": data, "thing": dict(thing.names)}
        params = {name: search(text, known) for name, text in wanted.items()}
        call = Call(thing.admin, KINDS[thing.kind].service, operation, params)
        return {**data, **self._work.calls.make(call).data}

    def _compared(
        self, thing: Thing, effect: Effect, params: Data, data: Data, decided: list[str]
    ) -> Seen:
        found = tuple(differences(effect, params, data, decided))
        if not found:
            return Seen(answer=data)
        what = f"{_first_big(label(thing))} is not as the step makes it"
        fix = self._fix(thing, effect, params) if found[0].what.endswith("Document") else ()
        return Seen(what, differences=found, fix=fix, answer=data)

    def _fix(self, thing: Thing, effect: Effect, params: Data) -> tuple[CallShown, ...]:
        if not effect.put_back:
            return ()
        operation, wanted = effect.put_back
        document = next(params[name] for name in params if name.endswith("PolicyDocument"))
        text = document if isinstance(document, str) else json.dumps(document)
        given = {name: text if value == DOCUMENT else value for name, value in wanted.items()}
        service = KINDS[thing.kind].service
        call = Call(thing.admin, service, operation, {**thing.names, **given})
        return (self._work.calls.shown(call),)

    def _inside(self, stack: Thing, params: Data) -> Iterator[Seen]:
        """What is wrong with the things that a stack made, and with their policies."""
        physical = inside(self._work, stack)
        wanted = self._properties(params, physical, self._work.place_of(stack.admin).account)
        for logical, thing in physical.items():
            effect = EFFECTS.get(_MADE_BY.get(thing.kind, ""), Effect(thing.kind))
            properties = wanted.get(logical, {})
            yield self._thing(thing, effect, properties, [])
            for policy in properties.get("Policies") or ():
                yield self._inline(thing, policy)

    def _inline(self, owner: Thing, policy: Data) -> Seen:
        put = EFFECTS[f"iam.Put{_OWNERS[owner.kind]}Policy"]
        names = {**owner.names, "PolicyName": str(policy.get("PolicyName"))}
        thing = Thing(put.kind, names, admin=owner.admin)
        return self._thing(thing, put, policy, [])

    def _properties(
        self, params: Data, physical: Mapping[str, Thing], account: str
    ) -> dict[str, Data]:
        """The properties of a template's resources, less what a condition makes in two ways."""
        run, ways = self._work.run, dict[str, list[Data]]()
        for one in resources_of(params, Own(run.id, account, run.partition)):
            ways.setdefault(one.logical, []).append(_filled(one.properties, physical))
        return {
            name: every[0]
            for name, every in ways.items()
            if all(each == every[0] for each in every)
        }

    # What was made by hand

    def by_hand(self, prepared: Prepared) -> Seen | None:
        """What somebody did that the step would do, since the run began; None if nothing."""
        removed = removed_by(prepared.step.call, prepared.params, prepared.place.admin)
        if removed:
            return Seen() if look(self._work, removed).there is False else None
        if prepared.step.profile:
            return self._credentials_by_hand(prepared.step.profile.name, prepared)
        effect = EFFECTS.get(prepared.step.call)
        thing = prepared.intent.thing or _named_by(prepared, effect)
        if not (effect and thing and complete(thing)):
            return None
        sight = look(self._work, thing)
        if not sight.there:
            return None
        data = self._more(thing, effect, sight.data)
        if not self._is_of_the_run(thing, search(effect.made, data) if effect.made else None):
            return None
        seen = self._thing(thing, effect, prepared.params, [])
        known = {**data, "thing": dict(thing.names)}
        built = prepared.creation and search(prepared.creation.adopt or "`{}`", known)
        return replace(seen, answer=built if isinstance(built, Mapping) else {})

    def _is_of_the_run(self, thing: Thing, made: object) -> bool:
        """Whether it is the run's, hangs on a thing of the run's, or was made since it began."""
        if KINDS[thing.kind].parent:
            return parent_is_ours(self._work, thing)
        if made is None:  # nothing tells when; nobody else has the run's id in a name
            named = self._work.run.id in str(thing.names)
            return named or any(thing.same(one) for one in self._work.made())
        began = datetime.fromisoformat(self._work.run.started).replace(microsecond=0)
        return bool(made) and datetime.fromisoformat(str(made)) >= began

    def _credentials_by_hand(self, name: str, prepared: Prepared) -> Seen | None:
        credentials = self._work.calls.profiles.get(name)
        if not credentials or credentials.have_expired(self._work.calls.clock.now()):
            return None
        self._work.calls.learn_profiles([name])
        told = self._work.calls.make(Call(name, "sts", "GetCallerIdentity", {})).data
        key = credentials.access_key_id
        given = self._work.calls.hand.look(self._work.run.id).sessions.get(key)
        asker, arn = self._work.calls.profiles.get(prepared.step.identity), str(told.get("Arn"))
        amiss = _amiss(prepared, arn, credentials, given, asker)
        if amiss:
            return Seen(f"The profile {name} is {arn}, but {amiss}") if told else None
        if prepared.step.call == _MAKES_KEYS:
            names = {"UserName": str(prepared.params.get("UserName")), "AccessKeyId": key}
            thing = Thing("iam.access_key", names, admin=prepared.place.admin)
            there = look(self._work, thing).there
            return Seen(answer={"AccessKey": {**names, "Status": "Active"}}) if there else None
        ends = credentials.expiration or (given.expires if given else "")
        session = {"AccessKeyId": key, "Expiration": ends}
        user = {"Arn": told.get("Arn"), "AssumedRoleId": told.get("UserId")}
        return Seen(answer={"Credentials": session, "AssumedRoleUser": user})


def _named_by(prepared: Prepared, effect: Effect | None) -> Thing | None:
    """The thing that a call is about, as its parameters name it."""
    if effect is None:
        return None
    return Thing(effect.kind, effect.names(prepared.params), admin=prepared.place.admin)


def _is_caller(prepared: Prepared, arn: str) -> bool | None:
    """Whether an ARN is that of who gets a step's credentials; None where that can't be told.

    A session has the name that the task names; where it names none, any does.
    """
    kind, _, path = arn.rpartition(":")[2].partition("/")
    params = prepared.params
    if prepared.step.call == _MAKES_KEYS:
        return kind == "user" and path.rpartition("/")[2] == params.get("UserName", "")
    if prepared.step.call == _GIVES_SESSION:
        return kind == "user"
    if not prepared.step.call.startswith(_ASSUMES):
        return None
    role, _, session = path.partition("/")
    named = str(params.get("RoleArn")).rpartition("/")[2]
    name = str(params.get("RoleSessionName", session))
    right = name == session or f"named {name}" not in (prepared.step.task or "")
    return right and (kind, role) == ("assumed-role", named)


def _amiss(
    prepared: Prepared, arn: str, held: Credentials, given: Given | None, asker: Credentials | None
) -> str:
    """In what credentials are not those that the step asks for; empty where they are."""
    params, call = prepared.params, prepared.step.call
    if not _is_caller(prepared, arn) or bool(held.session_token) is (call == _MAKES_KEYS):
        return "it is not what the task says"
    if given is None:  # nobody asked for it by hand
        return ""
    if params.get("DurationSeconds", given.seconds) != given.seconds:
        return f"it lasts {given.seconds // 60} minutes"
    if call == _GIVES_SESSION and given.mfa is not ("SerialNumber" in params):
        return "it knows of a code" if given.mfa else "it knows of no code"
    other = asker and asker.access_key_id != given.by
    return f"{prepared.step.identity} did not ask for it" if other else ""


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


def _filled(properties: Data, physical: Mapping[str, Thing]) -> Data:
    """The properties with the ids of other resources; without those that are not known."""

    def id_of(mark: re.Match[str]) -> str:
        """What ``Ref`` of a resource comes to; an attribute of one is not known."""
        thing = physical.get(mark[1])
        return next(iter(thing.names.values())) if thing and "." not in mark[0] else UNKNOWN

    texts = {
        name: MARK.sub(id_of, json.dumps(value, ensure_ascii=False))
        for name, value in properties.items()
    }
    return {name: json.loads(text) for name, text in texts.items() if UNKNOWN not in text}


def _first_big(text: str) -> str:
    return text[:1].upper() + text[1:]


# -- what a call asks for, and what the account has --------------------------------------------

_HIDDEN = "****"
_POLICIES: Mapping[str, PolicyKind] = {
    "iam.role": PolicyKind.TRUST,
    "s3.bucket_policy": PolicyKind.RESOURCE,
}
# What is wanted and not there, and what is there in its place.
Sides = tuple[tuple[str, ...], tuple[str, ...]]
_KEYS = ("Key", "ParameterKey")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d)\d:\d\dZ")  # and the ten minutes that it is in


def differences(
    effect: Effect, params: Data, data: Data, but: Iterable[str] = ()
) -> Iterator[Difference]:
    """In what the account's answer is not as these parameters make it, ``but`` for these places."""
    for name, place in effect.shows.items():
        if name in params and place not in but:
            wanted, found = _compared(name, effect.kind, params[name], search(place, data))
            if wanted or found:
                yield Difference(name, wanted, found)


def _compared(name: str, kind: str, wanted: object, found: object) -> Sides:
    if name.endswith(("PolicyDocument", "Policy")):
        return _policies(wanted, found, _POLICIES.get(kind, PolicyKind.IDENTITY))
    if isinstance(wanted, list | tuple):
        return _lists(wanted, found if isinstance(found, list) else [])
    same = str(wanted) == str(found)
    return ((), ()) if same else ((str(wanted),), (str(found or "nothing"),))


def _policies(wanted: object, found: object, kind: PolicyKind) -> Sides:
    """A policy of *now*, as one that revokes sessions, was written some minutes ago."""
    now = {at[1]: at[0] for at in _MOMENT.finditer(_text(wanted))}
    there = _MOMENT.sub(lambda at: now.get(at[1], at[0]), _text(found or "nothing"))
    try:
        ours, theirs = differing(parse(_text(wanted), kind), parse(there, kind))
    except MalformedPolicy:
        return ((), ()) if wanted == found else ((_text(wanted),), (there,))
    return tuple(map(_text, ours)), tuple(map(_text, theirs))


def _lists(wanted: Iterable[object], found: list[object]) -> Sides:
    """What is wanted and not there, and what is there in its place; the run's tag is our affair."""
    settled = {RUN_TAG, *(_key(one) for one in found if _HIDDEN in str(one))}
    lacking = [one for one in wanted if one not in found and _key(one) not in settled]
    keys = {_key(one) for one in lacking}
    instead = [one for one in found if _key(one) in keys]
    return tuple(map(_text, lacking)), tuple(map(_text, instead))


def _key(one: object) -> object:
    if not isinstance(one, Mapping):
        return one
    return next((one[key] for key in _KEYS if key in one), None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
