"""The operations that AWS has, from botocore's models of the four services in the sandbox."""

import functools
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

Shape = Any
"""A shape of botocore's, which has no types."""
SERVICES = ("iam", "sts", "s3", "cloudformation")


@functools.cache
def model(service: str) -> ServiceModel:
    """The service's model."""
    return ServiceModel(_loader().load_service_model(service, "service-2"), service)


@functools.cache
def _loader() -> Loader:
    return Loader()


@functools.cache
def names(service: str) -> frozenset[str]:
    """The names of all operations that AWS's model of the service lists."""
    return frozenset(model(service).operation_names)


@functools.cache
def operation(service: str, name: str) -> OperationModel:
    """The model of one operation.

    Raises:
        KeyError: the service has none of this name.
    """
    if name not in names(service):
        raise KeyError(name)
    return model(service).operation_model(name)


def method(operation: OperationModel) -> str:
    """The HTTP method of an operation."""
    return str(operation.http.get("method", "POST"))


def literals(operation: OperationModel) -> Mapping[str, str]:
    """What the query string of an operation always has, as S3's ``?policy``."""
    uri = str(operation.http.get("requestUri", "/"))
    return dict(parse_qsl(uri.partition("?")[2], keep_blank_values=True))


def path(operation: OperationModel) -> str:
    """The path of an operation, with its placeholders."""
    return str(operation.http.get("requestUri", "/")).partition("?")[0]
