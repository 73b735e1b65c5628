"""Policies in a few words each: what a learner needs to see before they answer."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from stslab.kinds import template
from stslab.lesson.ports import GateReading, Verdict
from stslab.runner.events import CallShown
from stslab.structures import Path, listed, mapped, parts
from stslab.vocabulary import Gate

_HERE = "${AWS::AccountId}"
_OF_IAM = re.compile(
    rf"arn:aws[a-z-]*:(?:iam|sts)::(?:\d{{12}}|{re.escape(_HERE)}):(?=user/|role/|assumed-role/)"
)
_ACTIONS = ("Action", "NotAction")
_DOCUMENTS: Mapping[str, str] = {
    "PolicyDocument": "the policy",
    "AssumeRolePolicyDocument": "the trust policy",
    "Policy": "the policy",
}
_WHOSE: Mapping[Gate, str] = {
    Gate.SIGNATURE: "signature",
    Gate.SCP: "organization's policies",
    Gate.RCP: "organization's policies for resources",
    Gate.RESOURCE: "policy of {what}",
    Gate.TRUST: "trust policy of {what}",
    Gate.IDENTITY: "policies of {who}",
    Gate.BOUNDARY: "boundary of {who}",
    Gate.SESSION: "session policy of {who}",
}


class Evidence(msgspec.Struct, frozen=True):
    """What one gate goes by: ``lines`` are its statements; none where it has no policy."""

    gate: Gate
    label: str
    lines: tuple[str, ...]


def renamed(part: Any, names: Mapping[str, str]) -> Any:
    """A document with ``$NAME`` for what a variable holds, as the shown commands have it."""
    longest_first = sorted(names.items(), key=lambda one: -len(one[1]))

    def shown(text: str) -> str:
        for name, value in longest_first:
            text = text.replace(value, f"${name}") if value else text
        return text

    return mapped(part, shown)


def label(gate: Gate, who: str, what: str) -> str:
    return _WHOSE[gate].format(who=who, what=what)


def evidence(verdict: Verdict, who: str, what: str, *, brief: bool = False) -> tuple[Evidence, ...]:
    """The gates that have a say, each with its policies' statements in a line or two.

    ``brief``: without those that are about another action.
    """
    told = verdict.documents
    return tuple(
        Evidence(one.gate, label(one.gate, who, what), tuple(_lines(one, told, brief=brief)))
        for one in verdict.gates
    )


def _lines(reading: GateReading, documents: Mapping[str, Any], *, brief: bool) -> Iterator[str]:
    every: list[str] = []
    told: list[str] = []
    for policy in reading.policies:
        statements = statements_of(documents.get(policy["policy"]))
        said = policy.get("statements", ())
        for at, statement in enumerate(statements):
            lines = list(statement_lines(statement))
            every += lines
            element = said[at].get("mismatch", {}).get("element") if at < len(said) else ""
            told += [] if element in _ACTIONS else lines
    if brief and every:
        yield from told or ["nothing on this action (see `policies`)"]
    else:
        yield from every


def statements_of(document: Any) -> list[Mapping[str, Any]]:
    """The statements of a policy document; one alone may stand without a list."""
    return listed(document.get("Statement")) if isinstance(document, Mapping) else []


def statements(document: Any) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Each statement of a policy, wherever it stands, and the path to it."""
    for path, part in parts(document):
        if isinstance(part, Mapping) and "Effect" in part and {"Action", "NotAction"} & part.keys():
            yield path, part


def statement_lines(statement: Mapping[str, Any]) -> Iterator[str]:
    """A statement in words: ``Allow sts:AssumeRole to account 1111``, then its conditions."""
    words = [str(statement.get("Effect", ""))]
    for word, name in _ELEMENTS:
        if name in statement:
            told = _principal if name.endswith("Principal") else _several
            words.append(word + told(statement[name]))
    yield " ".join(words)
    for operator, tests in statement.get("Condition", {}).items():
        for key, value in tests.items():
            yield f"if {key} {_OPERATORS.get(operator, operator)} {_several(value)}"


_ELEMENTS = (
    ("", "Action"),
    ("all but ", "NotAction"),
    ("to ", "Principal"),
    ("to all but ", "NotPrincipal"),
    ("on ", "Resource"),
    ("on all but ", "NotResource"),
)
_OPERATORS = {
    "StringEquals": "=",
    "ArnEquals": "=",
    "StringNotEquals": "is not",
    "StringLike": "like",
    "ArnLike": "like",
}


def _several(value: Any) -> str:
    return ", ".join(_short(str(one)) for one in listed(value))


def _principal(value: Any) -> str:
    if isinstance(value, str):
        return "everyone" if value == "*" else value
    return ", ".join(
        ", ".join(map(_account, listed(names))) if kind == "AWS" else _several(names)
        for kind, names in value.items()
    )


def _short(text: str) -> str:
    """ARNs of IAM without the account, which is the same in all."""
    return _OF_IAM.sub("arn:...:", text)


def _account(name: str) -> str:
    """The account that a name stands for, in so many words; any other name as it is."""
    bare = name.removeprefix("arn:aws:iam::").removesuffix(":root")
    if bare == _HERE:
        return "this account"
    if ":assumed-role/" in name:
        return _short(name)
    return f"account {bare}" if bare.isdigit() else name


def claims_of(call: CallShown) -> tuple[str, ...]:
    """What the web identity token of a call says: who asks, and for whom it is made."""
    _, _, rest = str(call.params.get("WebIdentityToken", "")).partition(".")
    try:
        said = json.loads(base64.urlsafe_b64decode(f"{rest.partition('.')[0]}=="))
    except ValueError:  # it is no such token
        return ()
    return tuple(f"{name} = {said[name]}" for name in ("sub", "aud") if name in said)


def documents_of(call: CallShown) -> dict[str, Any]:
    """Policy documents among the parameters, and those in a CloudFormation template."""
    found: dict[str, Any] = {}
    for name, what in _DOCUMENTS.items():
        with suppress(ValueError):
            found[what] = json.loads(str(call.params.get(name)))
    with suppress(template.Unjudgeable):
        found |= dict(_in_template(call.params))
    return found


def _in_template(params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    given = {
        one["ParameterKey"]: str(one["ParameterValue"]) for one in params.get("Parameters", ())
    }
    here = {"AccountId": _HERE, "Partition": "aws"}
    for one in template.resources(str(params.get("TemplateBody", "")), given, here):
        said = mapped(one.properties, _readable)
        if "AssumeRolePolicyDocument" in said:
            yield f"the trust policy of {one.logical}", said["AssumeRolePolicyDocument"]
        policies = said.get("Policies", ())
        for policy in policies if isinstance(policies, list) else ():
            yield f"what {one.logical} may do", policy.get("PolicyDocument", {})


def _readable(text: str) -> str:
    """A text of a template with names for what only its resources tell."""
    return template.MARK.sub(r"\1", text).replace(template.UNKNOWN, "…")
