"""Advice about a message: what it leaves open, and steps, from the right caller to widening."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from shlex import quote
from typing import Any, Final

import msgspec
from msgspec import structs

from stslab.policy.messages.reading import Message, table
from stslab.policy.request import account_of, split_arn
from stslab.vocabulary import Gate


class Suggestion(msgspec.Struct, frozen=True):
    """One thing to check: ``what`` in a sentence, and aws commands that can be run as they are."""

    what: str
    commands: tuple[str, ...]


class Advice(msgspec.Struct, frozen=True):
    """What refused, in a sentence; what the message can't say; and steps, in order."""

    refused_by: str
    cannot_say: tuple[str, ...]
    steps: tuple[Suggestion, ...]


def advise(message: Message) -> Advice:
    if known := message.known:
        says = f"{known.gate}: {known.says}" if known.gate else known.says
        return Advice(says, known.open, tuple(_steps(known.look, message)))
    rows = (row for name in _tables(message) for row in table("advice.yaml")[name])
    return Advice(_refused_by(message), tuple(_left_open(message)), tuple(_steps(rows, message)))


def _refused_by(message: Message) -> str:
    deny = f"the Deny {message.statement}" if message.statement else "a Deny"
    denied, silent = f"{deny} applies (explicit deny)", "no Allow applies (implicit deny)"
    how = denied if message.explicit else silent
    if message.gate is None:
        return "unknown" if message.explicit is None else f"unknown; {how}"
    if message.setting:
        how = f"its setting {message.setting}"
    return f"{table('facts.yaml')['gates'].get(message.gate, message.gate)}: {how}"


def _left_open(message: Message) -> Iterator[str]:
    parts = {
        "who asked": message.caller,
        "for which action": message.action or message.operation,
        "on which resource": message.resource or message.names_none,
    }
    if missing := ", ".join(part for part, value in parts.items() if not value):
        yield f"{missing[0].upper()}{missing[1:]}."
    if message.gate is None:
        texts = table("facts.yaml")["no gate"]
        yield texts.get(_case(message), texts["other"])
    elif message.explicit is not None:
        some = "only" if message.gate in (Gate.RESOURCE, Gate.TRUST) else "some"
        denied = "named" if message.policy else some
        yield table("facts.yaml")["gate"][denied if message.explicit else "silent"]


def _case(message: Message) -> str:
    """What kind of request it is, or else the service of the action, such as S3's use of a key."""
    action = message.action.lower()
    service = action.rpartition(":")[0] or message.service
    cases = {
        "decoded": message.decoded,
        "denied": message.explicit,
        "other": message.names_none,
        "assertion": action == "sts:assumerolewithsaml",
        "token": action.startswith("sts:assumerolewith"),
        "assume a user": message.assumes_role and owner(message.resource_arn)[0] == "user",
        "assume a role": message.assumes_role,
        "head": service == "s3" and message.operation.startswith("Head"),
    }
    return next((name for name, holds in cases.items() if holds), service)


def _tables(message: Message) -> Iterator[str]:
    steps, case, gate = table("advice.yaml"), _case(message), message.gate
    action, denies = message.action.lower(), f"{gate or 'unnamed'} denies"
    if case in ("token", "assertion") and gate in (None, Gate.TRUST):
        yield case
        return
    who = "caller" if message.caller else "no caller"
    yield message.caller_kind if message.caller_kind in steps else who
    if message.authorization:
        yield "authorization"
    if message.encoded and not message.policy:
        yield "encoded"
    if message.explicit and denies in steps:
        yield denies
    elif action in steps and gate in (None, Gate.IDENTITY):
        yield action
    elif action in table("facts.yaml")["brought"] and gate in (None, Gate.TRUST):
        yield "brought"
    else:
        yield gate or (case if case in steps else "unnamed")


def _steps(rows: Iterable[Any], message: Message) -> Iterator[Suggestion]:
    found = facts(message)
    for row in rows:
        step = {"say": row} if isinstance(row, str) else row
        condition = step.get("when", "")
        name = condition.removeprefix("not ")
        if not name or bool(found[name]) is (name == condition):
            commands = _filled(step.get("see", ()), found) or _filled(step.get("else", ()), found)
            what = step["say"].format_map(found)
            end = "" if what[-1] in ".?" else ":" if commands else "."
            yield Suggestion(f"{what}{end}", commands)


def _filled(commands: str | Iterable[str], found: Mapping[str, str | bool]) -> tuple[str, ...]:
    known = {name: value for name, value in found.items() if value}
    filled = []
    for command in [commands] if isinstance(commands, str) else commands:
        with suppress(KeyError):
            filled.append(command.format_map(known))
    return tuple(filled)


# -- the facts of a message, and commands that show what refused --------------------------------
# The commands only read. A command is left out if a name in it was blacked out, has a wildcard or
# is not valid at AWS.

# "IAM and AWS STS quotas": the characters of IAM's names, and of S3's buckets.
_NAME: Final = re.compile(r"[\w+=,.@-]{1,128}")
_OWNER: Final = re.compile(r"arn:[^:]*:(?:iam|sts)::[^:]*:(user|role|assumed-role)/(.*)", re.DOTALL)
_BUCKET: Final = re.compile(r"arn:[^:]*:s3:::([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/.*)?", re.DOTALL)
_WHOLE: Final = re.compile(
    r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(?:\d{12}|aws)?:[^\s*?<>]{1,1024}"
)


def facts(message: Message) -> dict[str, str | bool]:
    """Names (quoted for a shell), words and conditions for the steps; empty if not known."""
    kind, caller = owner(message.caller)
    arn, action = message.resource_arn, message.action.lower()
    role_is, role = owner(arn)
    other = (message.same_account is False and account_of(arn)) or ""
    is_source = caller and ":iam:" in message.caller and _WHOLE.fullmatch(message.caller)
    nobody = not (caller and action)
    on_object = not action or action.endswith("object")
    nameless_key = action.startswith("kms:") and not message.resource
    on = f" --resource-arns {quote(arn)}" if _WHOLE.fullmatch(arn) else ""
    simulated = _matched("[A-Za-z0-9-]+:[A-Za-z0-9]+", message.action)
    operation = _matched(r"[A-Z]\w{1,100}", message.operation)
    policy = _policy("named policies", message.policy)
    data_event = action in table("facts.yaml")["data events"]
    service = message.service or action.partition(":")[0]
    dated = service in table("facts.yaml")["dated events"]
    passed_on = service == "s3" and action.startswith("kms:")  # in a call that is a data event
    told = not (nobody or other) and bool(message.resource)  # as much as the event has
    name, value = ("EventSource", f"{service}.amazonaws.com") if dated else ("EventName", operation)
    on_all = ', on Resource "*": the call is about no single one'
    return {
        **structs.asdict(message),
        **{each: each == message.caller_kind for each in table("facts.yaml")["callers"].values()},
        # Names.
        "kind": kind,
        "Kind": kind.title(),
        "caller": caller and quote(caller),
        "user": quote(caller) if kind == "user" else "",
        "source": quote(message.caller) if is_source else "",
        "caller_account": account_of(message.caller) or "",
        "resource_account": account_of(arn) or "",
        "role": quote(role) if role_is == "role" else "",
        "bucket": _matched(_BUCKET, arn),
        "action": simulated and simulated + on,
        # Commands.
        "lookup": f"AttributeKey={name},AttributeValue={value}",
        "policy": policy,
        "resource_policy": _policy("resource policies", arn),
        # Words.
        "who": f"{kind} {caller}" if kind else "the caller",
        "where": other and f", in account {other}",
        "side": "both sides" if other else "the side that refuses",
        "what": message.action or "this action",
        "alone": on_all if message.names_none else ", on that resource alone",
        "of": " (add --resource-arns and the key's ARN)" if nameless_key else "",
        "hint": table("facts.yaml")["hints"].get(action, ""),
        "brought": table("facts.yaml")["brought"].get(action, ""),
        "more": "" if policy else " (its OUs and root have more)",
        "maker": "GetFederationToken" if ":federated-user/" in message.caller else "AssumeRole",
        # Conditions.
        "across": bool(other),
        "a_model": ":foundation-model/" in arn,
        "key": action.startswith("kms:"),
        "nameless_key": nameless_key,
        "widened": not message.explicit and message.caller != "anonymous",
        "own_role": role_is == kind == "role" and role == caller and not other,
        "quarantined": "AWSCompromisedKeyQuarantine" in message.policy,
        "caller_and_action": not nobody,
        "head": _case(message) == "head",
        "object_alone": nobody and on_object,
        "bucket_alone": nobody and not on_object,
        "data_event": data_event,
        "event": bool(operation) and not (told or message.encoded or data_event or passed_on),
    }


def _matched(pattern: str | re.Pattern[str], text: str) -> str:
    """The text, or the pattern's group in it; empty if it does not match."""
    found = re.fullmatch(pattern, text)
    return found[found.re.groups] if found else ""


def owner(caller: str) -> tuple[str, str]:
    """``("user", name)`` or ``("role", name)`` whose policies the caller has, or empty texts."""
    found = _OWNER.fullmatch(caller)
    if not found:
        return "", ""
    kind, path = found.groups()
    name = path.partition("/")[0] if kind == "assumed-role" else path.rpartition("/")[2]
    return ("user" if kind == "user" else "role", name) if _NAME.fullmatch(name) else ("", "")


def _policy(forms: str, named: str) -> str:
    """The command that shows this policy, or the policy of this resource."""
    for form, command in table("facts.yaml")[forms].items():
        arn = split_arn(named)
        if arn and (found := re.fullmatch(form, f"{arn.service} {arn.resource}", re.DOTALL)):
            whole = named.removesuffix(arn.resource) + found["of"]
            names = {"name": re.split("[:/]", whole)[-1], **found.groupdict(), "arn": whole}
            quoted = {name: quote(value) for name, value in names.items()}
            there = f" --region {arn.region}" if arn.region else ""
            shown = command.format_map({**quoted, "account": arn.account, "there": there})
            return f"{shown}{there}" if _WHOLE.fullmatch(whole) else ""
    return ""
