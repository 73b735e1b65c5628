"""From a policy's text, or its JSON object, to a :class:`Policy`.

JSON is what RFC 8259 says, where Python's reader takes more.
"""

import json
import marshal
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from stslab.errors import MalformedPolicy
from stslab.policy.documents.document import Policy
from stslab.policy.documents.elements import SYNTAX
from stslab.policy.documents.grammar import read_policy
from stslab.policy.remembered import remembered
from stslab.policy.vocabulary import PolicyKind

_INVALID_JSON: Final = "This policy contains invalid Json"
_WITHOUT_SHARED: Final = 2  # the last marshal version whose bytes depend on values alone
_POLICIES: Final = 1024
_LARGEST: Final = 20_480  # characters: bucket policies have no more
_UTF_16: Final = ("\udcff\udcfe", "\udcfe\udcff")
"""How a text begins that is UTF-16, read as UTF-8 with its bytes escaped."""


def parse(source: str | Mapping[str, Any], kind: PolicyKind) -> Policy:
    """Read a policy that is used as ``kind``.

    Policies are read once: the same text, or an equal object, gives the same Policy.

    Raises:
        MalformedPolicy: IAM would refuse the policy; the message is IAM's, the hint says where.
    """
    if isinstance(source, str):
        return _parse_text(source, kind)
    try:
        value = marshal.dumps(source, _WITHOUT_SHARED)  # type: ignore[arg-type]  # JSON values
    except (TypeError, ValueError) as error:
        raise MalformedPolicy(SYNTAX, "It has values that JSON does not know.") from error
    return _parse_value(value, kind)


@remembered(_POLICIES, _LARGEST)
def _parse_text(text: str, kind: PolicyKind) -> Policy:
    document = load(text)
    return Policy(kind, document, read_policy(document, kind))


@remembered(_POLICIES, _LARGEST)
def _parse_value(value: bytes, kind: PolicyKind) -> Policy:
    document = marshal.loads(value)  # noqa: S302  # what was dumped just now
    return Policy(kind, document, read_policy(document, kind))


def load(text: str) -> Any:
    """The JSON value in a policy's text.

    Raises:
        MalformedPolicy: it is no JSON, or an object in it has a key twice.
    """
    try:
        return decode(text)
    except (ValueError, RecursionError) as error:
        problem = json_problem(text, error)
        raise MalformedPolicy(_INVALID_JSON, f"{problem[0].upper()}{problem[1:]}.") from error


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; "Policy grammar notes": no element may be in it twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twin = next(key for key in keys if keys.count(key) > 1)
        raise MalformedPolicy(SYNTAX, f"The element {twin!r} is there twice.")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


decode: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite
).decode
"""Reads JSON; NaN, Infinity, and numbers that no float can hold are none.

Raises ValueError, or RecursionError where the text is nested too deeply, of which
:func:`json_problem` tells; and MalformedPolicy where an object has a key twice.
"""


def json_problem(text: str, error: ValueError | RecursionError) -> str:
    """What is wrong with a text that can't be decoded, without a full stop."""
    if text.startswith(_UTF_16):
        return "it is UTF-16; save it as UTF-8"
    if not text or text.isspace():
        return "it is empty"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        lines = text.count("\n", 0, len(text) - 1)
        where = f"line {error.lineno}, column {error.colno}" if lines else f"column {error.colno}"
        return f"{error.msg.removesuffix(' at')} at {where}"
    if "integer string" in str(error):
        return "a number has too many digits"
    return str(error)
