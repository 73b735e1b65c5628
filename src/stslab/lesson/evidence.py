"""The evidence for a prediction: each gate's policies, shortened to a few words."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from stslab.kinds import template
from stslab.lab.model import Action, Check, Step
from stslab.lab.references import resolve
from stslab.lesson.verdict import Verdict
from stslab.runner.ports import Call, Data
from stslab.structures import Path, beside, listed, mapped, parts
from stslab.vocabulary import Gate

_HERE = "${AWS::AccountId}"
_OF_IAM = re.compile(
    rf"arn:aws[a-z-]*:(?:iam|sts)::(?:\d{{12}}|{re.escape(_HERE)}):(?=user/|role/|assumed-role/)"
)
WORDS: Mapping[str, Mapping[str, str]] = beside(__file__, "words.yaml")


def renamed(part: Any, names: Mapping[str, str]) -> Any:
    """A document with ``$NAME`` in place of the value of each variable, as in shown commands."""
    longest_first = sorted(names.items(), key=lambda pair: -len(pair[1]))

    def shown(text: str) -> str:
        for name, value in longest_first:
            text = text.replace(value, f"${name}") if value else text
        return text

    return mapped(part, shown)


def label(gate: Gate, who: str, what: str, form: str = "labels") -> str:
    return WORDS[form][gate].format(who=who, what=what)


def evidence(
    verdict: Verdict, who: str, what: str, *, brief: bool = False
) -> Iterator[tuple[str, list[str]]]:
    """Each gate's label, and its policies' statements (``brief``: on this action) in lines."""
    for reading in verdict.gates:
        every: list[str] = []
        on_this_action: list[str] = []
        for policy in reading.policies:
            results = policy.get("statements", ())
            for at, statement in enumerate(statements_of(verdict.documents.get(policy["policy"]))):
                lines = list(statement_lines(statement))
                every += lines
                missed = results[at].get("mismatch", {}).get("element") if at < len(results) else ""
                on_this_action += [] if missed in ("Action", "NotAction") else lines
        if brief and every:
            every = on_this_action or ["nothing on this action (see `policies`)"]
        yield label(reading.gate, who, what), every


def statements_of(document: Any) -> list[Mapping[str, Any]]:
    """The statements of a policy document, which may hold one without a list."""
    return listed(document.get("Statement")) if isinstance(document, Mapping) else []


def statements(document: Any) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Each statement of a policy, at any depth, with its path."""
    for path, part in parts(document):
        if isinstance(part, Mapping) and "Effect" in part and {"Action", "NotAction"} & part.keys():
            yield path, part


def statement_lines(statement: Mapping[str, Any]) -> Iterator[str]:
    """A statement in words: ``Allow sts:AssumeRole to account 1111``, then its conditions."""
    words = [str(statement.get("Effect", ""))]
    for name, word in WORDS["elements"].items():
        if name in statement:
            text = _principal if name.endswith("Principal") else _several
            words.append(word + text(statement[name]))
    yield " ".join(words)
    for operator, tests in statement.get("Condition", {}).items():
        for key, value in tests.items():
            yield f"if {key} {WORDS['operators'].get(operator, operator)} {_several(value)}"


def _several(value: Any) -> str:
    """Texts, with IAM's ARNs shortened to ``arn:...:user/NAME``."""
    return ", ".join(_OF_IAM.sub("arn:...:", str(item)) for item in listed(value))


def _principal(value: Any) -> str:
    if isinstance(value, str):
        return "everyone" if value == "*" else value
    return ", ".join(
        ", ".join(map(_account, listed(names))) if kind == "AWS" else _several(names)
        for kind, names in value.items()
    )


def _account(name: str) -> str:
    """An AWS principal in words if it is an account, shortened if a session, else unchanged."""
    bare = name.removeprefix("arn:aws:iam::").removesuffix(":root")
    if bare == _HERE:
        return "this account"
    if ":assumed-role/" in name:
        return _several(name)
    return f"account {bare}" if bare.isdigit() else name


def call_of(part: Action | Check | Step, known: Data) -> Call:
    """The call of a part of a lab, with known expressions resolved."""
    return Call(part.identity, part.service, part.operation, resolve(part.params, known))


def claims_of(call: Call) -> list[str]:
    """The subject and the audience in a call's web identity token; empty if it has none."""
    _, _, rest = str(call.params.get("WebIdentityToken", "")).partition(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(f"{rest.partition('.')[0]}=="))
    except ValueError:  # not a token
        return []
    return [f"{name} = {claims[name]}" for name in ("sub", "aud") if name in claims]


def documents_of(call: Call) -> dict[str, Any]:
    """The policy documents in a call's parameters or CloudFormation template, by description."""
    documents: dict[str, Any] = {}
    for name, what in WORDS["documents"].items():
        with suppress(ValueError):
            documents[what] = json.loads(str(call.params.get(name)))
    with suppress(template.Unjudgeable):
        documents |= dict(_in_template(call.params))
    return documents


def _in_template(params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    values = {
        each["ParameterKey"]: str(each["ParameterValue"]) for each in params.get("Parameters", ())
    }
    here = {"AccountId": _HERE, "Partition": "aws"}
    for resource in template.resources(str(params.get("TemplateBody", "")), values, here):
        # Names stand for values that are known only once it is created.
        properties = mapped(
            resource.properties,
            lambda text: template.MARK.sub(r"\1", text).replace(template.UNKNOWN, "…"),
        )
        if "AssumeRolePolicyDocument" in properties:
            yield f"the trust policy of {resource.logical}", properties["AssumeRolePolicyDocument"]
        policies = properties.get("Policies", ())
        for policy in policies if isinstance(policies, list) else ():
            yield f"what {resource.logical} may do", policy.get("PolicyDocument", {})
