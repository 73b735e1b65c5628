"""Explains one request of the log, for `stslab why` and for programs."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from botocore import xform_name
from msgspec.structs import asdict

from stslab.errors import PolicyError
from stslab.policy import messages
from stslab.policy.decision import Layer
from stslab.policy.documents.statement import Mismatch
from stslab.sandbox.api import operations
from stslab.sandbox.pipeline.log_file import UNAUTHENTICATED, UNVERIFIED, Decided, Event
from stslab.sandbox.why.changes import Option, Situation, additions, options, texts
from stslab.structures import without

Explanation = dict[str, Any]
Key = Callable[[str], Mapping[str, Any] | None]
Events = Callable[[], Iterable[Event]]
Profiles = Callable[[], Iterable[str]]
Advice = Sequence[tuple[str, Sequence[Option]]]  # for each layer, the options that help
_ON_OBJECT = re.compile("(?!List).*Object.*")
_UNKNOWN_KEY = ("InvalidClientTokenId", "InvalidAccessKeyId", "InvalidToken")
_MOST_ROUNDS = 8


def explain(
    event: Event, *, key: Key = lambda _: None, events: Events = tuple, may: Profiles = tuple
) -> Explanation:
    """The explanation of a logged request, a JSON object.

    ``key`` gives the facts about an access key now (see the verb ``key``), if the sandbox runs;
    ``events`` the log, newest first; ``may`` the profiles that would be allowed this request.

    ``request``: the event without its decisions. ``decision``: the one that refused, else the
    last one, if any. ``callers``: the profiles. ``changes``: for each layer that refused,
    ``{"layer", "options": [{"what", "statement", "command"}]}``. ``complete``: whether the first
    options of all layers together would make the request allowed; None: not known.
    """
    refused = [one for one in event["decisions"] if one["decision"] != "Allowed"]
    decision = next(iter(refused or event["decisions"][-1:]), None)
    code = event.get("errorCode", "")
    if decision is None and code in UNAUTHENTICATED:
        return _explanation(event, None, *_unauthenticated(event, key, events))
    if decision is None and code in UNVERIFIED:
        return _explanation(event, None, *_unverified(event))
    if decision is None or decision["decision"] == "Allowed":
        return _explanation(event, decision, *_not_refused(event, decision))
    trusts = [one["policies"] for one in decision["layers"] if one["layer"] == "role trust policy"]
    if decision["action"].lower().startswith("sts:assumerole") and not any(trusts):
        return _explanation(event, decision, *_no_role(decision, events))
    return {**_denial(event, decision), "callers": list(may())}


def _not_refused(event: Event, decision: Decided | None) -> tuple[str, Advice]:
    if not event.get("errorCode"):
        why = f"It was allowed: {decision['reason']}." if decision else "It needs no permission."
        return why, []
    if event.get("errorMessage", "").endswith(f" perform: sts:{event['eventName']}"):
        return texts()["limited"]["why"], _advice("request", texts()["limited"]["fixes"])
    read = messages.read(texts()["said"].format(**{"cause": event.get("errorMessage"), **event}))
    known = messages.advise(read) if read and (read.known or read.setting) else None
    setting = texts()["setting"].format(read.setting) if read and read.setting else ""
    why = read.known.says if read and read.known else setting or texts()["unknown"]
    fixes = [step.what for step in known.steps if not step.commands] if known else []
    why = why if "No policy" in why else f"{texts()['no policy']} {why}"
    return why, _advice("request", fixes)


def _no_role(decision: Decided, events: Events) -> tuple[str, Advice]:
    name = str(decision["resource"]).rpartition("/")[2]
    why = f"{texts()['no role']['why']} {_gone_by(events(), name)}".rstrip()
    return why, _advice("role", texts()["no role"]["fixes"])


def _denial(event: Event, decision: Decided) -> Explanation:
    situation, reason = Situation.of(decision, _options(event)), decision["reason"].rstrip(".")
    why = f"Denied {reason}." if reason.startswith("with ") else f"Denied: {reason}."
    kinds = dict.fromkeys(one["layer"] for one in decision["layers"] if one["blocks"])
    if len(kinds) > 1:
        why += f" Each of these refuses, and has to be changed: {', '.join(kinds)}."
    if decision["action"] == "s3:ListBucket" and _ON_OBJECT.fullmatch(event["eventName"]):
        why += " There is no such object, which S3 says only to callers who may list the bucket."
    advice, complete = _plan(situation) if situation else ((), None)
    return {**_explanation(event, decision, why, advice), "complete": complete}


def _options(event: Event) -> frozenset[str]:
    """The options of the aws command that makes the request; none if a service makes it."""
    service, by = event["eventSource"].partition(".")[0], event["userIdentity"].get("invokedBy")
    shape = None if by else operations.operation(service, event["eventName"]).input_shape
    return frozenset(xform_name(name, "-") for name in (shape.members if shape else ()))


def _explanation(event: Event, decision: Decided | None, why: str, advice: Advice) -> Explanation:
    return {
        "request": without(event, "decisions"),
        "decision": without(decision or {}, "policies") or None,
        "why": why,
        "callers": [],
        "changes": [
            {"layer": layer, "options": [without(asdict(one), "after") for one in chosen]}
            for layer, chosen in advice
        ],
        "complete": None,
    }


def _advice(layer: str, fixes: Sequence[str]) -> Advice:
    return [(layer, [Option(what, None) for what in fixes])] if fixes else []


def _plan(situation: Situation) -> tuple[Advice, bool | None]:
    """What to change, layer by layer, and whether it is then allowed; None: S3 may block it."""
    plan: list[tuple[str, Sequence[Option]]] = []
    for _ in range(_MOST_ROUNDS):
        layer = next((each for each in situation.decide().layers if each.blocks), None)
        working = _working(situation, layer) if layer else ()
        plan += [(str(layer.kind), working)] if layer and working else []
        after = next((each.after for each in working if each.after), None)
        if after is None:
            break
        situation = after
    allowed = situation.decide().allowed
    unsure = any("if nothing blocks public" in one.what for _, chosen in plan for one in chosen)
    return plan, None if allowed and unsure else allowed


def _working(situation: Situation, layer: Layer) -> tuple[Option, ...]:
    """The options that help. Changes to what is there come before additions."""
    tried = tuple(_tried(situation, layer, options(situation, layer)))
    if layer.denies or any(each.after for each in tried):
        return tried
    return (*tried, *_tried(situation, layer, additions(situation, layer)))


def _tried(situation: Situation, layer: Layer, ideas: Iterator[Option]) -> Iterator[Option]:
    """The ideas after which the layer refuses less, and those that can't be tried."""
    before = _weight(situation, layer)
    with suppress(PolicyError):  # the changed policy would not be valid
        for option in ideas:
            if option.after is None or _weight(option.after, layer) < before:
                yield option


def _weight(situation: Situation, layer: Layer) -> int:
    """0 if the layer does not refuse; otherwise 1 and the number of Denies that apply."""
    same = (one for one in situation.decide().layers if one.kind is layer.kind and one.blocks)
    return sum(1 + len([*one.statements(Mismatch.NONE, allows=False)]) for one in same)


# -- requests, tokens and assertions that were not authenticated ----------------------------------


def _unverified(event: Event) -> tuple[str, Advice]:
    tokens, message = texts()["tokens"], event.get("cause") or event.get("errorMessage", "")
    for start, reason in tokens.items():
        if message.startswith(start):
            return reason["why"], _advice("identity provider", reason["fixes"])
    return _not_refused(event, None)


def _unauthenticated(event: Event, key_of: Key, events: Events) -> tuple[str, Advice]:
    code, codes = event["errorCode"], texts()["codes"]
    if code == "SignatureDoesNotMatch" and event.get("errorMessage", "").startswith("Signature "):
        code = "RequestTimeTooSkewed"
    if code == "InvalidClientTokenId" and event["userIdentity"].get("arn"):  # a known caller
        code = "without MFA"
    reason, key_id = codes.get(code, codes["else"]), event["userIdentity"].get("accessKeyId", "")
    key = key_of(key_id) if code in _UNKNOWN_KEY else None
    if key is None:
        return reason["why"], _advice("authentication", reason["fixes"])
    state, owner = key["state"], key["owner"]
    lost = owner.rpartition("/")[2] if state == "without its owner" else key_id
    gone = "" if state in ("temporary", "long-term") else _gone_by(events(), lost)
    again = ["If a run of a lab made it, `stslab run` makes it again."] if gone else []
    said = texts()["keys"][state].format(owner=owner)
    return f"{said} {gone}".strip(), _advice("authentication", [*again, *reason["fixes"]])


def _gone_by(events: Iterable[Event], name: str) -> str:
    """How the role, user or key of this name was lost, if the log has it."""
    for event in events:
        member, said = texts()["lost"].get(event.get("eventName"), ("", ""))
        if said and not event.get("errorCode") and event["requestParameters"].get(member) == name:
            return f"{said.format(name)} {_by(event)}."
    return ""


def _by(event: Event) -> str:
    """``on 2026-11-25 at 01:02:03 UTC by user/admin (iam:DeleteRole, request 1a2b3c4d)``."""
    identity = event["userIdentity"]
    day, time = str(event["eventTime"])[:10], str(event["eventTime"])[11:19]
    who = str(identity.get("arn", "")).rpartition(":")[2] or "an unknown caller"
    through = f", through {identity['invokedBy']}" if identity.get("invokedBy") else ""
    called, request = event["eventName"], str(event["requestID"])[:8]
    return f"on {day} at {time} UTC by {who}{through} (iam:{called}, request {request})"
