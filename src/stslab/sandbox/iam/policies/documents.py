"""Policy documents as they are put: readable, of the right kind, within their quotas.

IAM User Guide, "IAM and AWS STS quotas": white space does not count.
"""

from collections.abc import Iterable

from stslab.errors import MalformedPolicy
from stslab.policy import PolicyKind, parse
from stslab.sandbox.api import principals
from stslab.sandbox.iam import faults
from stslab.sandbox.state.snapshot import View

_MANAGED = 6144
_TRUST = 2048


def identity(text: str) -> str:
    """``text``, an identity-based policy that IAM would keep.

    Raises:
        ApiFault: MalformedPolicyDocument.
    """
    _parse(text, PolicyKind.IDENTITY)
    return text


def managed(text: str) -> str:
    """``text``, a managed policy's, within the quota for one."""
    if size(text) > _MANAGED:
        raise faults.quota("PolicySize", _MANAGED)
    return identity(text)


def trusted(text: str, view: View) -> str:
    """A trust policy as it is kept: principals by unique id, found in ``view``."""
    if size(text) > _TRUST:
        raise faults.quota("ACLSizePerRole", _TRUST)
    _parse(text, PolicyKind.TRUST)
    return principals.kept(text, view)


def size(text: str) -> int:
    """The characters of a document that count against quotas."""
    return len("".join(text.split()))


def total(texts: Iterable[str]) -> int:
    """The characters that count of all documents together."""
    return sum(map(size, texts))


def _parse(text: str, kind: PolicyKind) -> None:
    try:
        parse(text, kind)
    except MalformedPolicy as error:
        raise faults.malformed_policy(error.message) from error
