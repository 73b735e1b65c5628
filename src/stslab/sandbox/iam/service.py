"""The whole Identity and Access Management service, as two tables of operations.

An operation's handler is the function of its name in one of these modules: ``create_user`` for
CreateUser. One that gets a ``tx`` writes, one that gets a ``view`` reads. Operations that are the
same for several kinds of things are in a module's own tables, ``READS`` and ``WRITES``.
"""

from functools import partial
from types import FunctionType, ModuleType

from stslab.sandbox.api.services import Judge, Read, Reads, Write, Writes
from stslab.sandbox.iam import (
    account,
    credentials,
    mfa,
    needs,
    policies,
    providers,
    roles,
    simulation,
    tagging,
    users,
)

_MODULES: tuple[ModuleType, ...] = (
    account,
    credentials,
    mfa,
    policies,
    providers,
    roles,
    simulation,
    tagging,
    users,
)
_SPELLED = {"id": "ID", "mfa": "MFA", "saml": "SAML"}


class IamService:
    """IAM. ``judge`` knows which of the principals in trust policies there are by now."""

    def __init__(self, judge: Judge) -> None:
        reads: dict[str, Read] = {}
        writes: dict[str, Write] = {}
        for module in _MODULES:
            reads |= getattr(module, "READS", {}) | _named(module, "view")
            writes |= getattr(module, "WRITES", {}) | _named(module, "tx")
        for name, handler in _named(module=roles, first="judge").items():
            writes[name] = partial(handler, judge)
        self.reads: Reads = reads
        self.writes: Writes = writes
        self.needs = needs.of


def _named(module: ModuleType, first: str) -> dict[str, FunctionType]:
    """The handlers in a module whose first parameter has this name, by their operations."""
    return {
        "".join(_SPELLED.get(word, word.title()) for word in name.split("_")): found
        for name, found in vars(module).items()
        if isinstance(found, FunctionType)
        and found.__module__ == module.__name__
        and found.__code__.co_varnames[:1] in ((first,), (f"_{first}",))
        and "request" in found.__code__.co_varnames[: found.__code__.co_argcount]
        and not name.startswith("_")
    }
