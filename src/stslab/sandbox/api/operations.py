"""The operations that AWS has, from botocore's models of the four services in the sandbox."""

from __future__ import annotations

import functools
from typing import Any

import moto.core.utils

# moto makes a new loader for each model, and each of them lists all services of botocore.
_MOTO: Any = moto.core.utils
_MOTO.create_loader = functools.cache(_MOTO.create_loader)

SERVICES = ("iam", "sts", "s3", "cloudformation")

_READING = ("Get", "List", "Head", "Describe", "Simulate", "Estimate", "Validate", "Decode")
# These read by name only: each makes a session.
_WRITING = frozenset({"GetSessionToken", "GetFederationToken"})


@functools.cache
def model(service: str) -> Any:
    """The service's model, with moto's shapes, which its parsers and serializers need."""
    return _MOTO.get_service_model(service)


@functools.cache
def names(service: str) -> frozenset[str]:
    """The names of all operations that AWS's model of the service lists."""
    return frozenset(model(service).operation_names)


@functools.cache
def operation(service: str, name: str) -> Any:
    """The model of one operation.

    Raises:
        KeyError: the service has none of this name.
    """
    if name not in names(service):
        raise KeyError(name)
    return model(service).operation_model(name)


@functools.cache
def writes(name: str) -> bool:
    """Whether an operation of this name may change what is saved."""
    return name in _WRITING or not name.startswith(_READING)
