"""What the sandbox answers where moto stumbles over a request."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.exceptions import HTTPException

from stslab.sandbox.api import operations
from stslab.sandbox.api.failures import where
from stslab.sandbox.api.model import ApiFault, ApiRequest

_LOG = logging.getLogger(__name__)
_NOT_IMPLEMENTED = 501
MALFORMED_XML = (
    "The XML you provided was not well-formed or did not validate against our published schema"
)


@contextmanager
def carried_out(request: ApiRequest) -> Iterator[None]:
    """Let moto carry the request out; whatever it raises becomes an answer.

    moto reads some bodies with little care, and what it can't read it stumbles over: that is
    the request's fault, and no input may make the sandbox fail.
    """
    try:
        yield
    except ApiFault:
        raise
    except NotImplementedError:
        raise ApiFault(
            "NotImplemented",
            f"The sandbox does not implement {request.service}:{request.operation} so far.",
            _NOT_IMPLEMENTED,
        ) from None
    except HTTPException as error:
        name = getattr(error, "error_type", None) or error.name.replace(" ", "")
        message = getattr(error, "message", None) or error.description or ""
        raise ApiFault(name, str(message), error.code or 400) from None
    except Exception as error:  # noqa: BLE001 - no input may make the sandbox fail, whatever moto trips over
        named = f"{request.service}:{request.operation}"
        _LOG.error("%s could not be carried out\n%s", named, where(error))
        raise _unreadable(request) from None


def _unreadable(request: ApiRequest) -> ApiFault:
    if request.service != "s3":
        message = f"The sandbox could not carry out {request.operation} with these parameters."
        return ApiFault("ValidationError", message)
    if operations.operation("s3", request.operation).input_shape.serialization.get("payload"):
        return ApiFault("MalformedXML", MALFORMED_XML)
    return ApiFault("InvalidRequest", f"The parameters of {request.operation} are not valid.")
