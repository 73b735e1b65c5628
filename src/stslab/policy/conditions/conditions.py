"""Conditions: an operator, a key and its values, put to a request's context."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from stslab.policy.conditions.operators import OPERATORS, Comparison, Operator
from stslab.policy.patterns import glob
from stslab.policy.remembered import remembered
from stslab.policy.request import Context

_IF_EXISTS: Final = "ifexists"


class Quantifier(StrEnum):
    """How an operator treats a key with several values in the request."""

    NONE = ""
    ALL = "ForAllValues"
    ANY = "ForAnyValue"


_QUANTIFIERS: Final = {each.value.lower(): each for each in Quantifier}


class Test(msgspec.Struct, frozen=True):
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
        test = self.test
        every, single = test.quantifier is Quantifier.ALL, test.quantifier is Quantifier.NONE
        if self._null:
            # "IAM Access Analyzer policy check reference", "Error: Null with qualifier": with a
            # set operator it asks nothing, and is true for all, false for any.
            if not single:
                return every
            return ("true" if value is None else "false") in map(str.lower, self.values)
        if value is None:
            return test.if_exists or every or (test.operator.negated and single)
        values = (value,) if isinstance(value, str) else value
        if single:  # several values need a set operator: without one they match nothing
            return len(values) == 1 and self._compare(values[0], context)
        if not any(values):  # empty texts only: a null data set
            return every
        return (all if every else any)(self._compare(each, context) for each in values)

    def _compare(self, value: str, context: Context) -> bool:
        """Several values of the policy: any of them, or none of them where negated."""
        negated = self.test.operator.negated
        found = (
            compare is not None and compare(value, context) is (not negated)
            for compare in self._comparisons
        )
        return (all if negated else any)(found)

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

    def explain(self, context: Context) -> dict[str, Any]:
        """What was compared: ``{operator, key, wanted: [...], found, holds}``.

        ``found`` is None where the request has no such key. Variables have their values.
        """
        found = context.get(self._key, self.key)
        wanted = list(self.values)
        if self.variables:
            wanted = [glob(value).shown(context.single) for value in self.values]
        return {
            "operator": self.test.written,
            "key": self.key,
            "wanted": wanted,
            "found": list(found) if isinstance(found, tuple) else found,
            "holds": self.holds(context),
        }
