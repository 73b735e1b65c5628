"""Which operations the sandbox has, who carries each out, and what each needs.

An operation that is not here is refused: nothing is passed on because nobody forbade it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiFault, ApiRequest, ApiResponse
from stslab.sandbox.api.need import NeedsOf
from stslab.sandbox.iam import needs as iam_needs
from stslab.sandbox.pipeline import other_needs
from stslab.sandbox.s3.requests import needs as s3_needs

Handler = Callable[[ApiRequest], Mapping[str, Any]]
Backend = Callable[[ApiRequest], ApiResponse]

NOT_IMPLEMENTED = 501

Names = Callable[[], frozenset[str]]
"""Tells names of operations when asked: AWS's models are read when the first request comes."""

_NEEDS: Mapping[str, tuple[Names, NeedsOf]] = {
    "iam": (lambda: operations.names("iam"), iam_needs.of),
    "sts": (lambda: operations.names("sts"), other_needs.of_sts),
    "cloudformation": (lambda: operations.names("cloudformation"), other_needs.of_cloudformation),
    "s3": (lambda: s3_needs.OPERATIONS, s3_needs.of),
}


_NONE: tuple[Names, None] = (frozenset, None)


class Service(Protocol):
    """A service of the sandbox's own: operation names, each with what carries it out.

    A handler returns the members of the output as boto3 would return them, or raises ApiFault.
    """

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The operations that the service has."""
        ...


class Registry:
    """The services' own handlers, and behind them the backends that moto has."""

    def __init__(self) -> None:
        self._handlers: dict[tuple[str, str], Handler] = {}
        self._backends: dict[str, tuple[Names, Backend]] = {}

    def register(self, service: str, own: Service) -> None:
        """Let ``own`` carry out its operations of ``service``, before any backend."""
        for operation, handler in own.handlers.items():
            self._handlers[service, operation] = handler

    def register_backend(self, service: str, names: Names, backend: Backend) -> None:
        """Let ``backend`` carry out these operations where no handler does."""
        self._backends[service] = names, backend

    def handler(self, service: str, operation: str) -> Handler | None:
        """The handler of an operation, or None."""
        return self._handlers.get((service, operation))

    def backend(self, service: str, operation: str) -> Backend | None:
        """The backend of an operation, or None."""
        names, backend = self._backends.get(service, _NONE)
        return backend if operation in names() else None

    def knows(self, service: str, operation: str) -> bool:
        """Whether something carries the operation out."""
        return (service, operation) in self._handlers or (
            self.backend(service, operation) is not None
        )

    def implemented(self, service: str) -> frozenset[str]:
        """The operations of a service that something carries out."""
        own = {operation for owner, operation in self._handlers if owner == service}
        names, _ = self._backends.get(service, _NONE)
        return names() | own


def needs_of(service: str, operation: str) -> NeedsOf:
    """What names the needs of an operation.

    Raises:
        ApiFault: the operation is not mapped to any action, and is refused.
    """
    mapped, needs = _NEEDS.get(service, _NONE)
    if needs is None or operation not in mapped():
        raise unsupported(service, operation)
    return needs


def unsupported(service: str, operation: str) -> ApiFault:
    """The refusal of an operation that AWS has and the sandbox has not."""
    message = f"The sandbox does not implement {service}:{operation}."
    if service == "s3":
        return ApiFault("NotImplemented", message, NOT_IMPLEMENTED)
    return ApiFault("UnsupportedOperation", message)
