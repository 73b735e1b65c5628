"""Warnings about valid policies: what IAM accepts, but is probably a mistake."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from stslab.policy import catalogue
from stslab.policy.conditions import Condition, Quantifier
from stslab.policy.decision import with_article
from stslab.policy.documents.document import Policy, size
from stslab.policy.documents.statement import Statement
from stslab.policy.patterns import ARN_SEPARATORS
from stslab.structures import listed
from stslab.vocabulary import LATEST, PolicyKind

_ENTITIES: Final = (":user/", ":role/", ":assumed-role/", ":federated-user/")

QUOTAS: Final = {
    PolicyKind.IDENTITY: 10_240,
    PolicyKind.BOUNDARY: 6_144,
    PolicyKind.TRUST: 4_096,
    PolicyKind.SESSION: 2_048,
    PolicyKind.SCP: 5_120,
    PolicyKind.RCP: 5_120,
}
"""The most characters without white space ("IAM and AWS STS quotas", "Quotas for AWS
Organizations"). For identity-based policies: that of a role's inline policies, the highest."""
_GITHUB: Final = "token.actions.githubusercontent.com"


class Finding(msgspec.Struct, frozen=True):
    """``code`` is the rule; ``statement`` the statement's label, empty for the whole policy."""

    code: str
    message: str
    statement: str = ""

    def as_dict(self) -> dict[str, str]:
        return msgspec.structs.asdict(self)


def findings(policy: Policy) -> tuple[Finding, ...]:
    limit, characters = QUOTAS.get(policy.kind), size(policy.text())
    found: list[Finding] = []
    if limit and characters > limit:
        message = f"The policy has {characters:,} characters; "
        message += f"{with_article(policy.kind)} may have {limit:,}."
        found.append(Finding("too-long", message))
    for statement in policy.statements:
        for code, look in _OF_STATEMENTS.items():
            found += [Finding(code, each, statement.label) for each in look(statement, policy)]
        for condition in statement.conditions:
            found += [Finding(code, each, statement.label) for code, each in _about(condition)]
    return tuple(found)


# -- of statements ---------------------------------------------------------------------------


def _trusted(statement: Statement, policy: Policy) -> Sequence[tuple[str, str]]:
    """The principals in a trust policy's Allow: (type, name) of each."""
    if policy.kind is not PolicyKind.TRUST or not statement.allows or statement.principal is None:
        return ()
    return statement.principal.names or ()


def _names_entity(statement: Statement, policy: Policy) -> Iterator[str]:
    """A grant to the principal itself needs no other ("Policy evaluation logic")."""
    for kind, name in _trusted(statement, policy):
        if kind == "AWS" and any(each in name for each in _ENTITIES):
            yield (
                f"It names {name} itself: in the role's own account that is enough to assume "
                "the role, without an identity-based policy."
            )


def _everyone(statement: Statement, policy: Policy) -> Iterator[str]:
    """As "AWS JSON policy elements: Principal" warns, under "All principals"."""
    if statement.allows and statement.principal is not None and statement.principal.public:
        if not statement.conditions:
            yield "It allows everyone, without any condition."
        elif policy.kind is PolicyKind.TRUST:
            yield "Everyone who meets its condition may assume the role."


def _for_all_values(statement: Statement, _policy: Policy) -> Iterator[str]:
    """As "Creating a condition with multiple keys or values" warns."""
    asking = [each for each in statement.conditions if each.asks_presence]
    required = {each.key.lower() for each in asking if "false" in each.values}
    if any(_limits(each) and _REQUEST_TAG.match(each.key) for each in statement.conditions):
        required.add("aws:tagkeys")  # a request with a tag has that key
    for each in statement.conditions if statement.allows else ():
        if each.test.quantifier is Quantifier.ALL and each.key.lower() not in required:
            yield (
                f"{each.test.written} is also true for a request without {each.key}; "
                f'add "Null": {{"{each.key}": "false"}} to require it.'
            )


def _variables(statement: Statement, policy: Policy) -> Iterator[str]:
    """Variables where IAM does not support them: "IAM policy elements: Variables and tags"."""
    resources = [each for each in _resources(statement) if "${" in each]
    conditions = [each for each in statement.conditions if "${" in "".join(each.values)]
    if policy.version != LATEST:
        if resources or conditions:
            yield f"Policy variables are literal text unless Version is {LATEST}."
        return
    for resource in resources:
        if resource.partition("${")[0].count(":") < ARN_SEPARATORS:
            yield f"In {resource} the variable before the fifth colon is literal text."
    for condition in conditions:
        if not condition.test.operator.variables:
            yield f"{condition.test.written} takes no policy variables: they are literal text."


def _with_variables(statement: Statement, policy: Policy) -> Iterator[str]:
    """The texts that may have policy variables."""
    if policy.version == LATEST:
        yield from _resources(statement)
        yield from (value for each in statement.conditions for value in each.values)


def _broken_variables(statement: Statement, policy: Policy) -> Iterator[str]:
    """As "IAM Access Analyzer policy check reference" says: "Missing brace", "Empty variable"."""
    for text in _with_variables(statement, policy):
        if "${" in _VARIABLE.sub("", text):
            yield f"In {text} a variable has no closing brace: it is literal text."
        elif _EMPTY_VARIABLE.search(text):
            yield f"In {text} a variable is empty: it has no value."


def _unknown_variables(statement: Statement, policy: Policy) -> Iterator[str]:
    for text in _with_variables(statement, policy):
        for key in _NAMED.findall(text):
            if not catalogue.is_known_key(key):
                meant = _meant(catalogue.similar_key(key))
                yield f"There is no condition key {key}: the variable has no value{meant}"


_VARIABLE: Final = re.compile(r"\$\{[^{}]*\}")
_NAMED: Final = re.compile(r"\$\{\s*([\w.-]+:[^{},\s]+)")
_REQUEST_TAG: Final = re.compile(r"aws:RequestTag/", re.IGNORECASE)
_EMPTY_VARIABLE: Final = re.compile(r"\$\{\s*\}")


def _any_subject(statement: Statement, policy: Policy) -> Iterator[str]:
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
            yield (
                f"No condition limits {host}:sub: workflows of anyone's repositories may "
                "assume the role."
            )
        elif not any(key.startswith(f"{host}:") for key in limited):
            yield f"No condition limits the users of {host}: all of them may assume the role."


def _limits(condition: Condition) -> bool:
    """Whether the condition is false for most values, and for a missing one."""
    test = condition.test
    true_without = test.if_exists or test.quantifier is Quantifier.ALL
    everything = condition.values == ("*",) and test.operator.name == "StringLike"
    return not (true_without or everything or test.operator.negated or condition.asks_presence)


def _resources(statement: Statement) -> Sequence[str]:
    return statement.resource.patterns if statement.resource else ()


def _unknown_actions(statement: Statement, _policy: Policy) -> Iterator[str]:
    for pattern in listed(statement.source[statement.action.name]):
        yield from _unknown_action(pattern)


def _unknown_action(pattern: str) -> Iterator[str]:
    """What to say if it is not in the Service Authorization Reference."""
    vendor = pattern.partition(":")[0]
    if {"*", "?"} & set(vendor) or catalogue.matching_actions(pattern):
        return
    if catalogue.is_service(vendor):
        yield f"There is no action {pattern}{_meant(catalogue.similar_action(pattern))}"
    else:
        yield f"No service has the prefix {vendor!r}: there is no action {pattern}."


def in_request(action: str, resource: str, keys: Iterable[str]) -> Iterator[Finding]:
    """Warnings about the names in a request, and about a resource that it lacks."""
    yield from (Finding("action-unknown", says) for says in _unknown_action(action))
    if resource == "*" and (kinds := ", ".join(sorted(catalogue.resource_types(action)))):
        yield Finding("resource-missing", f"{action} has a resource ({kinds}), and none is given.")
    if not catalogue.can_have(action, resource):
        yield Finding("resource-other", f"{action} never has a resource such as {resource}.")
    for key in keys:
        if not catalogue.is_known_key(key):
            says = f"There is no condition key {key}{_meant(catalogue.similar_key(key))}"
            yield Finding("key-unknown", says)


def _meant(similar: str) -> str:
    return f"; did you mean {similar}?" if similar else "."


_OF_STATEMENTS: Final[Mapping[str, Callable[[Statement, Policy], Iterator[str]]]] = {
    "names-principal": _names_entity,
    "everyone": _everyone,
    "for-all-values-allow": _for_all_values,
    "variable-literal": _variables,
    "variable-broken": _broken_variables,
    "key-unknown": _unknown_variables,
    "any-subject": _any_subject,
    "action-unknown": _unknown_actions,
}

# -- of conditions ---------------------------------------------------------------------------


_LIKE: Final = {
    "StringEquals": "StringLike",
    "StringEqualsIgnoreCase": "StringLike",
    "StringNotEquals": "StringNotLike",
    "StringNotEqualsIgnoreCase": "StringNotLike",
}
"""The operators that take wildcards literally, and the similar ones that support them."""


def _about(condition: Condition) -> Iterator[tuple[str, str]]:
    """The rules that a condition breaks, each with a message.

    Null, empty arrays and wildcards: by the "IAM Access Analyzer policy check reference". Keys: as
    "AWS global condition context keys" and the Service Authorization Reference list them.
    """
    key, test, operator = condition.key, condition.test, condition.test.operator
    name, every = test.written, test.quantifier is Quantifier.ALL
    single = test.quantifier is Quantifier.NONE
    if test.if_exists and (every or (single and operator.negated)):
        says = f"IfExists has no effect in {name}: without the key {key} it is true anyway."
        yield "if-exists-idle", says
    if condition.asks_presence and not single:
        always = "true" if every else "false"
        yield "null-with-set-operator", f"{name} is always {always}: Null needs no set operator."
    elif single and not condition.asks_presence and catalogue.is_multivalued(key):
        says = f"{key} is multivalued, and {name} never matches it: use ForAnyValue: or"
        yield "set-operator-missing", f"{says} ForAllValues:."
    if not condition.values:
        yield "values-missing", f"{name} has no values for {key}: it never matches."
    if found := " and ".join(map(repr, condition.unreadable)):
        yield "value-unreadable", f"{found} is not {operator.wants}: {name} never matches it."
    if like := _LIKE.get(operator.name):
        literal = [one for one in condition.values if set("*?") & set(_VARIABLE.sub("", one))]
        if literal:
            says = f"{name} takes {literal[0]} literally: {like} supports wildcards."
            yield "wildcard-literal", says
    if not catalogue.is_known_key(key):
        meant = _meant(catalogue.similar_key(key))
        yield "key-unknown", f"There is no condition key {key}: no request has it{meant}"
