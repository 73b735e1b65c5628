"""The condition operators, a row each ("IAM JSON policy elements: Condition operators").

An operator reads a policy's value once, and gives a comparison: request value and context
to True, False, or None where the two can't be compared (a text that is no number).
"""

import base64
import ipaddress
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from stslab.policy.patterns import arn_globs, glob, no_value
from stslab.policy.request import Context

Comparison = Callable[[str, Context], bool | None]
Reader = Callable[[str, bool], Comparison | None]
"""Reads a policy's value (and whether variables are variables); None: it is not of the type."""


class Operator(msgspec.Struct, frozen=True):
    """One row: ``negated`` operators hold where their comparison does not."""

    name: str
    reads: Reader
    wants: str
    negated: bool = False
    variables: bool = False


def _text(value: str, variables: bool) -> Comparison:
    pattern = glob(value, variables=variables, wildcards=False)
    return lambda found, context: pattern.matches(found, context.single)


def _text_ignoring_case(value: str, variables: bool) -> Comparison:
    pattern = glob(value, variables=variables, wildcards=False)
    if not pattern.variables:
        folded = pattern.shown(no_value).lower()
        return lambda found, _context: found.lower() == folded
    return lambda found, context: pattern.matches_ignoring_case(found, context.single)


def _pattern(value: str, variables: bool) -> Comparison:
    pattern = glob(value, variables=variables)
    return lambda found, context: pattern.matches(found, context.single)


def _ordered(convert: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Reader:
    def reads(value: str, _variables: bool) -> Comparison | None:
        wanted = convert(value)
        if wanted is None:
            return None

        def comparison(found: str, _context: Context) -> bool | None:
            given = convert(found)
            return None if given is None else compare(given, wanted)

        return comparison

    return reads


def number(text: str) -> Decimal | None:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() and "_" not in text else None


_FIRST: Final = {len("2020"): "-01-01", len("2020-01"): "-01"}


def _completed(text: str) -> str:
    """A year, or a year and a month, as its first day."""
    is_date = text[:4].isdigit() and (len(text) == len("2020") or text[4:5] == "-")
    return text + _FIRST.get(len(text), "") if is_date else text


def moment(text: str) -> datetime | None:
    """A time in an ISO 8601 form of W3C, or in seconds since 1970, or None.

    Four digits are a year.
    """
    text = _completed(text)
    seconds = number(text) if text[:1].isdigit() or text[:1] == "-" else None
    try:
        if seconds is not None:
            return datetime.fromtimestamp(float(seconds), UTC)
        value = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _within(value: str, _variables: bool) -> Comparison | None:
    """An address without a prefix is a network of one ("IP address condition operators")."""
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None

    def comparison(found: str, _context: Context) -> bool | None:
        try:
            return ipaddress.ip_address(found) in network
        except ValueError:
            return None

    return comparison


_TRUTHS: Final = {"true": True, "false": False}


def _boolean(value: str, variables: bool) -> Comparison | None:
    if value.lower() not in _TRUTHS and not (variables and "${" in value):
        return None
    same = _text_ignoring_case(value, variables)

    def comparison(found: str, context: Context) -> bool | None:
        return None if found.lower() not in _TRUTHS else same(found, context)

    return comparison


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _binary(value: str, _variables: bool) -> Comparison | None:
    """The request's value is compared as it is, and in its base-64 form."""
    try:
        wanted = base64.b64decode(value, validate=True)
    except ValueError:
        return None
    return lambda found, _context: found == value or _bytes(found) == wanted


_COMPONENTS: Final = 6


def _arn(value: str, variables: bool) -> Comparison | None:
    """Each of the six components by itself; ``*`` alone is any ARN."""
    components = arn_globs(value, variables=variables)
    if components is None:
        return _any_arn if value == "*" else None

    def comparison(found: str, context: Context) -> bool | None:
        parts = found.split(":", _COMPONENTS - 1)
        if len(parts) != _COMPONENTS:
            return None
        return all(
            pattern.matches(part, context.single)
            for pattern, part in zip(components, parts, strict=True)
        )

    return comparison


def _any_arn(found: str, _context: Context) -> bool | None:
    return found.startswith("arn:") or None


def _unread(_value: str, _variables: bool) -> None:
    """``Null`` compares nothing: it looks whether there is a value."""


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
    Operator("StringLike", _pattern, "text", variables=True),
    *(Operator(f"Numeric{how}", _ordered(number, by), "a number") for how, by in _ORDERS.items()),
    *(Operator(f"Date{how}", _ordered(moment, by), "a date") for how, by in _ORDERS.items()),
    Operator("Bool", _boolean, "true or false", variables=True),
    Operator("BinaryEquals", _binary, "base-64 text"),
    Operator("IpAddress", _within, "an IP address or a CIDR range"),
    Operator("ArnEquals", _arn, "an ARN", variables=True),
    Operator("ArnLike", _arn, "an ARN", variables=True),
    Operator("Null", _unread, "true or false"),
)
_NEGATED: Final = {
    "StringEquals": "StringNotEquals",
    "StringEqualsIgnoreCase": "StringNotEqualsIgnoreCase",
    "StringLike": "StringNotLike",
    "NumericEquals": "NumericNotEquals",
    "DateEquals": "DateNotEquals",
    "IpAddress": "NotIpAddress",
    "ArnEquals": "ArnNotEquals",
    "ArnLike": "ArnNotLike",
}

OPERATORS: Final[Mapping[str, Operator]] = {
    each.name.lower(): each
    for row in _POSITIVE
    for each in (row, replace(row, name=_NEGATED.get(row.name, ""), negated=True))
    if each.name
}
"""The operators by lower-case name."""
