"""From a policy's text, or its JSON object, to a :class:`Policy`."""

import marshal
import re
from collections.abc import Mapping, Sequence
from json import JSONDecoder
from typing import Any, Final

from stslab.errors import MalformedPolicy
from stslab.policy.documents import jsontext
from stslab.policy.documents.document import Policy
from stslab.policy.documents.elements import SYNTAX
from stslab.policy.documents.grammar import read_policy
from stslab.policy.remembered import Remembered
from stslab.policy.vocabulary import PolicyKind

_INVALID_JSON: Final = "This policy contains invalid Json"
_WITHOUT_SHARED: Final = 2  # the last marshal version whose bytes depend on values alone
_MOST: Final = 1024
_remembered: Final = Remembered[tuple[PolicyKind, bytes], Policy](_MOST)
_by_text: Final = Remembered[tuple[PolicyKind, str], Policy](_MOST)


def parse(source: str | Mapping[str, Any], kind: PolicyKind) -> Policy:
    """Read a policy that is used as ``kind``.

    Policies are read once: the same text, or an equal object, gives the same Policy. The
    object must not be changed afterwards.

    Raises:
        MalformedPolicy: IAM would refuse the policy; the message is IAM's, the hint says where.
    """
    if isinstance(source, str):
        return _parse_text(source, kind)
    key = kind, fingerprint(source)
    found = _remembered.get(key)
    if found is None:
        found = Policy(kind, source, read_policy(source, kind))
        _remembered.keep(key, found, len(key[1]))
    return found


def forget() -> None:
    """Read every policy anew from now on."""
    _remembered.clear()
    _by_text.clear()


def fingerprint(value: object) -> bytes:
    """What is the same for JSON values that are, and differs where they do.

    Raises:
        MalformedPolicy: there are values that JSON does not know, or it is nested too deeply.
    """
    try:
        return marshal.dumps(value, _WITHOUT_SHARED)  # type: ignore[arg-type]  # JSON values
    except (TypeError, ValueError) as error:
        raise MalformedPolicy(SYNTAX, "It has values that JSON does not know.") from error


def _parse_text(text: str, kind: PolicyKind) -> Policy:
    found = _by_text.get((kind, text))
    if found is None:
        found = _read_text(text, kind)
        _by_text.keep((kind, text), found, len(text))
    return found


def _read_text(text: str, kind: PolicyKind) -> Policy:
    document = _decoded(_plain, text)
    policy = Policy(kind, document, read_policy(document, kind))
    if may_have_twins(text, policy.keys):
        load(text)
    return policy


def may_have_twins(text: str, keys: int) -> bool:
    """Whether an object in ``text`` may have a key twice, of which readers keep the last only.

    Where it has as many colons behind quotation marks as there are ``keys`` in what was read
    of it, there is none, unless escapes hide some of them. Where it has not, there may be other
    causes: :func:`load` tells.
    """
    return text.count('":') != keys or "\\" in text or _SPACED.search(text) is not None


_SPACED: Final = re.compile(r'"\s+:')


def load(text: str) -> Any:
    """The JSON value in ``text``.

    Raises:
        MalformedPolicy: it is no JSON, or an object in it has a key twice.
    """
    return _decoded(_careful, text)


def _decoded(decoder: JSONDecoder, text: str) -> Any:
    try:
        return decoder.decode(text)
    except (ValueError, RecursionError) as error:
        problem = jsontext.problem(text, error)
        raise MalformedPolicy(_INVALID_JSON, f"{problem[0].upper()}{problem[1:]}.") from error


def _without_twins(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; "Policy grammar notes": no element may be in it twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twin = next(key for key in keys if keys.count(key) > 1)
        raise MalformedPolicy(SYNTAX, f"The element {twin!r} is there twice.")
    return found


_careful: Final = jsontext.decoder(_without_twins)
_plain: Final = jsontext.decoder()
