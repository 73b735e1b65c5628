"""Conditions: an operator, a key and its values, tested with a request's context."""

import base64
import operator
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from stslab.policy import catalogue
from stslab.policy.patterns import ARN_SEPARATORS, arn_globs, glob, remembered
from stslab.policy.request import Context, Value, values_in

Comparison = Callable[[str, Context], bool | None]  # of a request's value; None: incomparable
Reader = Callable[[str, bool], Comparison | None]
"""Reads a policy's value (and whether it may have variables); None: it has the wrong type."""
_TIME: Final = r"T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
_DATE: Final = re.compile(rf"[0-9]{{4}}(-[0-9]{{2}}(-[0-9]{{2}}({_TIME})?)?)?")
"""The forms of W3C, which AWS names; a year, or a year and a month, is its first day."""
_NUMBER: Final = re.compile(r"[+-]?([0-9]++\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,6})?")
_VARIABLE: Final = re.compile(r"\$\{[^*?$}]")
_since_1970: Final = partial(datetime.fromtimestamp, tz=UTC)
_ZEROS: Final = re.compile(r"(?<![0-9])0+(?=[0-9])|(?<=/)\+")
"""Zeros before a part of an IPv4 address, and the sign before its prefix."""


class Operator(msgspec.Struct, frozen=True):
    """One row; a ``negated`` operator holds if its comparison does not."""

    name: str
    reads: Reader
    wants: str
    variables: bool = False
    unread: Comparison = lambda *_: False  # with a policy's value of the wrong type
    negated: bool = False


def _text(value: str, variables: bool, *, wildcards: bool = False) -> Comparison:
    pattern = glob(value, variables=variables, wildcards=wildcards)
    return lambda found, context: pattern.matches(found, context.get)


def _text_ignoring_case(value: str, variables: bool) -> Comparison:
    pattern = glob(value, variables=variables, wildcards=False)
    return lambda found, context: pattern.matches_ignoring_case(found, context.get)


def _ordered(convert: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Reader:
    """A text that is not a number or date is neither equal, less nor greater."""

    def reads(value: str, _variables: bool) -> Comparison | None:
        if (wanted := convert(value)) is None:
            return None
        return lambda found, _: (given := convert(found)) is not None and compare(given, wanted)

    return reads


def number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def moment(text: str) -> datetime | None:
    """A time in ISO 8601 (four digits are a year) or in seconds since 1970, to a millisecond."""
    try:
        if _DATE.fullmatch(text):
            at = datetime.fromisoformat(text + "YYYY-01-01"[len(text) :])
        elif text[:1] != "." and _NUMBER.fullmatch(text):
            at = _since_1970(float(text))
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=at.tzinfo or UTC)


def address(text: str) -> IPv4Address | IPv6Address | None:
    """An address; parts of IPv4 may begin with zeros, and IPv4 may be mapped to IPv6."""
    try:
        found = ip_address(text if ":" in text else _ZEROS.sub("", text))
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def network(text: str) -> IPv4Network | IPv6Network | None:
    """A range with a prefix, or one address; a range of IPv6 begins at its first address."""
    is_6 = ":" in text
    try:
        found = ip_network(text if is_6 else _ZEROS.sub("", text), strict=is_6)
    except ValueError:
        return None
    return None if "." in (text if is_6 else text.partition("/")[2]) else found


def _within(value: str, _variables: bool) -> Comparison | None:
    if (wanted := network(value)) is None:
        return None
    return lambda found, _: None if (given := address(found)) is None else given in wanted


def _outside(found: str, _context: Context) -> bool | None:
    """A text that is not an address is not outside a network either."""
    return None if address(found) is None else False


def _boolean(value: str, variables: bool) -> Comparison | None:
    """Every text but ``true`` is false."""
    if value.lower() not in ("true", "false") and not (variables and "${" in value):
        return None
    same = _text_ignoring_case(value, variables)
    return lambda found, context: same("true" if found.lower() == "true" else "false", context)


def _binary(value: str, _variables: bool) -> Comparison | None:
    """The request's value is compared as text and in base-64."""
    try:
        wanted = base64.b64decode(value, validate=True)
    except ValueError:
        return None
    if len(value) % 4:  # more padding than base-64 has
        return None
    return lambda found, _: value == found or wanted == found.encode(errors="surrogatepass")


def _arn(value: str, variables: bool) -> Comparison | None:
    """Compares each of the six components; ``*`` alone is any ARN."""
    components = arn_globs(value, variables=variables)
    if components is None:
        return (lambda found, _: found.startswith("arn:") or None) if value == "*" else None

    def comparison(found: str, context: Context) -> bool | None:
        parts = found.split(":", ARN_SEPARATORS)
        if len(parts) <= ARN_SEPARATORS:
            return None
        pairs = zip(components, parts, strict=True)
        return all(pattern.matches(part, context.get) for pattern, part in pairs)

    return comparison


def _incomparable(_found: str, _context: Context) -> None:
    """Neither matches nor does not match."""


class _NoArn(Exception):  # noqa: N818 - an outcome more than an error
    """A policy's value is no ARN, where there is one to compare it with."""


def _no_arn(found: str, _context: Context) -> None:
    if found.count(":") >= ARN_SEPARATORS:
        raise _NoArn


_ORDERS: Final = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}
_POSITIVE: Final = (
    Operator("StringEquals", _text, "text", variables=True),
    Operator("StringEqualsIgnoreCase", _text_ignoring_case, "text", variables=True),
    Operator("StringLike", partial(_text, wildcards=True), "text", variables=True),
    *(Operator(f"Numeric{how}", _ordered(number, by), "a number") for how, by in _ORDERS.items()),
    *(Operator(f"Date{how}", _ordered(moment, by), "a date") for how, by in _ORDERS.items()),
    Operator("Bool", _boolean, "true or false", True, lambda found, _: found.lower() != "true"),
    Operator("BinaryEquals", _binary, "base-64 text"),
    Operator("IpAddress", _within, "an IP address or a CIDR range", unread=_outside),
    Operator("ArnEquals", _arn, "an ARN", variables=True, unread=_no_arn),
    Operator("ArnLike", _arn, "an ARN", variables=True, unread=_no_arn),
    Operator("Null", lambda *_: None, "true or false"),  # tests whether there is a value
)
_NEGATED: Final = """
    StringNotEquals StringNotEqualsIgnoreCase StringNotLike NumericNotEquals DateNotEquals
    NotIpAddress ArnNotEquals ArnNotLike
""".split()

OPERATORS: Final = {row.name.lower(): row for row in _POSITIVE}  # the operators by lower-case name
for _name in _NEGATED:
    _row = OPERATORS[_name.replace("Not", "").lower()]
    OPERATORS[_name.lower()] = replace(_row, name=_name, negated=True)
_IF_EXISTS: Final = "ifexists"


class Test(msgspec.Struct, frozen=True):
    """An operator as a policy names it: ``ForAnyValue:StringLikeIfExists``."""

    written: str
    operator: Operator
    single: bool  # without a set operator, which is for keys with several values in the request
    every: bool  # with ForAllValues
    if_exists: bool


@remembered(256)
def read_test(written: str) -> Test | None:
    """The test of this name, or None if IAM has no such operator."""
    quantifier, colon, name = written.lower().rpartition(":")
    if_exists = name.endswith(_IF_EXISTS)
    found = OPERATORS.get(name.removesuffix(_IF_EXISTS))
    known = quantifier in ("forallvalues", "foranyvalue") or not colon
    if found is None or not known or (if_exists and found.name == "Null"):
        return None  # "...IfExists condition operators": any but Null may end so
    return Test(written, found, not colon, quantifier == "forallvalues", if_exists)


class Condition:
    """One key of one operator, with the policy's values; ``variables``: some have variables.

    ``denies``: its statement is a Deny.
    """

    def __init__(
        self, test: Test, key: str, values: Sequence[str], *, variables: bool, denies: bool = False
    ) -> None:
        self.test = test
        self.key = key
        self.values = tuple(values)
        self.variables = variables and test.operator.variables and "${" in "".join(values)
        self._key = key.lower()
        self._denies = denies
        self.asks_presence = test.operator.name == "Null"
        self._comparisons = [self._comparison(value) for value in values]

    def _comparison(self, value: str) -> Comparison:
        operator = self.test.operator
        unread = _incomparable if self.is_open(value) else operator.unread
        return operator.reads(value, self.variables) or unread

    def is_open(self, value: str) -> bool:
        """Whether a variable may stand for the whole ARN: this value neither matches nor fails."""
        is_arn = self.test.operator.unread is _no_arn
        return is_arn and self.variables and _VARIABLE.search(value) is not None

    def found(self, context: Context) -> Value | None:
        return context.get(self._key)

    def holds(self, context: Context) -> bool:
        # "Creating a condition with multiple keys or values", "Single-valued vs. multivalued
        # condition keys".
        value = context.get(self._key)
        test = self.test
        if self.asks_presence:
            # "IAM Access Analyzer policy check reference", "Error: Null with qualifier": with a
            # set operator it tests nothing: it is always true for all, and false for any.
            if not test.single:
                return test.every
            return (value is None) in (each.lower() == "true" for each in self.values)
        if value is None:  # with a set operator, IfExists too is asked of each value: of none here
            return test.every or (test.single and (test.if_exists or test.operator.negated))
        values = values_in(value)
        if test.single:  # a multivalued key needs a set operator: without one it matches nothing
            alone = isinstance(value, str) or not catalogue.is_multivalued(self._key)
            return alone and len(values) == 1 and self._compare(values[0], context)
        if not any(values) and catalogue.is_multivalued(self._key):  # a null data set
            return test.every
        return (all if test.every else any)(self._compare(each, context) for each in values)

    def _compare(self, value: str, context: Context) -> bool:
        """Whether any value of the policy matches; if negated, whether none does."""
        negated = self.test.operator.negated
        results = (compare(value, context) is (not negated) for compare in self._comparisons)
        try:
            return (all if negated else any)(results)
        except _NoArn:  # AWS then errs on the safe side
            return self._denies

    @property
    def unreadable(self) -> tuple[str, ...]:
        """The values of the wrong type: see "value-unreadable" in findings.yaml."""
        reads = _boolean if self.asks_presence else self.test.operator.reads
        return tuple(each for each in self.values if reads(each, self.variables) is None)

    def explain(self, context: Context) -> dict[str, Any]:
        """``{operator, key, wanted: [...], found, holds}``; ``found`` is None without the key."""
        found = self.found(context)
        wanted = [glob(v).shown(context.get) if self.variables else v for v in self.values]
        return {
            "operator": self.test.written,
            "key": self.key,
            "wanted": wanted,
            "found": list(found) if isinstance(found, tuple) else found,
            "holds": self.holds(context),
        }
