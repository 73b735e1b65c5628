"""Options for a change after which a layer of policies no longer refuses a request.

An option is only an idea: whether it helps is found by deciding the request again.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

import msgspec

from stslab.policy import Outcome, PolicyKind, Request
from stslab.policy.decision import Layer
from stslab.policy.documents.statement import Mismatch
from stslab.policy.documents.statement import Statement as Read
from stslab.sandbox.api.identifiers import PARTNER
from stslab.sandbox.why.situation import Document, Situation, Statement, added_to, statements_of
from stslab.structures import beside


class Reason(msgspec.Struct, frozen=True):
    """A cause, and what to do about it."""

    why: str
    fixes: tuple[str, ...] = ()


class Texts(msgspec.Struct, frozen=True):
    """The sections of ``texts.yaml``."""

    codes: dict[str, Reason]
    tokens: dict[str, Reason]
    protects: dict[str, str]
    filled: dict[str, str]
    writes: dict[str, str]


@cache
def texts() -> Texts:
    return msgspec.convert(beside(__file__, "texts.yaml"), Texts)


_THEIRS = (PolicyKind.TRUST, PolicyKind.RESOURCE)
_S3 = "arn:aws:s3:::"


class Option(msgspec.Struct, frozen=True):
    """One change: ``what`` in a sentence, and the situation ``after`` it, None if not known.

    ``statement`` is the policy statement to change or add, ``command`` an aws command line that
    makes the change; either may be missing.
    """

    what: str
    after: Situation | None
    statement: Statement | None = None
    command: str = ""


def options(situation: Situation, layer: Layer) -> Iterator[Option]:
    """Changes to what is there for a layer that refuses, the best one first."""
    if layer.outcome is Outcome.EXPLICITLY_DENIED:
        for name, statement in _statements(layer, Mismatch.NONE, allows=False):
            yield from _asked_otherwise(situation, statement, holding=False)
            yield _without(situation, layer.kind, name, statement)
        return
    if situation.request.principal.arn == "anonymous":
        yield Option("Sign the request: use credentials, not --no-sign-request.", None)
    for name, statement in _statements(layer, Mismatch.CONDITION):
        yield from _about_condition(situation, layer.kind, name, statement)


def _statements(
    layer: Layer, mismatch: Mismatch, *, allows: bool = True
) -> Iterator[tuple[str, Read]]:
    for reading in layer.readings:
        for statement in reading.policy.document.statements:
            if statement.allows is allows and reading.mismatch(statement) is mismatch:
                yield reading.policy.name, statement


# -- a Deny that applies -------------------------------------------------------------------


def _without(situation: Situation, kind: PolicyKind, name: str, statement: Read) -> Option:
    document = situation.document(kind, name) or {}
    kept = [each for at, each in enumerate(statements_of(document)) if at != statement.index]
    what = f"Take {statement.label} out of the {name}, or narrow what it denies:"
    if not kept:
        after = situation.without_policy(kind, name)
        return Option(what, after, statement.source)
    changed = {**document, "Statement": kept}
    return _with_policy(situation, kind, name, changed, what=what, statement=statement.source)


# -- an Allow whose condition does not hold ------------------------------------------------


def _about_condition(
    situation: Situation, kind: PolicyKind, name: str, statement: Read
) -> Iterator[Option]:
    yield from _asked_otherwise(situation, statement, holding=True)
    context = situation.decide().question.context
    tests = [each.explain(context) for each in statement.conditions]
    failing = [test for test in tests if not test["holds"]]
    if any(test["key"].lower() in _CLOCK for test in failing):
        what = "Call it at a time that its Condition allows: stslab sandbox clock shows the time."
        yield Option(what, None)
    document = situation.document(kind, name)
    if document is None:
        return
    changed = _fitting(statement.source, failing)
    listed = [
        changed if at == statement.index else each
        for at, each in enumerate(statements_of(document))
    ]
    keys = list(dict.fromkeys(test["key"] for test in failing))
    guards = " ".join(dict.fromkeys(map(protects, keys)))
    what = (
        f"The Condition on {' and '.join(keys)} in the {name} is there for a reason. {guards} "
        "If this request should be allowed all the same, change the Condition:"
    )
    yield _with_policy(
        situation, kind, name, {**document, "Statement": listed}, what=what, statement=changed
    )


def _asked_otherwise(situation: Situation, statement: Read, *, holding: bool) -> Iterator[Option]:
    context = situation.decide().question.context
    tests = [each.explain(context) for each in statement.conditions]
    chosen = [test for test in tests if test["holds"] is not holding]
    values = _wanted_values(chosen, holding=holding)
    if values:
        ways = " and ".join(_way_to_fill(key, value) for key, value in values.items())
        yield Option(f"Call it {ways}.", situation.asked_with(values))


def _fitting(source: Statement, failing: Sequence[Document]) -> Statement:
    """The statement with its failing conditions widened to the request's values, or removed."""
    condition = {operator: dict(keys) for operator, keys in source["Condition"].items()}
    for test in failing:
        keys, found = condition[test["operator"]], test["found"]
        lists = isinstance(found, str) and "not" not in test["operator"].lower()
        if lists and test["operator"].lower().startswith(("string", "arn", "ipaddress")):
            before = keys[test["key"]]
            keys[test["key"]] = [*([before] if isinstance(before, str) else before), found]
        else:
            del keys[test["key"]]
    kept = {operator: keys for operator, keys in condition.items() if keys}
    changed = {key: value for key, value in source.items() if key != "Condition"}
    return {**changed, "Condition": kept} if kept else changed


# -- no Allow that matches -----------------------------------------------------------------


def _identity(situation: Situation, _layer: Layer) -> Iterator[Option]:
    request = situation.request
    name = new_policy_name(request)
    who = own_arn(request).rpartition(":")[2].replace("/", " ", 1)
    statement = _allowing(request)
    if name:
        what = f"Allow {who} to do it: add this statement to one of its policies, or as a new one:"
        document = added_to(None, statement)
        yield _with_policy(
            situation, PolicyKind.IDENTITY, name, document, what=what, statement=statement
        )
    else:
        what = "Add this statement to a policy of the user who called GetFederationToken:"
        after = situation.with_policy(PolicyKind.IDENTITY, "new", added_to(None, statement))
        yield Option(what, after, statement)


def _limit(situation: Situation, layer: Layer) -> Iterator[Option]:
    """Options for a permissions boundary, which must allow the request too."""
    statement = _allowing(situation.request)
    for reading in layer.readings:
        name = reading.policy.name
        document = added_to(situation.document(layer.kind, name), statement)
        what = f"Add this statement to the {name}:"
        if not _words(name):  # an AWS managed policy
            what = f"The {name} can't be changed. Set another boundary that has this too:"
        yield _with_policy(situation, layer.kind, name, document, what=what, statement=statement)
        return
    what = "Its permissions boundary was deleted. Set another one that allows this:"
    after = situation.with_policy(layer.kind, "new", added_to(None, statement))
    yield Option(what, after, statement)


def _session(situation: Situation, _layer: Layer) -> Iterator[Option]:
    statement = _allowing(situation.request)
    what = (
        "A session policy can't be changed. Get a new session, without a session policy or with "
        "one that has this statement too:"
    )
    after = situation.with_policy(PolicyKind.SESSION, "new", added_to(None, statement))
    yield Option(what, after, statement)


def _theirs(situation: Situation, layer: Layer) -> Iterator[Option]:
    """Options for a trust policy or a bucket policy, which must name the caller.

    Within one account the trust policy names the account, with a condition on the user: a user
    named as its principal would need no policy of its own.
    """
    request, kind = situation.request, layer.kind
    statement = {"Effect": "Allow", "Principal": _principal(request), "Action": request.action}
    account = request.principal.account
    if kind is PolicyKind.TRUST and account and account == request.resource_account:
        statement["Principal"] = {"AWS": f"arn:aws:iam::{account}:root"}
        statement["Condition"] = {"ArnEquals": {"aws:PrincipalArn": own_arn(request)}}
    if kind is PolicyKind.RESOURCE:
        statement["Resource"] = request.resource
    if layer.readings:
        name = layer.readings[0].policy.name
    elif kind is PolicyKind.RESOURCE and request.resource.startswith(_S3):  # a role has its trust
        name = f"bucket policy of {request.resource.removeprefix(_S3).partition('/')[0]}"
    else:
        return
    document = added_to(situation.document(kind, name), statement)
    what = f"Add this statement to the {name}:"
    yield _with_policy(situation, kind, name, document, what=what, statement=statement)


def _principal(request: Request) -> str | Statement:
    principal = request.principal
    if principal.arn == "anonymous":
        return "*"
    if not principal.member:
        return {"Federated": principal.arn}
    return {"AWS": own_arn(request)}


def _allowing(request: Request) -> Statement:
    return {"Effect": "Allow", "Action": request.action, "Resource": request.resource}


def _with_policy(
    situation: Situation,
    kind: PolicyKind,
    name: str,
    document: Document,
    *,
    what: str,
    statement: Statement,
) -> Option:
    request = situation.request
    account = request.resource_account if kind in _THEIRS else request.principal.account
    command = putting(name, account or "", document)
    return Option(what, situation.with_policy(kind, name, document), statement, command)


ALLOWS_MORE: Mapping[PolicyKind, Callable[[Situation, Layer], Iterator[Option]]] = {
    PolicyKind.IDENTITY: _identity,
    PolicyKind.BOUNDARY: _limit,
    PolicyKind.SESSION: _session,
    PolicyKind.TRUST: _theirs,
    PolicyKind.RESOURCE: _theirs,
}
"""By kind of layer: the statements that may be added to it."""


_BOOLEANS = {"true": "false", "false": "true"}
_TAGS = ("aws:requesttag/", "with the tag {tag}={value}: --tags Key={tag},Value={value}")
_CLOCK = ("aws:currenttime", "aws:epochtime", "aws:tokenissuetime")


def _way_to_fill(key: str, value: str) -> str:
    """How a caller sets the key to this value; empty if a caller can't."""
    lower = key.lower()
    prefix, tagged = _TAGS
    if lower.startswith(prefix):
        return tagged.format(tag=key[len(prefix) :], value=value)
    return texts().filled.get(lower, "").format(value=value)


def _wanted_values(tests: Sequence[Document], *, holding: bool) -> dict[str, str]:
    """Values of keys that may make the tests hold, or (``holding`` False) not hold.

    Only keys that a caller can set.
    """
    values = {}
    for test in tests:
        new_code = test["key"].lower() == "aws:multifactorauthage"
        value = "0" if new_code else _value(test, holding=holding)
        if value and _way_to_fill(test["key"], value):
            values[test["key"]] = value
    return values


def _value(test: Document, *, holding: bool) -> str:
    wanted = test["wanted"]
    first = wanted if isinstance(wanted, str) else next(iter(wanted), "")
    operator = test["operator"].lower()
    if "bool" in operator and not holding:
        return _BOOLEANS.get(first.lower(), "")
    if "*" in first or "?" in first:
        return ""
    fits = ("not" not in operator) is holding
    return first if fits else ""


_TAG_KEYS = ("principaltag/", "requesttag/", "resourcetag/")


def protects(key: str) -> str:
    """What a condition on the key protects against, in a sentence."""
    lower = key.lower()
    if any(part in lower for part in _TAG_KEYS):
        return "It keeps out requests without that tag."
    known, claim = texts().protects, lower.rpartition(":")[2]
    return known.get(lower) or known.get(claim, "It keeps out all requests that do not meet it.")


# -- the command that writes a policy ---------------------------------------------------------


def putting(name: str, account: str, document: Mapping[str, object]) -> str:
    """The aws command line that writes ``document`` as the named policy; empty if none can."""
    words = _words(name)
    if not words:
        return ""
    text = json.dumps(document, ensure_ascii=False)
    profile = "partner" if account == PARTNER else "admin"
    return shlex.join(["aws", *words, text, "--profile", profile])


def _words(name: str) -> list[str]:
    for form, words in texts().writes.items():
        if found := re.fullmatch(form, name):
            return [word.format(*found.groups()) for word in words.split()]
    return []


def new_policy_name(request: Request) -> str:
    """The name of a new inline policy for the caller; empty if it can't have one."""
    kind, _, name = own_arn(request).rpartition(":")[2].partition("/")
    if kind not in ("user", "role"):
        return ""
    title = f"allow-{request.action.replace(':', '-')}"
    return f"inline policy {title} of {kind} {name.rpartition('/')[2]}"


def own_arn(request: Request) -> str:
    """The caller's ARN as policies name it: for a role's session, the role's."""
    principal = request.principal
    return principal.issuer if ":assumed-role/" in principal.arn else principal.arn
