"""Warnings about valid policies: what IAM accepts, but is probably a mistake."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from stslab.policy import catalogue
from stslab.policy.conditions import Condition
from stslab.policy.decision import WITH_ARTICLE
from stslab.policy.documents.document import Policy, size
from stslab.policy.documents.statement import Statement
from stslab.policy.patterns import ARN_SEPARATORS
from stslab.structures import beside, listed
from stslab.vocabulary import LATEST, PolicyKind

_ENTITIES: Final = (":user/", ":role/", ":assumed-role/", ":federated-user/")

_GITHUB: Final = "token.actions.githubusercontent.com"
_VARIABLE: Final = re.compile(r"\$\{[^{}]*\}")
_NAMED: Final = re.compile(r"\$\{\s*([\w.-]+:[^{},\s]+)")
_EMPTY_VARIABLE: Final = re.compile(r"\$\{\s*\}")
# An address of RFC 1918 or RFC 4193.
_PRIVATE: Final = re.compile(r"(10|192\.168|172\.(1[6-9]|2\d|3[01]))\.|(?i:f[cd]..:)")
_ACCOUNT: Final = re.compile("arn:[^:]+:iam::[^:]+")
_REQUEST_TAG: Final = re.compile(r"aws:RequestTag/", re.IGNORECASE)


class Finding(msgspec.Struct, frozen=True):
    """``code`` is the rule; ``statement`` the statement's label, empty for the whole policy."""

    code: str
    message: str
    statement: str = ""


def findings(policy: Policy) -> tuple[Finding, ...]:
    limit, characters = beside(__file__, "quotas.yaml").get(policy.kind), size(policy.text())
    found: list[Finding] = []
    if limit and characters > limit:
        kind = WITH_ARTICLE[policy.kind]
        found.append(Finding(*_says("too-long", characters=characters, kind=kind, limit=limit)))
    for statement in policy.statements:
        broken = [each for look in _RULES for each in look(statement, policy)]
        broken += [each for one in statement.conditions for each in _about(one)]
        found += [Finding(*each, statement.label) for each in broken]
    return tuple(found)


_Broken = Iterator[tuple[str, str]]  # the rules that something breaks, each with a message


def _says(row: str, **names: object) -> tuple[str, str]:
    """A rule and its message, by a row of findings.yaml."""
    return row.partition("/")[0], beside(__file__, "findings.yaml")[row].format(**names)


def _trusted(statement: Statement, policy: Policy) -> Sequence[tuple[str, str]]:
    """The principals in a trust policy's Allow: (type, name) of each."""
    if policy.kind is not PolicyKind.TRUST or not statement.allows or statement.principal is None:
        return ()
    return statement.principal.names or ()


def _let_in(statement: Statement, policy: Policy) -> _Broken:
    """A grant to the principal itself needs no other ("Policy evaluation logic").

    Everyone: as "AWS JSON policy elements: Principal" warns, under "All principals".
    """
    for kind, name in _trusted(statement, policy):
        if kind == "AWS" and any(each in name for each in _ENTITIES):
            yield _says("names-principal", name=name)
    if statement.allows and statement.principal is not None and statement.principal.public:
        if not statement.conditions:
            yield _says("everyone/always")
        elif policy.kind is PolicyKind.TRUST:
            yield _says("everyone/met")


def _wildcards(statement: Statement, _policy: Policy) -> _Broken:
    """A principal's ARN is no pattern ("AWS JSON policy elements: Principal")."""
    for kind, name in (statement.principal and statement.principal.names) or ():
        if kind == "AWS" and "/" in name and {*"*?"} & {*name}:
            yield _says("principal-literal", name=name)


def _for_all_values(statement: Statement, _policy: Policy) -> _Broken:
    """As "Creating a condition with multiple keys or values" warns."""
    asking = [each for each in statement.conditions if each.asks_presence]
    required = {each.key.lower() for each in asking if "false" in each.values}
    if any(_limits(each) and _REQUEST_TAG.match(each.key) for each in statement.conditions):
        required.add("aws:tagkeys")  # a request with a tag has that key
    for each in statement.conditions if statement.allows else ():
        if each.test.every and each.key.lower() not in required:
            yield _says("for-all-values-allow", written=each.test.written, key=each.key)


def _variables(statement: Statement, policy: Policy) -> _Broken:
    """Variables where IAM does not support them: "IAM policy elements: Variables and tags"."""
    patterns = statement.resource.patterns if statement.resource else ()
    resources = [each for each in patterns if "${" in each]
    conditions = [each for each in statement.conditions if "${" in "".join(each.values)]
    if policy.document.get("Version") != LATEST:
        if resources or conditions:
            yield _says("variable-literal/version", latest=LATEST)
        return
    for resource in resources:
        if resource.partition("${")[0].count(":") < ARN_SEPARATORS:
            yield _says("variable-literal/arn", resource=resource)
    for condition in conditions:
        if not condition.test.operator.variables:
            yield _says("variable-literal/operator", written=condition.test.written)
    for text in [*resources, *(one for each in conditions for one in each.values)]:
        yield from _broken_variables(text)


def _broken_variables(text: str) -> _Broken:
    """As "IAM Access Analyzer policy check reference" says: "Missing brace", "Empty variable"."""
    if "${" in _VARIABLE.sub("", text):
        yield _says("variable-broken/open", text=text)
    elif _EMPTY_VARIABLE.search(text):
        yield _says("variable-broken/empty", text=text)
    for key in _NAMED.findall(text):
        yield from _unknown_key(key, ": the variable has no value")


def _any_subject(statement: Statement, policy: Policy) -> _Broken:
    """OpenID Connect providers whose users are not limited.

    "IAM Access Analyzer policy check reference": "Missing condition key for oidc principal",
    "Missing github repo condition key".
    """
    limited = {each.key.lower() for each in statement.conditions if _limits(each)}
    for kind, name in _trusted(statement, policy):
        host = name.rpartition(":oidc-provider/")[2].lower()
        if kind != "Federated" or ":saml-provider/" in name:
            continue
        if host == _GITHUB and f"{host}:sub" not in limited:
            yield _says("any-subject/repository", host=host)
        elif not any(key.startswith(f"{host}:") for key in limited):
            yield _says("any-subject/all", host=host)


def _way_in(statement: Statement, policy: Policy) -> _Broken:
    """As "IAM Access Analyzer policy check reference": "Mismatched action for principal"."""
    actions = listed(statement.source.get("Action", []))
    ways = {way for each in actions for way in catalogue.matching_actions(each) if "Assume" in way}
    for kind, name in _trusted(statement, policy) if ways else ():
        provider = "WithSAML" if ":saml-provider/" in name else "WithWebIdentity"
        if (way := "sts:AssumeRole" + provider * (kind == "Federated")) not in ways:
            yield _says("action-mismatched", name=name, way=way)


def _passes_any_role(statement: Statement, policy: Policy) -> _Broken:
    """As "IAM Access Analyzer policy check reference", "Pass role ...", but not of the action *."""
    resource, limits = statement.resource, filter(_limits, statement.conditions)
    grants = statement.allows and policy.kind is PolicyKind.IDENTITY
    if resource is None or not grants or "*" in statement.action.patterns:
        return
    accounts = (_ACCOUNT.match(each) for each in ("arn:aws:iam::123456789012", *resource.patterns))
    roles = [f"{each[0]}:role/\0" for each in accounts if each]  # only wildcards match this name
    limited = "iam:passedtoservice" in (each.key.lower() for each in limits)
    passes = statement.action.applies("iam:passrole", lambda _: None)
    if passes and not limited and any(resource.applies(each, lambda _: None) for each in roles):
        yield _says("passes-any-role")


def _limits(condition: Condition) -> bool:
    """Whether the condition is false for most values, and for a missing one."""
    test = condition.test
    true_without = test.every or (test.if_exists and test.single)
    everything = condition.values == ("*",) and test.operator.name == "StringLike"
    return not (true_without or everything or test.operator.negated or condition.asks_presence)


def _unknown_action(pattern: str) -> _Broken:
    """What to say if it is not in the Service Authorization Reference."""
    vendor = pattern.partition(":")[0]
    if {"*", "?"} & set(vendor) or catalogue.matching_actions(pattern):
        return
    row = "action-unknown/action" if catalogue.is_service(vendor) else "action-unknown/service"
    yield _says(row, vendor=vendor, action=pattern, meant=_meant(catalogue.similar_action(pattern)))


def _doubtful_actions(statement: Statement, _policy: Policy) -> _Broken:
    """Unknown ones, and those "without an applicable resource" (the page "Policy summary")."""
    resources = listed(statement.source.get("Resource", []))
    # Of other services, and of resources in a region, AWS's tables are not complete.
    sure = not statement.action.negated and all("::" in each for each in resources)
    for action in listed(statement.source[statement.action.name]):
        yield from _unknown_action(action)
        home = sure and action.lower().startswith(("iam:", "s3:", "sts:"))
        unfit = [says for each in resources for says in _unfit(action, each)] if home else []
        if unfit and len(unfit) == len(resources):
            yield unfit[0]


def _unfit(action: str, resource: str) -> _Broken:
    """What to say if the action never has such a resource, perhaps a pattern."""
    pattern = _VARIABLE.sub("*", resource).replace("?", "*")
    types = catalogue.resource_types(action)
    # A list is of all of a kind: AWS's refusal names user/, and its guides allow arn:aws:s3:::*.
    lists = not types and pattern.endswith(("*", "/"))
    if not (lists or catalogue.can_have(action, pattern)):
        yield _says("resource-other/never", action=action, resource=resource)
    elif types and pattern.startswith("arn:aws:s3:::") and ("/" in pattern or "*" not in pattern):
        kind = "object" if "/" in pattern else "bucket"
        if kind not in types:
            yield _says(f"resource-other/{kind}", action=action, resource=resource)


def in_request(action: str, resource: str, keys: Iterable[str]) -> Iterator[Finding]:
    """Warnings about the names in a request, and about a resource that it lacks."""
    yield from (Finding(*each) for each in _unknown_action(action))
    types = catalogue.resource_types(action)
    if resource == "*" and types:
        yield Finding(*_says("resource-missing", action=action, types=", ".join(sorted(types))))
    yield from (Finding(*each) for each in _unfit(action, resource))
    yield from (Finding(*each) for key in keys for each in _unknown_key(key))


def left_out(policy: Policy, action: str, keys: Iterable[str]) -> Iterator[Finding]:
    """Warnings about keys in conditions that all requests have, but this one has not."""
    lacking = set(catalogue.table("always")).difference(key.lower() for key in keys)
    for statement in policy.about(action.lower()):
        for key in (one.key for one in statement.conditions if one.key.lower() in lacking):
            yield Finding(*_says("key-missing", key=key), statement.label)


def _unknown_key(key: str, so: str = "") -> _Broken:
    if not catalogue.is_known_key(key):
        yield _says("key-unknown", key=key, so=so, meant=_meant(catalogue.similar_key(key)))


def _meant(similar: str) -> str:
    return f"; did you mean {similar}?" if similar else "."


_RULES: Final = (
    _let_in,
    _wildcards,
    _for_all_values,
    _variables,
    _any_subject,
    _way_in,
    _passes_any_role,
    _doubtful_actions,
)

_UNREADABLE: Final = {
    "true or false": "taken as false",
    "an ARN": "where the comparison meets it, an Allow does not count, and a Deny does",
}
_LITERAL: Final = re.compile("(String|StringNot)Equals(IgnoreCase)?")
"""The operators that take wildcards literally: their like (``StringLike``) supports them."""


def _about(condition: Condition) -> _Broken:
    """Null, empty arrays and wildcards: by the "IAM Access Analyzer policy check reference".

    Keys: as "AWS global condition context keys" and the Service Authorization Reference list them.
    """
    key, test, operator = condition.key, condition.test, condition.test.operator
    name, always = test.written, "true" if test.every or test.single else "false"
    if test.if_exists and (operator.negated or not test.single):
        yield _says("if-exists-idle", name=name, key=key, always=always)
    if condition.asks_presence and not test.single:
        yield _says("null-with-set-operator", name=name, always=always)
    elif test.single and not condition.asks_presence and catalogue.is_multivalued(key):
        yield _says("set-operator-missing", key=key, name=name)
    if not condition.values:
        yield _says("values-missing", name=name, key=key)
    never = f"{name} never matches it"
    usual = _UNREADABLE.get(operator.wants, "it excludes nothing" if operator.negated else never)
    means = {one: never if condition.is_open(one) else usual for one in condition.unreadable}
    for so in sorted({*means.values()}):
        found = " and ".join(repr(one) for one, each in means.items() if each == so)
        yield _says("value-unreadable", found=found, wants=operator.wants, so=so)
    literal = [one for one in condition.values if set("*?") & set(_VARIABLE.sub("", one))]
    if literal and (exact := _LITERAL.fullmatch(operator.name)):
        yield _says("wildcard-literal", name=name, text=literal[0], like=exact[1])
    yield from _unknown_key(key, ": no request has it")
    for one in filter(_PRIVATE.match, condition.values if key.lower() == "aws:sourceip" else ()):
        yield _says("address-private", address=one, key=key)
