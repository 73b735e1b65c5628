"""A logged decision, made again as it was and after a change, and the changes that may help.

A change is only an idea: whether it helps is found by deciding the request again.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from stslab.errors import PolicyError
from stslab.policy import Decision, NamedPolicy, Policies, Principal, Request, authorize, parse
from stslab.policy.cases import read_principal
from stslab.policy.catalogue import may_have
from stslab.policy.decision import Layer
from stslab.policy.documents.statement import OTHERS, Mismatch, Statement
from stslab.sandbox.api.policies import UNIQUE_ID
from stslab.sandbox.iam import aws_policies
from stslab.sandbox.pipeline.log_file import Decided
from stslab.structures import GONE, beside, edited, listed, parts, without
from stslab.vocabulary import LATEST, PARTNER, PolicyKind

Document = Mapping[str, Any]  # a JSON object: of a policy, a statement or a test


class Situation(msgspec.Struct, frozen=True):
    """A request, the policies that apply to it, by kind, and the options that its command takes.

    A boundary or session policy that is known, but has no document, allows nothing.
    """

    request: Request
    policies: Mapping[PolicyKind, tuple[NamedPolicy, ...]]
    takes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, logged: Decided, takes: frozenset[str]) -> Situation | None:
        """That of a logged decision; None if the log can't lead to the same decision."""
        if "policies" not in logged:
            return None
        held = {PolicyKind(one["layer"]): tuple[NamedPolicy, ...]() for one in logged["layers"]}
        try:
            for one in logged["policies"]:
                kind = PolicyKind(one["layer"])
                named = NamedPolicy(one["policy"], parse(one["document"], kind))
                held[kind] = (*held.get(kind, ()), named)
            situation = cls(_request(logged), held, takes)
        except PolicyError:
            return None
        return situation if situation.decide().outcome == logged["decision"] else None

    def decide(self) -> Decision:
        held = self.policies
        theirs = held.get(PolicyKind.TRUST) or held.get(PolicyKind.RESOURCE)
        policies = Policies(
            identity=held.get(PolicyKind.IDENTITY, ()),
            resource=theirs[0] if theirs else None,
            boundaries=held.get(PolicyKind.BOUNDARY),
            session=held.get(PolicyKind.SESSION),
        )
        return authorize(self.request, policies)

    def asked_with(self, context: Mapping[str, str]) -> Situation:
        """The situation with these values of condition keys in the request."""
        asked, gone = self.request.context, {key.lower() for key in context}
        kept = {key: value for key, value in asked.items() if key.lower() not in gone}
        return replace(self, request=replace(self.request, context=kept | dict(context)))

    def with_policy(self, kind: PolicyKind, name: str, document: Document | None) -> Situation:
        """The situation with this document as the named policy, old or new; None: without it."""
        held = {one.name: one for one in self.policies.get(kind, ())}
        if document is None:
            del held[name]
        else:
            held[name] = NamedPolicy(name, parse(dict(document), kind))
        return replace(self, policies={**self.policies, kind: tuple(held.values())})


def _request(logged: Decided) -> Request:
    context, action, arn = logged["context"], logged["action"], logged["principal"]
    user_id, own = str(context.get("aws:userid", "")), str(context.get("aws:PrincipalArn", ""))
    if arn.startswith("arn:aws:sts:"):  # an older log has no issuer
        principal = Principal.from_arn(arn, user_id=user_id, issuer=logged.get("issuer", own))
    else:
        federated = "aws:PrincipalIsAWSService" not in context  # else a host is a service
        principal = read_principal(arn, federated, False, user_id)
    owner = context.get("aws:ResourceAccount")
    owner = principal.account if owner == aws_policies.ACCOUNT else owner
    return Request(principal, action, logged["resource"], context, owner)


# -- the options ----------------------------------------------------------------------------


texts = partial(beside, __file__, "texts.yaml")
_THEIRS = (PolicyKind.TRUST, PolicyKind.RESOURCE)
_S3, _NEW = "arn:aws:s3:::", "new"
_ADDED = re.compile(
    r"(?s)Allow (AccessControlList[0-9]+ .*|AllowedByS3 \*)|Deny RestrictPublicBuckets \*"
)
# IAM is in us-east-1, and a bucket is in its own region.
_IN_ONE_REGION = re.compile("iam:.*|s3:(?!CreateBucket$|ListAllMyBuckets$).*")
_SIGN = re.compile(r"[*?]|\$(?=\{)")
_MADE_UP = re.compile("(?<=-)(?=[a-z]*[0-9A-Z])(?![0-9]*$)[0-9A-Za-z]{12}$")  # no account's id
# The keys of a request that do not depend on who makes it.
_OF_ANYONE = re.compile("aws:(Current|Epoch|RequestedR|Secure|SourceIp|User|Via)|s3:(Res|auth|Tls)")


class Option(msgspec.Struct, frozen=True):
    """One change: ``what`` in a sentence, and the situation ``after`` it, None if not known.

    ``statement`` is the one to change or add, ``command`` an aws command line that does it.
    """

    what: str
    after: Situation | None
    statement: Document | None = None
    command: str = ""


def options(situation: Situation, layer: Layer) -> Iterator[Option]:
    """Changes to what is there for a layer that refuses, the best one first."""
    if layer.denies:
        for policy, statement in layer.statements(Mismatch.NONE, allows=False):
            yield from _asked_otherwise(situation, statement, holding=False)
            yield _without(situation, layer.kind, policy, statement)
        return
    if situation.request.principal.arn == "anonymous":
        yield Option("Sign the request: use credentials, not --no-sign-request.", None)
    for policy, statement in layer.statements(Mismatch.CONDITION, allows=True):
        if _added_by_s3(layer.kind, statement.source):
            continue
        action = situation.request.action
        failing = _tests(situation, statement, holding=False)
        if never := {test["key"] for test in failing if not may_have(test["key"], action)}:
            keys = " or ".join(sorted(never))
            yield Option(f"{action} never has {keys}: allow it in a statement of its own.", None)
            continue
        yield from _asked_otherwise(situation, statement, holding=True)
        yield from _about_condition(situation, layer.kind, policy, statement)


def _tests(situation: Situation, statement: Statement, *, holding: bool) -> list[Document]:
    context = situation.decide().question.context
    tests = (each.explain(context) for each in statement.conditions)
    return [test for test in tests if test["holds"] is holding]


def _asked_otherwise(
    situation: Situation, statement: Statement, *, holding: bool
) -> Iterator[Option]:
    """The option to send other keys, so that the tests hold, or do not (``holding`` False)."""
    values, ways, action = {}, {}, situation.request.action
    fixed = {"aws:requestedregion"} if _IN_ONE_REGION.fullmatch(action) else set()
    fixed |= set() if _may_show_mfa(situation.request) else {*_MFA}
    for test in _tests(situation, statement, holding=not holding):
        key, value = test["key"], _value(test, situation.request, holding=holding)
        known = may_have(key, action) and key.lower() not in fixed
        if known and value and (way := _way_to_fill(situation, key, value)):
            values[key], ways[key] = value, way
    told = dict[str, str]()
    for option, space, tag in (way.partition(" Key=") for way in ways.values()):
        told[option] = told.get(option, "") + space + tag  # all tags are behind one --tags
    if told:
        way = " and ".join(map("".join, told.items()))
        yield Option(f"Call it {way}.", situation.asked_with(values))


def _may_show_mfa(request: Request) -> bool:
    """Whether the caller may have a session with MFA: federated users and services never have."""
    caller, keys = request.principal, " ".join(request.context).lower()
    federated = caller.kind == "FederatedUser" or "aws:federatedprovider" in keys or "saml:" in keys
    return caller.member and not federated


# -- a Deny that applies -------------------------------------------------------------------


def _without(
    situation: Situation, kind: PolicyKind, policy: NamedPolicy, statement: Statement
) -> Option:
    document = policy.document.document
    kept = [each for at, each in enumerate(listed(document["Statement"])) if at != statement.index]
    changed = {**document, "Statement": kept} if kept else None
    if _added_by_s3(kind, statement.source):  # for RestrictPublicBuckets
        after = situation.with_policy(kind, policy.name, changed)
        refuses = any(each.kind is kind and each.blocks for each in after.decide().layers)
        # What is missing then is to be added to the policy that names the callers, not to this one.
        return Option(texts()["restricted"], None if refuses else after)
    label = "this statement" if _of_another(situation.request, kind) else statement.label
    if changed is None and kind in (PolicyKind.TRUST, PolicyKind.BOUNDARY):  # one must be there
        added, what = _allowing(situation.request, kind, document), texts()["replaced"]
        changed, what = {**document, "Statement": [added]}, what.format(label, policy.name)
        return _put(situation, kind, policy.name, changed, what, statement=added)
    what = f"Take {label} out of the {policy.name}, or narrow what it denies:"
    return _put(situation, kind, policy.name, changed, what, statement=statement.source)


# -- an Allow whose condition does not hold ------------------------------------------------


def _about_condition(
    situation: Situation, kind: PolicyKind, policy: NamedPolicy, statement: Statement
) -> Iterator[Option]:
    failing = _tests(situation, statement, holding=False)
    if any(test["key"].lower() in _CLOCK for test in failing):
        yield Option(texts()["another time"], None)
    document = policy.document.document
    statements = listed(document["Statement"])  # also a single one that is in no list
    statements[statement.index] = changed = _fitting(statement.source, failing, document)
    keys = list(dict.fromkeys(test["key"] for test in failing))
    guards = " ".join(dict.fromkeys(map(protects, keys)))
    what = texts()["relaxed"].format(" and ".join(keys), policy.name, guards)
    after = {**document, "Statement": statements}
    yield _put(situation, kind, policy.name, after, what, statement=changed)


def _fitting(source: Document, failing: Sequence[Document], document: Document) -> Document:
    """The statement with its failing conditions widened to the request's values, or removed."""
    condition = {operator: dict(keys) for operator, keys in source["Condition"].items()}
    for test in failing:
        keys, found = condition[test["operator"]], test["found"]
        lists = isinstance(found, str) and "not" not in test["operator"].lower()
        if lists and test["operator"].lower().startswith(("string", "arn", "ipaddress")):
            keys[test["key"]] = [*listed(keys[test["key"]]), _literal(found, document)]
        else:
            del keys[test["key"]]
    kept = {operator: keys for operator, keys in condition.items() if keys}
    changed = without(source, "Condition")
    return {**changed, "Condition": kept} if kept else changed


def _literal(text: str, document: Document) -> str:
    """The text as a pattern that matches nothing else; version 2008-10-17 has no such pattern."""
    return _SIGN.sub(r"${\g<0>}", text) if document.get("Version") == LATEST else text


# -- no Allow that matches -----------------------------------------------------------------


def additions(situation: Situation, layer: Layer) -> Iterator[Option]:
    """The statement that may be added to a layer that refuses."""
    request, kind = situation.request, layer.kind
    held = {one.name: one.document.document for one in situation.policies.get(kind, ())}
    name, what = _addressed(request, kind, next(iter(held), ""))
    if name:
        document = held.get(name, {"Version": LATEST, "Statement": []})
        statement = _allowing(request, kind, document)
        after = {**document, "Statement": [*listed(document["Statement"]), statement]}
        option = _put(situation, kind, name, after, what, statement=statement)
        yield _by_its_owner(option, request) if _of_another(request, kind) else option


def _of_another(request: Request, kind: PolicyKind) -> bool:
    """Whether this is about an object that does not belong to its bucket's account."""
    bucket_account = request.context.get("s3:ResourceAccount", request.resource_account)
    return kind is PolicyKind.RESOURCE and bucket_account != request.resource_account


def _by_its_owner(option: Option, request: Request) -> Option:
    """The option for such an object, on which no policy of the bucket allows anything."""
    owner, ours = str(request.resource_account), str(request.context["s3:ResourceAccount"])
    known, to_us = owner.isdecimal(), request.principal.account == ours
    case = ("handed over" if to_us else "let in") if known else "taken over"
    if case == "let in" and request.action.endswith("Acl"):
        case = "shown its ACL"
    what, command = texts()["of another"][case]
    bucket, _, key = request.resource.removeprefix(_S3).partition("/")
    words = [word.format(bucket=bucket, key=key) for word in command.split()]
    if known and (version := request.context.get("s3:VersionId")):
        words += ["--version-id", str(version)]
    words += ["--profile", _profile(owner if known else ours)]
    after = option.after if known else None  # the policy of the bucket counts then
    return Option(what.format(owner=owner), after, None, shlex.join(words))


def _addressed(request: Request, kind: PolicyKind, name: str) -> tuple[str, str]:
    """The policy to add to (empty: none), and what to say."""
    says = texts()["added"]
    if kind is PolicyKind.IDENTITY:
        who = _own_arn(request).rpartition(":")[2].replace("/", " ", 1)
        name = _new_policy_name(request)
        return (name, says["identity"].format(who)) if name else (_NEW, says["federated"])
    if kind is PolicyKind.SESSION:
        return _NEW, says["session"]
    if kind is PolicyKind.BOUNDARY and not _words(name):  # an AWS managed policy, or a deleted one
        return (name, says["boundary"].format(name)) if name else (_NEW, says["no boundary"])
    if kind is PolicyKind.RESOURCE and request.resource.startswith(_S3):
        name = name or f"bucket policy of {request.resource.removeprefix(_S3).partition('/')[0]}"
    unless = ", if nothing blocks public policies" if request.principal.arn == "anonymous" else ""
    return name, says["policy"].format(name, unless)


def _allowing(request: Request, kind: PolicyKind, document: Document) -> Document:
    """The statement that allows the request. A trust or bucket policy must name the caller."""
    caller = request.principal
    statement: dict[str, Any] = {"Effect": "Allow"}
    if kind in _THEIRS:
        own = {OTHERS.get(caller.kind, "AWS"): _own_arn(request)}
        statement["Principal"] = "*" if caller.arn == "anonymous" else own
    statement["Action"] = request.action
    if kind is not PolicyKind.TRUST:
        resource, made = request.resource, "aws:CalledVia" in request.context
        if resource.startswith(_S3) and "/" in resource:
            resource = _literal(resource, document)
        # A stack gives each new resource a new name.
        statement["Resource"] = _MADE_UP.sub("*", resource) if made else resource
    elif not caller.member:
        told = ((key, str(one)) for key, one in request.context.items())
        claims = {key: _literal(one, document) for key, one in told if key[-4:] in (":aud", ":sub")}
        statement |= {"Condition": {"StringEquals": claims}} if claims else {}
    elif caller.account == request.resource_account:
        # A user that is named as the principal would need no policy of its own.
        statement["Principal"] = {"AWS": f"arn:aws:iam::{caller.account}:root"}
        statement["Condition"] = {"ArnEquals": {"aws:PrincipalArn": _own_arn(request)}}
    return statement


def _put(
    situation: Situation,
    kind: PolicyKind,
    name: str,
    document: Document | None,
    what: str,
    *,
    statement: Document,
) -> Option:
    """To write this document as the named policy; None: to delete the policy."""
    request = situation.request
    account = request.resource_account if kind in _THEIRS else request.principal.account
    statements = listed((document or {}).get("Statement"))
    living = [_of_living(one) for one in statements if not _added_by_s3(kind, one)]
    kept = [one for one in living if one.get("Principal") not in ({}, {"AWS": []})]
    words = [] if _of_another(request, kind) else _words(name, "writes" if kept else "removes")
    text = [json.dumps({**(document or {}), "Statement": kept}, ensure_ascii=False)] if kept else []
    as_root = bool(words) and kind is PolicyKind.RESOURCE and _denies(situation, words[1])
    command = shlex.join(["aws", *words, *text, "--profile", _profile(account, as_root)])
    after = situation.with_policy(kind, name, document)
    return Option(what, after, statement, command if words else "")


def _of_living(statement: Document) -> Document:
    """The statement without users and roles that were deleted, whose ids AWS takes in no policy."""
    for path, name in [*parts(statement.get("Principal"))][::-1]:
        if UNIQUE_ID.fullmatch(str(name)):
            statement = edited(statement, ("Principal", *path), GONE)
    return statement


def _denies(situation: Situation, command: str) -> bool:
    """Whether only the root user may change the bucket's policy ("PutBucketPolicy")."""
    asked, action = situation.request, f"s3:{command.title().replace('-', '')}"
    owner, bucket = asked.resource_account, asked.resource.partition("/")[0]
    admin = Principal.from_arn(f"arn:aws:iam::{owner}:user/admin")
    context = {key: one for key, one in asked.context.items() if _OF_ANYONE.match(key)}
    decision = replace(situation, request=Request(admin, action, bucket, context, owner)).decide()
    return any(one.kind is PolicyKind.RESOURCE and one.denies for one in decision.layers)


def _added_by_s3(kind: PolicyKind, statement: Document) -> bool:
    """Whether it is in no policy: it stands for an ACL, a setting, or what S3 allows of itself.

    A user's own may have the same Sid, but not everything (``*``) as the Resource.
    """
    named = " ".join(str(statement.get(name)) for name in ("Effect", "Sid", "Resource"))
    return kind is PolicyKind.RESOURCE and bool(_ADDED.fullmatch(named))


def _profile(account: str | None, as_root: bool = False) -> str:
    return (("partner", "partner-root") if account == PARTNER else ("admin", "root"))[as_root]


_OPTION = re.compile("--([a-z-]+)")
_MFA = ("aws:multifactorauthpresent", "aws:multifactorauthage")
_CLOCK = ("aws:currenttime", "aws:epochtime")


def _way_to_fill(situation: Situation, key: str, value: str) -> str:
    """How this call sets the key to this value; empty if it can't."""
    name, _, tag = key.partition("/")
    form = str(texts()["filled"].get(name.lower(), ""))
    way = form.format(value=shlex.quote(value), tag=shlex.quote(tag))
    option = _OPTION.match(way)
    return way if not option else f"with {way}" if option[1] in situation.takes else ""


def _value(test: Document, request: Request, *, holding: bool) -> str:
    """A value of the key that may make the test hold, or not hold; empty if none is known."""
    key, operator = test["key"].lower(), test["operator"].lower()
    new = {"aws:multifactorauthage": "0", "aws:tokenissuetime": request.context["aws:CurrentTime"]}
    if key in new:
        return str(new[key])
    any_end = "*" if key == "s3:prefix" else ""
    fixed = re.compile("[^*?]+" if "like" in operator else r"[^*?]+|\*")
    values = (one.removesuffix(any_end) for one in listed(test["wanted"]))
    first = next((one for one in values if fixed.fullmatch(one)), "")
    if operator == "null":
        return "VALUE" if (first.lower() == "false") is holding else ""
    if "bool" in operator:  # a caller can show MFA, but not that there is none
        return "true" if (first.lower() == "true") is holding else ""
    return first if ("not" not in operator) is holding or "than" in operator else ""


def protects(key: str) -> str:
    lower, known = key.lower(), texts()["protects"]
    tagged, claim = lower.partition("/")[0].rpartition(":")[2], lower.rpartition(":")[2]
    names = (name for name in (lower, tagged, claim) if name in known)
    return str(known[next(names, "else")])


def _words(name: str, does: str = "writes") -> list[str]:
    """The aws command that ``does`` this to a policy, up to its text; empty if none can."""
    for form, words in texts()[does].items():
        if found := re.fullmatch(form, name):
            return [word.format(*found.groups()) for word in words.split()]
    return []


def _new_policy_name(request: Request) -> str:
    """The name of a new inline policy for the caller, if it can have one."""
    kind, _, name = _own_arn(request).rpartition(":")[2].partition("/")
    if kind not in ("user", "role"):
        return ""
    title = f"allow-{request.action.replace(':', '-')}"
    return f"inline policy {title} of {kind} {name.rpartition('/')[2]}"


def _own_arn(request: Request) -> str:
    """The caller's ARN as policies name it: for a role's session, the role's."""
    principal = request.principal
    return principal.issuer if ":assumed-role/" in principal.arn else principal.arn
