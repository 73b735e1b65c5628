"""One request of the log, explained for people and programs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from stslab.errors import PolicyError
from stslab.policy import Outcome
from stslab.policy.decision import Layer
from stslab.sandbox.pipeline.log_file import UNAUTHENTICATED, UNVERIFIED, Decided, Event, is_refused
from stslab.sandbox.why.options import ALLOWS_MORE, Option, Reason, options, texts
from stslab.sandbox.why.situation import Situation

Explanation = dict[str, Any]
"""An explanation, or a part of one, as JSON holds it."""
_BESIDE_POLICIES = (
    "No policy refused it: a rule of the service's own did, which what AWS said names.",
    "The policies allow it. What refused is a rule of the service's own; what AWS said names it.",
)
_NO_ROLE = (
    "There is no role of this ARN. AWS answers that as it answers a role that does not trust "
    "the caller, so that nobody learns which roles there are."
)


class Beside(msgspec.Struct, frozen=True):
    """What can be asked beside the request itself.

    ``key``: what the sandbox knows now of an access key, or None if it can't be asked.
    ``events``: the log, the last one first. ``may``: the names of the profiles that would be
    allowed the same.
    """

    key: Callable[[str], Mapping[str, Any] | None] = lambda _: None
    events: Callable[[], Iterable[Event]] = tuple
    may: Callable[[], Sequence[str]] = tuple


def explain(event: Event, beside: Beside) -> Explanation:
    """The explanation of a logged request, as JSON holds it.

    ``request``: who asked for what, when, and what was answered. ``decision``: the one that
    refused, else the last one, as logged; None where nothing was decided. ``why``: a sentence.
    ``callers``: the profiles that would be allowed the same. ``changes``: for each layer that
    refused, ``{"layer", "options": [{"what", "statement", "command"}]}``. ``complete``: whether
    with the first option of each the request is allowed, found out by deciding it again; None
    where that can't be said.
    """
    decision = telling_decision(event)
    code = event.get("errorCode", "")
    if code in UNAUTHENTICATED and decision is None:
        key = event["userIdentity"].get("accessKeyId", "")
        facts, gone_by = beside.key(key), ""
        if facts and not (facts["known"] and facts["active"]):
            role = facts.get("role", "")
            gone_by = _role_gone(beside.events(), role) or _key_gone(beside.events(), key)
        found = _unbelieved(code, event.get("errorMessage", ""), facts, gone_by)
        return _explanation(event, None, found.why, _advice("authentication", found.fixes))
    if code in UNVERIFIED and decision is None:
        said = _unverified(event.get("errorMessage", ""))
        return _explanation(event, None, said.why, _advice("identity provider", said.fixes))
    if decision is None or decision["decision"] == "Allowed":
        return _explanation(event, decision, _beside(event, decision), [])
    trusts = [one["policies"] for one in decision["layers"] if one["layer"] == "role trust policy"]
    if decision["action"].lower().startswith("sts:assumerole") and not any(trusts):
        fix = "Compare the ARN: aws iam list-roles shows those that there are."
        name = str(decision["resource"]).rpartition("/")[2]
        why = f"{_NO_ROLE} {_role_gone(beside.events(), name)}".rstrip()
        return _explanation(event, decision, why, _advice("role", (fix,)))
    return {**_denial(event, decision), "callers": list(beside.may())}


def telling_decision(event: Event) -> Decided | None:
    """The decision that refused; without one the last that was made; None where there is none."""
    decisions = event["decisions"]
    refused = [one for one in decisions if one["decision"] != "Allowed"]
    chosen = refused[:1] or decisions[-1:]
    return chosen[0] if chosen else None


def _beside(event: Event, decision: Decided | None) -> str:
    if is_refused(event):
        return _BESIDE_POLICIES[decision is not None]
    if decision is not None:
        return f"It was allowed: {decision['reason']}."
    return "Nothing had to be decided." if not event.get("errorCode") else "It never came so far."


def _denial(event: Event, decision: Decided) -> Explanation:
    situation = Situation.of(decision)
    if situation is None:
        return _explanation(event, decision, _sentence(decision), [])
    advice, complete = _plan(situation)
    changes = [
        {
            "layer": layer,
            "options": [
                {"what": one.what, "statement": one.statement, "command": one.command}
                for one in found
            ],
        }
        for layer, found in advice
    ]
    return {**_explanation(event, decision, _sentence(decision), changes), "complete": complete}


def _sentence(decision: Decided) -> str:
    """The reason in AWS's words, and how many sides refuse if that is more than one."""
    blocking = [one["layer"] for one in decision["layers"] if one["blocks"]]
    reason = decision["reason"]
    sentence = f"Denied {reason}." if reason.startswith("with ") else f"Denied: {reason}."
    kinds = list(dict.fromkeys(blocking))
    if len(kinds) > 1:
        sentence += f" These refuse: {', '.join(kinds)}; each has to be changed."
    return sentence


def _explanation(
    event: Event, decision: Decided | None, why: str, changes: list[Explanation]
) -> Explanation:
    told = {name: value for name, value in event.items() if name != "decisions"}
    kept = {key: value for key, value in (decision or {}).items() if key != "policies"}
    return {
        "request": told,
        "decision": kept or None,
        "why": why,
        "callers": [],
        "changes": changes,
        "complete": None,
    }


def _advice(layer: str, fixes: Iterable[str]) -> list[Explanation]:
    options = [{"what": what, "statement": None, "command": ""} for what in fixes]
    return [{"layer": layer, "options": options}] if options else []


_MOST_ROUNDS = 8


def _plan(situation: Situation) -> tuple[list[tuple[str, tuple[Option, ...]]], bool]:
    """What to change, layer by layer, until the request is allowed or nothing helps.

    Of each layer any one of the options will do, the first for choice. With the first of each the
    request is allowed, or not.
    """
    found: list[tuple[str, tuple[Option, ...]]] = []
    for _ in range(_MOST_ROUNDS):
        decision = situation.decide()
        layer = next((each for each in decision.layers if each.blocks), None)
        working = _working(situation, layer) if layer else ()
        if layer is None or not working:
            break
        found.append((str(layer.kind), working))
        after = next((each.after for each in working if each.after), None)
        if after is None:
            break
        situation = after
    return found, situation.decide().allowed


def _working(situation: Situation, layer: Layer) -> tuple[Option, ...]:
    """The options that help: what is there is changed before anything is added."""
    tried = tuple(_tried(situation, layer, options(situation, layer)))
    if layer.outcome is Outcome.EXPLICITLY_DENIED or any(each.after for each in tried):
        return tried
    more = ALLOWS_MORE.get(layer.kind)
    return tried + tuple(_tried(situation, layer, more(situation, layer)) if more else ())


def _tried(situation: Situation, layer: Layer, ideas: Iterator[Option]) -> Iterator[Option]:
    """The ideas after which the layer refuses less; those that can't be foreseen are believed."""
    before = _weight(situation, layer)
    with suppress(PolicyError):  # what would have to be written is no policy
        for option in ideas:
            if option.after is None or _weight(option.after, layer) < before:
                yield option


def _weight(situation: Situation, layer: Layer) -> int:
    """How many policies of this kind refuse: 0 where the layer does not stand in the way."""
    for each in situation.decide().layers:
        if each.kind is layer.kind and each.blocks:
            denying = sum(
                not statement.allows and not reading.mismatch(statement)
                for reading in each.readings
                for statement in reading.policy.document.statements
            )
            return 1 + denying
    return 0


# -- what is behind the codes with which AWS answers whom it does not believe, or let in at all ----

_AGAIN = "If a run of a lab made it, `stslab run` makes it again."
_UNKNOWN_KEY = ("InvalidClientTokenId", "InvalidAccessKeyId", "InvalidToken")


def _unbelieved(code: str, message: str, key: Event | None, gone: str = "") -> Reason:
    """Why the code was answered; ``key`` is what the sandbox knows now of the key, if asked.

    ``gone`` is how the key, or the role of its session, came to be of no use, if the log knows.
    """
    if code == "SignatureDoesNotMatch" and message.startswith("Signature "):
        code = "RequestTimeTooSkewed"
    codes = texts().codes
    found = codes.get(code, codes["else"])
    if code not in _UNKNOWN_KEY or key is None:
        return found
    fixes = (_AGAIN, *found.fixes) if gone else found.fixes
    return Reason(f"{_of_key(key)} {gone}".strip(), fixes)


def _of_key(key: Event) -> str:
    if key.get("role"):
        return "The session's role is gone, and its credentials with it."
    if not key["known"]:
        return "The sandbox has no access key of this id."
    if not key["active"]:
        return f"The access key is {key['owner']}'s, and Inactive."
    if key["temporary"]:
        return (
            f"The access key is {key['owner']}'s, of a session: the session token that came with "
            "it is missing, or is another one."
        )
    return (
        f"The access key is {key['owner']}'s, and a long-term one: a session token that does not "
        "belong to it was sent with it."
    )


_WHAT: Mapping[str, str] = {
    "DeleteAccessKey": "The access key was deleted",
    "UpdateAccessKey": "The access key was made inactive",
    "DeleteRole": "The role {0} was deleted",
}


def _key_gone(events: Iterable[Event], access_key_id: str) -> str:
    """How an access key came to be of no use any more; nothing where the log does not tell.

    ``events`` are the log's, the last one first.
    """
    return _told(events, ("DeleteAccessKey", "UpdateAccessKey"), "AccessKeyId", access_key_id)


def _role_gone(events: Iterable[Event], name: str) -> str:
    """How a role came to be gone; nothing where the log does not tell."""
    return _told(events, ("DeleteRole",), "RoleName", name)


def _told(events: Iterable[Event], names: tuple[str, ...], member: str, value: str) -> str:
    for event in events:
        called = event.get("eventName")
        answered = called in names and not event.get("errorCode")
        if answered and value and event["requestParameters"].get(member) == value:
            return f"{_WHAT[str(called)].format(value)} {_by(event)}."
    return ""


def _by(event: Event) -> str:
    """``on 2026-11-25 at 01:02:03 UTC by user/admin (iam:DeleteRole, request 1a2b3c4d)``."""
    identity = event["userIdentity"]
    day, time = str(event["eventTime"])[:10], str(event["eventTime"])[11:19]
    who = str(identity.get("arn", "")).rpartition(":")[2] or "nobody known"
    through = f", through {identity['invokedBy']}" if identity.get("invokedBy") else ""
    called, request = event["eventName"], str(event["requestID"])[:8]
    return f"on {day} at {time} UTC by {who}{through} (iam:{called}, request {request})"


def _unverified(message: str) -> Reason:
    """Why a token that an identity provider is said to have issued was refused so."""
    tokens = texts().tokens
    return next(
        (found for start, found in tokens.items() if message.startswith(start)), tokens["else"]
    )
