"""Checks the policy documents in a lab's calls with the policy engine."""

import json
import re
from collections.abc import Iterator, Mapping

from stslab.errors import MalformedPolicy
from stslab.kinds.harmless import resources_of
from stslab.kinds.template import MARK, UNKNOWN
from stslab.lab.effects import LabCall
from stslab.policy import catalogue
from stslab.policy.documents.document import Policy, parse
from stslab.policy.findings import findings as found_in
from stslab.structures import beside, listed, parts
from stslab.vocabulary import LEARNER, PolicyKind

_ARN = f"arn:aws:iam::{LEARNER}"
_KINDS = {
    name: PolicyKind(kind) for name, kind in beside(__file__, "kinds.yaml")["documents"].items()
}
_ADVICE: Mapping[str, str] = beside(__file__, "malformed.yaml")
_WHOLE = re.compile(rf'"(<[^"<>]*>|{MARK.pattern}|{UNKNOWN})"')
_PART = re.compile(rf"<[^\"<>]*>|{MARK.pattern}|{UNKNOWN}")


_Remark = tuple[str, str, str, str]
"""The code, the message, the fix, and the word that is the place in the document, if known."""


def findings(lab_call: LabCall) -> Iterator[tuple[str, _Remark]]:
    """The findings about a call's documents, each with the parameter's name."""
    for name, value in lab_call.params.items():
        kind = _KINDS.get(f"{lab_call.call} {name}") or _KINDS.get(name)
        if kind and isinstance(value, str):
            yield from ((name, one) for one in _findings_of(value, kind))
    for resource in resources_of(lab_call.params, lab_call.own):
        for path, value in parts(resource.properties):
            name = str(path[-1]) if path else ""
            if name in _KINDS and isinstance(value, Mapping):
                kind = _KINDS.get(f"{resource.type} {name}") or _KINDS[name]
                for code, message, fix, word in _findings_of(json.dumps(value), kind):
                    yield "TemplateBody", (code, f"{resource.logical}: {message}", fix, word)


def _stand_in(unknown: re.Match[str]) -> str:
    """A value, in quotes, that stands for a text which only the run will know."""
    if unknown[1] == "<now>":
        return '"2030-01-31T12:00:00Z"'
    if not re.search(r'"Federated"\s*:\s*\[?\s*$', unknown.string[: unknown.start()]):
        return f'"{_ARN}:role/some"'
    if "WithSAML" in unknown.string:
        return f'"{_ARN}:saml-provider/some"'
    host = re.search(r'"(?!aws:|sts:)([^"\s]+):\w+"\s*:', unknown.string)  # as a condition has it
    return f'"{_ARN}:oidc-provider/{host[1] if host else "the.provider"}"'


def _findings_of(text: str, kind: PolicyKind) -> Iterator[_Remark]:
    if "${{" in text:  # only a run knows its value
        return
    try:
        policy = parse(_PART.sub("some", _WHOLE.sub(_stand_in, text)), kind)
    except MalformedPolicy as malformed:
        message = f"IAM would refuse this: {malformed.message.rstrip('.!')}."
        word = re.search(r"no operator (\w[\w:]*)", malformed.hint)
        yield "malformed", message, _fix(malformed), word[1] if word else ""
        return
    for one in found_in(policy):
        if one.code != "names-principal":  # a lab may well intend that
            label = one.statement.removeprefix("statement ")
            statement = f"Statement {label}: " if label else ""
            warning, _, meant = one.message.partition("; did you mean ")
            allow = f"say why it is intended: # stslab: allow policy-{one.code} reason"
            fix = f"Did you mean {meant}" if meant else f"Change the policy, or {allow}."
            word = re.search(r"(?:no action|condition key) ([\w:.*?/-]*\w)", warning)
            message = f"{statement}{warning.rstrip('.')}."
            yield one.code, message, fix, word[1] if word else ""
    yield from _wide(policy)


def _fix(malformed: MalformedPolicy) -> str:
    """How to fix a policy: the place in it, with advice if IAM's message has none."""
    said = f"{malformed.message.rstrip('.')}{re.sub(r'^Statement [0-9]+', '', malformed.hint)}"
    advice = next((do for pattern, do in _ADVICE.items() if re.search(pattern, said)), "")
    where = f"{malformed.hint}." if malformed.hint[-1:] not in (*".?", "") else malformed.hint
    return f"{where} {advice}".strip()


def _wide(policy: Policy) -> Iterator[_Remark]:
    """Allows of all actions of a service, or of every resource where one could be named."""
    allows = (one for one in policy.statements if one.allows)
    for statement in allows if policy.kind is PolicyKind.IDENTITY else ():
        source = statement.source
        actions = listed(source.get("Action"))
        everything = "NotResource" in source or "*" in listed(source.get("Resource"))
        whole = [one for one in actions if one == "*" or one.endswith(":*")]
        if "NotAction" in source or whole:
            word = whole[0] if whole else "NotAction"
            message = f"{word} allows more than any lab needs."
            yield "wide", message, "Name the actions.", word
        elif everything and not statement.conditions and all(map(_can_be_limited, actions)):
            message = f"{actions[0]} on every resource is more than a lab needs."
            yield "wide", message, "Name the resource.", actions[0]


def _can_be_limited(action: str) -> bool:
    named = catalogue.matching_actions(action)
    return bool(named) and all(map(catalogue.resource_types, named))
