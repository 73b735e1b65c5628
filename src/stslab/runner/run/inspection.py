"""Inspect a step's work: whether it is unchanged, and whether it was done by hand."""

import json
import re
from base64 import urlsafe_b64decode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import zip_longest

import msgspec
from msgspec.structs import replace

from stslab.durations import spoken
from stslab.errors import MalformedPolicy
from stslab.kinds import table
from stslab.kinds.harmless import resources_of
from stslab.kinds.operations import changes
from stslab.kinds.own import Own
from stslab.kinds.table import EFFECTS, KINDS, RUN_TAG, Effect, search
from stslab.kinds.template import MARK, UNKNOWN
from stslab.lab.embedded import MOVES
from stslab.lab.model import Profile
from stslab.lab.references import evaluate
from stslab.policy import PolicyKind, parse
from stslab.policy.documents.document import differing
from stslab.runner.calls.look import STACK, inside, is_replaced, look, look_for, parent_is_ours
from stslab.runner.calls.work import Work
from stslab.runner.events import Difference
from stslab.runner.journal.records import MADE, Entry, Thing
from stslab.runner.ports import Answer, Call, Credentials, Data, Given, Refusal
from stslab.runner.run.prepare import Prepared, adopted
from stslab.runner.undo.undo import removed_by
from stslab.structures import mapped, text_or_json

_MAKES_KEYS = "iam.CreateAccessKey"
_GIVES_SESSION = "sts.GetSessionToken"


class Seen(msgspec.Struct, frozen=True):
    what: str = ""  # what is wrong, or empty
    gone: bool = False  # it must be made again
    differences: tuple[Difference, ...] = ()
    fix: tuple[Call, ...] = ()  # the calls that revert a change
    answer: Data = {}  # what the step's call would answer, if known


_AS_IT_WAS = Seen()


def _gone(what: str) -> Seen:
    """What was seen of a step that must be done again; ``what`` is empty if all is as it was."""
    return Seen(what, gone=bool(what))


class Inspection:
    """Inspects one run's steps. ``remade`` are the names of things that were made again."""

    def __init__(self, work: Work, remade: set[str]) -> None:
        self._work, self._remade = work, remade

    def of(self, prepared: Prepared, entry: Entry, scope: Data) -> Seen:
        """What is wrong with the work of a step, as far as that can be seen."""
        entries = self._work.past.entries()
        later = [each for each in entries if each.seq > entry.seq and each.state in MADE]
        if prepared.step.token:
            return _gone(self._token(later))
        if not changes(prepared.step.call):
            return _gone(self._read_again(prepared, scope))
        effect = EFFECTS.get(prepared.step.call)
        thing = entry.thing or _named_by(prepared, effect)
        seen = _AS_IT_WAS
        removed = thing and any(_removes(each, thing) for each in later)
        if effect and thing and thing.complete and not removed:
            seen = self._thing(thing, effect, prepared.params, [*_decided(later, thing)])
        elif not effect and self._remade.intersection(map(str, prepared.params.values())):
            return _gone("The thing that it changed was made again")
        profile = prepared.step.profile
        ended = any(each.call == MOVES for each in later)  # the session may have been meant to end
        if profile and not (seen.gone or ended or any(_uses(each, thing) for each in later)):
            wrong = self._profile(profile, prepared)
            return _gone(wrong) if wrong else seen
        return seen

    def _read_again(self, prepared: Prepared, scope: Data) -> str:
        """How the values that a step read and saved have changed, or ""."""
        save = prepared.step.save
        outcome = self._work.calls.make(prepared.call) if save else None
        if not isinstance(outcome, Answer):
            return ""
        data, known = self._work.calls.clean(outcome.data), self._work.past.saved()
        values = {name: evaluate(text, data, scope) for name, text in save.items()}
        other = [name for name, value in values.items() if value not in (None, known.get(name))]
        return f"What it read has changed ({', '.join(other)})" if other else ""

    def _token(self, later: list[Entry]) -> str:
        """What is wrong with the token, or "". It may have expired if the clock was moved since."""
        token = self._work.calls.profiles.token()
        if not token:
            return "The token is gone"
        claims = json.loads(urlsafe_b64decode(f"{token.split('.')[1]}==="))
        moved = any(each.call == MOVES for each in later)
        ended = claims["exp"] <= self._work.calls.clock.now().timestamp()
        return "The token has expired" if ended and not moved else ""

    def _profile(self, profile: Profile, prepared: Prepared) -> str:
        """What is wrong with credentials that the run wrote, or ""."""
        name = profile.name
        known = {saved.name: saved for saved in self._work.past.profiles()}
        credentials = self._work.calls.profiles.get(name)
        if credentials is None or name not in known:
            return f"The profile {name} is gone"
        if credentials.access_key_id != known[name].access_key_id:
            return f"The profile {name} has other credentials now"
        wrong = "" if profile.spoil else self._problem(name, credentials, prepared)
        return wrong and f"{wrong} (profile {name})"

    def _problem(self, name: str, credentials: Credentials, prepared: Prepared) -> str:
        """Why credentials don't work, or ""."""
        what = "session" if credentials.session_token else "key"
        if credentials.have_expired(self._work.calls.clock.now()):
            return f"The {what} has expired"
        outcome = self._work.calls.make(Call(name, "sts", "GetCallerIdentity", {}))
        if isinstance(outcome, Refusal) and outcome.code in table.UNUSABLE:
            ended = outcome.code.startswith("ExpiredToken")
            return f"The {what} has expired" if ended else f"AWS no longer accepts the {what}"
        if isinstance(outcome, Answer):
            arn = str(outcome.data.get("Arn"))
            return f"The {what} is {arn}" if _is_caller(prepared, arn) is False else ""
        return ""

    def _thing(
        self, thing: Thing, effect: Effect, params: Data, decided: list[str], *, anew: bool = False
    ) -> Seen:
        """What is wrong with the thing. ``anew``: it may be another one under the same name."""
        sight = look(self._work, thing)
        if sight.there is None or (not sight.there and look_for(self._work, thing).there):
            return _AS_IT_WAS
        name = f"{thing.label[:1].upper()}{thing.label[1:]}"
        if not sight.there:
            return _gone(f"{name} is gone")
        if not (anew or KINDS[thing.kind].parent) and is_replaced(self._work, thing):
            return _gone(f"{name} is not the one that the run made")
        data = self._more(thing, effect, sight.data)
        differing = tuple(differences(effect, params, data, decided))
        if differing:
            fix: tuple[Call, ...] = ()
            if effect.put_back and differing[0].what.endswith("Document"):
                fix = (self._fix(thing, *effect.put_back, params),)
            return Seen(f"{name} differs from the lab's", False, differing, fix)
        inside = self._inside(thing, params, anew=anew) if thing.kind == STACK else ()
        return next((each for each in inside if each.what), _AS_IT_WAS)

    def _more(self, thing: Thing, effect: Effect, data: Data) -> Data:
        """The lookup's answer, with that of the second lookup if there is one."""
        if not effect.more:
            return data
        operation, wanted = effect.more
        known = {"answer": data, "thing": dict(thing.names)}
        params = {name: search(text, known) for name, text in wanted.items()}
        call = Call(thing.admin, KINDS[thing.kind].service, operation, params)
        return {**data, **self._work.calls.make(call).data}

    def _fix(self, thing: Thing, operation: str, wanted: Data, params: Data) -> Call:
        """The call that puts the step's document back."""
        document = next(params[name] for name in params if name.endswith("PolicyDocument"))
        text = document if isinstance(document, str) else json.dumps(document)
        given = {name: text if value == table.DOCUMENT else value for name, value in wanted.items()}
        names, service = {**thing.names, **given}, KINDS[thing.kind].service
        return self._work.calls.shown(Call(thing.admin, service, operation, names))

    def _inside(self, stack: Thing, params: Data, *, anew: bool) -> Iterator[Seen]:
        """What is wrong with a stack's things and their policies."""
        physical = inside(self._work, stack)
        wanted = self._properties(params, physical, self._work.place_of(stack.admin).account)
        for logical, thing in physical.items():
            owner = thing.kind.partition(".")[2].capitalize()
            creation = EFFECTS.get(f"iam.Create{owner}", Effect(thing.kind))
            properties = wanted.get(logical, {})
            yield self._thing(thing, creation, properties, [], anew=anew)
            for policy in properties.get("Policies") or ():
                put = EFFECTS[f"iam.Put{owner}Policy"]
                names = {**thing.names, "PolicyName": str(policy.get("PolicyName"))}
                yield self._thing(Thing(put.kind, names, admin=thing.admin), put, policy, [])

    def _properties(
        self, params: Data, physical: Mapping[str, Thing], account: str
    ) -> dict[str, Data]:
        """The properties of a template's resources, except those that depend on a condition."""
        run, ways = self._work.run, defaultdict[str, list[Data]](list)
        for resource in resources_of(params, Own(run.id, account, run.partition)):
            ways[resource.logical].append(_filled(resource.properties, physical))
        same = (name for name, every in ways.items() if every.count(every[0]) == len(every))
        return {name: ways[name][0] for name in same}

    def by_hand(self, prepared: Prepared) -> Seen | None:
        """The step's work done by hand since the run began, or None."""
        removed = removed_by(prepared.step.call, prepared.params, prepared.place.admin)
        if removed:
            return Seen() if look(self._work, removed).there is False else None
        if prepared.step.profile:
            return self._credentials_by_hand(prepared.step.profile.name, prepared)
        effect = EFFECTS.get(prepared.step.call)
        thing = prepared.intent.thing or _named_by(prepared, effect)
        if not (effect and thing and thing.complete):
            return None
        sight = look(self._work, thing)
        if not sight.there:
            return None
        data = self._more(thing, effect, sight.data)
        if not self._is_of_the_run(thing, search(effect.made, data)):
            return None
        seen = self._thing(thing, effect, prepared.params, [], anew=True)
        return replace(seen, answer=adopted(prepared, {**data, "thing": dict(thing.names)}) or {})

    def _is_of_the_run(self, thing: Thing, made: object) -> bool:
        """Whether its parent is the run's own, or it was created (``made``) since the run began."""
        if KINDS[thing.kind].parent:
            return parent_is_ours(self._work, thing)
        if made is None:  # the time is unknown; nobody else has the run's id in a name
            return self._work.run.id in str(thing.names) or thing.is_among(self._work.made())
        began = datetime.fromisoformat(self._work.run.started).replace(microsecond=0)
        return bool(made) and datetime.fromisoformat(str(made)) >= began

    def _credentials_by_hand(self, name: str, prepared: Prepared) -> Seen | None:
        credentials = self._work.calls.profiles.get(name)
        if not credentials or credentials.have_expired(self._work.calls.clock.now()):
            return None
        self._work.calls.learn_profiles([name])
        caller = self._work.calls.make(Call(name, "sts", "GetCallerIdentity", {})).data
        key, arn = credentials.access_key_id, str(caller.get("Arn"))
        given = self._work.calls.hand.look(self._work.run.id).sessions.get(key)
        own = self._work.calls.profiles.get(prepared.step.identity)
        wrong = _wrong(prepared, arn, credentials, given, own)
        if wrong:
            return Seen(f"The profile {name} is {arn}, but {wrong}") if caller else None
        if prepared.step.call == _MAKES_KEYS:
            names = {"UserName": str(prepared.params.get("UserName")), "AccessKeyId": key}
            thing = Thing("iam.access_key", names, admin=prepared.place.admin)
            exists = look(self._work, thing).there
            return Seen(answer={"AccessKey": {**names, "Status": "Active"}}) if exists else None
        ends = credentials.expiration or (given.expires if given else "")
        session = {"AccessKeyId": key, "Expiration": ends}
        user = {"Arn": caller.get("Arn"), "AssumedRoleId": caller.get("UserId")}
        return Seen(answer={"Credentials": session, "AssumedRoleUser": user})


def _named_by(prepared: Prepared, effect: Effect | None) -> Thing | None:
    if effect is None:
        return None
    return Thing(effect.kind, effect.names(prepared.params), admin=prepared.place.admin)


def _is_caller(prepared: Prepared, arn: str) -> bool | None:
    """Whether the step gives credentials for this ARN; None if unknown.

    A session must have the name that the task mentions; if it mentions none, any name will do.
    """
    kind, _, path = arn.rpartition(":")[2].partition("/")
    params = prepared.params
    if prepared.step.call == _MAKES_KEYS:
        return kind == "user" and path.rpartition("/")[2] == params.get("UserName", "")
    if prepared.step.call == _GIVES_SESSION:
        return kind == "user"
    if not prepared.step.call.startswith("sts.AssumeRole"):
        return None
    role, _, session = path.partition("/")
    named = str(params.get("RoleArn")).rpartition("/")[2]
    name = str(params.get("RoleSessionName", session))
    right = name == session or f"named {name}" not in (prepared.step.task or "")
    return right and (kind, role) == ("assumed-role", named)


def _wrong(
    prepared: Prepared, arn: str, held: Credentials, given: Given | None, own: Credentials | None
) -> str:
    """How credentials differ from the step's, or "". ``own`` are those of the step's identity."""
    params, call = prepared.params, prepared.step.call
    if not _is_caller(prepared, arn) or bool(held.session_token) is (call == _MAKES_KEYS):
        return f"the task is: {(prepared.step.task or prepared.step.title).rstrip('.')}"
    if given is None:  # it was not requested by hand
        return ""
    if params.get("DurationSeconds", given.seconds) != given.seconds:
        return f"it lasts {spoken(given.seconds)}"
    if call == _GIVES_SESSION and given.mfa is not ("SerialNumber" in params):
        return "it has an MFA code" if given.mfa else "it has no MFA code"
    if not _limited_so(params, given):
        return "it has another session policy" if given.policies else "it has no session policy"
    other = own and own.access_key_id != given.by
    return f"{prepared.step.identity} did not request it" if other else ""


def _limited_so(params: Data, given: Given) -> bool:
    """Whether a session has the step's own session policies, in whatever form."""
    own = [params["Policy"]] if "Policy" in params else []
    arns = [policy["arn"] for policy in params.get("PolicyArns", ())]
    pairs = zip_longest(sorted(map(text_or_json, [*own, *arns])), sorted(given.policies))
    return not any(any(_policies(*pair, PolicyKind.SESSION)) for pair in pairs)


def _removes(later: Entry, thing: Thing) -> bool:
    """Whether a later call removed the thing, or its parent."""
    kind = table.BY_REMOVAL.get(later.call)
    return kind is not None and _names(later, kind.names, thing)


def _uses(later: Entry, thing: Thing | None) -> bool:
    """Whether a later call changed the thing in a way that no lookup compares."""
    if thing is None or later.call in EFFECTS or not changes(later.call):
        return False
    return _names(later, tuple(thing.names), thing)


def _names(later: Entry, names: tuple[str, ...], thing: Thing) -> bool:
    named = {name: later.intent.params.get(name) for name in names}
    return bool(named) and named.items() <= thing.names.items()


def _decided(later: list[Entry], thing: Thing) -> Iterator[str]:
    """The paths in the lookup's answer that later calls of the run have changed."""
    for entry in later:
        effect, params = EFFECTS.get(entry.call), entry.intent.params
        if effect and effect.kind == thing.kind and effect.names(params) == thing.names:
            yield from effect.shows.values()


def _filled(properties: Data, physical: Mapping[str, Thing]) -> Data:
    """The properties, with the ids of other resources filled in; without unknown ones."""

    def id_of(mark: re.Match[str]) -> str:
        # The value of a resource's Ref. Its attributes are unknown.
        thing = physical.get(mark[1])
        return next(iter(thing.names.values())) if thing and "." not in mark[0] else UNKNOWN

    filled = mapped(properties, lambda text: MARK.sub(id_of, text))
    return {name: value for name, value in filled.items() if UNKNOWN not in text_or_json(value)}


# -- differences between a call's parameters and the account ---------------------------------------

_POLICIES = {"iam.role": PolicyKind.TRUST, "s3.bucket_policy": PolicyKind.RESOURCE}
# The wanted texts that are missing, and the texts found in their place.
Sides = tuple[tuple[str, ...], tuple[str, ...]]
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d)\d:\d\dZ")  # group 1: to ten minutes


def differences(
    effect: Effect, params: Data, data: Data, but: Iterable[str] = ()
) -> Iterator[Difference]:
    """How the lookup's answer differs from the parameters, ``but`` for these paths."""
    for name, place in effect.shows.items():
        if name not in params or place in but:
            continue
        wanted, found = params[name], search(place, data)
        sides: Sides = ((), ())
        if name.endswith(("PolicyDocument", "Policy")):
            sides = _policies(wanted, found, _POLICIES.get(effect.kind, PolicyKind.IDENTITY))
        elif isinstance(wanted, list | tuple):
            sides = _lists(wanted, found if isinstance(found, list) else [])
        elif str(wanted) != str(found):
            sides = (str(wanted),), (str(found or "nothing"),)
        if any(sides):
            yield Difference(name, *sides)


def _policies(wanted: object, found: object, kind: PolicyKind) -> Sides:
    """Compare policies. Times within the same ten minutes are equal (``${{ now }}``)."""
    now = {at[1]: at[0] for at in _MOMENT.finditer(text_or_json(wanted))}
    there = _MOMENT.sub(lambda at: now.get(at[1], at[0]), text_or_json(found or "nothing"))
    try:
        ours, theirs = differing(parse(text_or_json(wanted), kind), parse(there, kind))
    except MalformedPolicy:
        return ((), ()) if wanted == found else ((text_or_json(wanted),), (there,))
    return tuple(map(text_or_json, ours)), tuple(map(text_or_json, theirs))


def _lists(wanted: Iterable[object], found: list[object]) -> Sides:
    """Compare lists of tags, parameters or texts. The run's own tag may be missing."""
    settled = {_key(item) for item in found if "****" in str(item)}
    if all(_key(item) != RUN_TAG for item in found):  # the journal knows what was made by hand
        settled.add(RUN_TAG)
    lacking = [item for item in wanted if item not in found and _key(item) not in settled]
    keys = {_key(item) for item in lacking}
    instead = [item for item in found if _key(item) in keys]
    return tuple(map(text_or_json, lacking)), tuple(map(text_or_json, instead))


def _key(item: object) -> object:
    if not isinstance(item, Mapping):
        return item
    return next((item[key] for key in ("Key", "ParameterKey") if key in item), None)
