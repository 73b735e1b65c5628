"""The request, and the values of its condition keys."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from stslab.policy.arn import account_of
from stslab.policy.principal import Principal

Value = str | tuple[str, ...]
"""What a key holds: one value, or several (a tuple) where the key is multivalued."""

_NOTHING: Final[Mapping[str, Value]] = MappingProxyType({})


class Request(NamedTuple):
    """What is to be decided: may ``principal`` do ``action`` to ``resource``?

    ``resource`` is an ARN, or ``*`` for an action that has no resource. ``context`` maps
    condition keys to a value, or to several; what follows from the principal and from the
    resource's account is added to it and need not be given. ``resource_account`` owns the
    resource: by default the account in its ARN, and the principal's where that names none.
    """

    principal: Principal
    action: str
    resource: str
    context: Mapping[str, str | Sequence[str]] = _NOTHING
    resource_account: str | None = None

    @property
    def owner(self) -> str:
        if self.resource_account is not None:
            return self.resource_account
        return account_of(self.resource) or self.principal.account


class Context:
    """The values of a request's condition keys, by name, whatever the name's case.

    "IAM JSON policy elements: Condition": key names, those of tags included, are not
    case-sensitive. Of tags that differ in case only, the one written as the policy writes it
    counts, else the first.
    """

    __slots__ = ("_request", "_twins", "_values")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._values: Mapping[str, Value] | None = None
        self._twins: Mapping[str, Value] = _NOTHING

    def get(self, key: str, written: str = "") -> Value | None:
        """What ``key`` (lower case; ``written`` is how the policy writes it) holds, or None.

        A key that holds an empty list is absent.
        """
        values = self._values
        if values is None:
            values = self._values = self._read()
        value = self._twins.get(written) or values.get(key)
        return None if value == () else value

    def _read(self) -> Mapping[str, Value]:
        """By lower-case name; what is given wins over what follows."""
        principal, _, _, context, _ = self._request
        given: dict[str, Value] = {
            key: value if isinstance(value, str) else tuple(value) for key, value in context.items()
        }
        lower = {key.lower(): value for key, value in given.items()}
        if len(lower) != len(given):
            self._twins = given
            lower = {key.lower(): given[key] for key in reversed(given)}
        return {**principal.context, "aws:resourceaccount": self._request.owner or (), **lower}

    def single(self, key: str) -> str | None:
        """What a policy variable stands for; a multivalued key can't be one."""
        value = self.get(key)
        return value if isinstance(value, str) else None
