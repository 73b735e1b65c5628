"""Conditions: an operator, a key and its values, put to a request's context."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from stslab.policy.conditions.operators import OPERATORS, Comparison, Operator
from stslab.policy.context import Context, Value
from stslab.policy.patterns.glob import glob
from stslab.policy.remembered import remembered

_IF_EXISTS: Final = "ifexists"


class Quantifier(StrEnum):
    """How an operator treats a key with several values in the request."""

    NONE = ""
    ALL = "ForAllValues"
    ANY = "ForAnyValue"


_QUANTIFIERS: Final = {each.value.lower(): each for each in Quantifier}


@dataclass(frozen=True, slots=True)
class Test:
    """An operator as a policy names it: ``ForAnyValue:StringLikeIfExists``."""

    written: str
    operator: Operator
    quantifier: Quantifier
    if_exists: bool


@remembered(256)
def read_test(written: str) -> Test | None:
    """What ``written`` asks, or None where IAM knows no such operator.

    ``IfExists`` may end any operator but ``Null`` ("...IfExists condition operators").
    """
    before, colon, name = written.rpartition(":")
    quantifier = _QUANTIFIERS.get(before.lower()) if colon else Quantifier.NONE
    if quantifier is None or (colon and quantifier is Quantifier.NONE):
        return None
    lower = name.lower()
    if_exists = lower.endswith(_IF_EXISTS)
    found = OPERATORS.get(lower.removesuffix(_IF_EXISTS))
    if found is None or (if_exists and found.name == "Null"):
        return None
    return Test(written, found, quantifier, if_exists)


class Condition:
    """One key of one operator, with the values that a policy gives.

    ``variables``: some of the values have policy variables.
    """

    __slots__ = ("_comparisons", "_key", "_null", "key", "test", "values", "variables")

    def __init__(self, test: Test, key: str, values: Sequence[str], *, variables: bool) -> None:
        self.test = test
        self.key = key
        self.values = tuple(values)
        self.variables = variables and test.operator.variables and "${" in "".join(values)
        self._key = key.lower()
        self._null = test.operator.name == "Null"
        self._comparisons: Sequence[Comparison | None] = [
            test.operator.reads(value, self.variables) for value in values
        ]

    def holds(self, context: Context) -> bool:
        """Whether the condition is true of the request.

        "Creating a condition with multiple keys or values" and "Single-valued vs.
        multivalued condition keys" say what several values mean, on either side.
        """
        value = context.get(self._key, self.key)
        if self._null:
            return self._holds_null(value)
        if value is None:
            return self._holds_absent()
        if self.test.quantifier is Quantifier.NONE:
            return self._holds_single(value, context)
        return self._holds_set(value, context)

    def _holds_null(self, value: Value | None) -> bool:
        """With a set operator it asks nothing: ForAllValues is true, and ForAnyValue false.

        "IAM Access Analyzer policy check reference", "Error: Null with qualifier".
        """
        if self.test.quantifier is not Quantifier.NONE:
            return self.test.quantifier is Quantifier.ALL
        return ("true" if value is None else "false") in map(str.lower, self.values)

    def _holds_absent(self) -> bool:
        test = self.test
        if test.if_exists or test.quantifier is Quantifier.ALL:
            return True
        return test.operator.negated and test.quantifier is Quantifier.NONE

    def _holds_single(self, value: Value, context: Context) -> bool:
        """Several values need a set operator: without one they match nothing."""
        if isinstance(value, str):
            return self._compare(value, context)
        return len(value) == 1 and self._compare(value[0], context)

    def _holds_set(self, value: Value, context: Context) -> bool:
        """A set of empty texts only is a null data set: true for all, false for any."""
        values = (value,) if isinstance(value, str) else value
        every = self.test.quantifier is Quantifier.ALL
        if not any(values):
            return every
        return (all if every else any)(self._compare(each, context) for each in values)

    def _compare(self, value: str, context: Context) -> bool:
        """Several values of the policy: any of them, or none of them where negated."""
        if not self.test.operator.negated:
            return any(
                compare is not None and compare(value, context) is True
                for compare in self._comparisons
            )
        return all(
            compare is not None and compare(value, context) is False
            for compare in self._comparisons
        )

    @property
    def unreadable(self) -> tuple[str, ...]:
        """The values that are not of the operator's type, which never match."""
        if self._null:
            return tuple(each for each in self.values if each.lower() not in {"true", "false"})
        return tuple(
            value
            for value, comparison in zip(self.values, self._comparisons, strict=True)
            if comparison is None
        )

    def found(self, context: Context) -> Value | None:
        """What the request has for the key."""
        return context.get(self._key, self.key)

    def wanted(self, context: Context) -> list[str]:
        """The policy's values, with the values of their variables."""
        if not self.variables:
            return list(self.values)
        return [glob(value).shown(context.single) for value in self.values]

    def explain(self, context: Context) -> dict[str, Any]:
        """What was compared: ``{operator, key, wanted: [...], found, holds}``.

        ``found`` is None where the request has no such key. Variables have their values.
        """
        found = self.found(context)
        return {
            "operator": self.test.written,
            "key": self.key,
            "wanted": self.wanted(context),
            "found": list(found) if isinstance(found, tuple) else found,
            "holds": self.holds(context),
        }
