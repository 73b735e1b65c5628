"""What a request asks for: its service, its operation and its parameters.

The service is the one that the signature was made for. The operation and the parameters come
from one place each; whatever could be read in two ways is refused.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from stslab.sandbox.api import operations, query
from stslab.sandbox.api.model import ApiFault, HttpRequest, Pairs
from stslab.sandbox.s3.requests import address, params

FORM = "application/x-www-form-urlencoded"
_MAX_PAIRS = 10_000

Named = tuple[str, Mapping[str, Any]]


def name_query(service: str, http: HttpRequest) -> Named:
    """The operation and parameters of a request to IAM, STS or CloudFormation.

    Raises:
        ApiFault: the request names no operation of the service, or does so ambiguously (IAM
            API Reference, "Common Error Types").
    """
    given = dict(_pairs(http))
    action, version = given.pop("Action", ""), given.pop("Version", "")
    if not action:
        raise ApiFault("MissingAction", "The request must contain the parameter Action.")
    known = operations.model(service).metadata["apiVersion"]
    if version != known or action not in operations.names(service):
        raise ApiFault(
            "InvalidAction",
            f"Could not find operation {action} for version {version or 'NO_VERSION_SPECIFIED'}",
        )
    shape = operations.operation(service, action).input_shape
    return action, query.parse(shape, given.items())


def _pairs(http: HttpRequest) -> Pairs:
    if http.method not in ("GET", "POST"):
        raise ApiFault("InvalidAction", f"{http.method} is not a method of this service.")
    if http.path != "/":
        raise ApiFault("InvalidAction", "The service answers at the path / only.", 404)
    pairs = tuple(pair for pair in http.query if not _authenticates(pair[0])) + _form(http)
    if len(pairs) > _MAX_PAIRS:
        raise ApiFault("InvalidQueryParameter", "The request has too many parameters.")
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ApiFault("InvalidQueryParameter", f"The parameter {twice} is given more than once.")
    return pairs


def _authenticates(name: str) -> bool:
    return name.lower().startswith("x-amz-")


def _form(http: HttpRequest) -> Pairs:
    if http.method == "GET" or not http.body:
        return ()
    if http.header("Content-Type", FORM).split(";")[0].strip().lower() != FORM:
        raise ApiFault("InvalidAction", f"The body of a request must be {FORM}.")
    try:
        text = http.body.decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PAIRS, errors="strict")
    except ValueError:
        raise ApiFault("MalformedInput", "Request body is malformed") from None
    return tuple(pairs)


def name_s3(http: HttpRequest) -> Named:
    """The operation and parameters of a request to S3.

    Raises:
        ApiFault: the request names no operation, or names it ambiguously.
    """
    where = address.address(http)
    operation = address.operation(http, where)
    return operation, params.parse(operation, http, where)


def speaks_json(service: str, http: HttpRequest) -> bool:
    """Whether a request is to a service that the sandbox lacks, in a protocol of JSON's."""
    if service in operations.SERVICES:
        return False
    is_json = "json" in http.header("Content-Type") or http.has_header("X-Amz-Target")
    return is_json or http.path != "/"


def name(service: str, http: HttpRequest) -> Named:
    """The operation and parameters of a request that was signed for ``service``.

    Raises:
        ApiFault: the sandbox has no such service, or the request names no operation of it.
    """
    if service not in operations.SERVICES:
        raise ApiFault(
            "UnsupportedOperation",
            f"The sandbox does not implement the service {service}. "
            "It has iam, sts, s3 and cloudformation.",
        )
    return name_s3(http) if service == "s3" else name_query(service, http)
