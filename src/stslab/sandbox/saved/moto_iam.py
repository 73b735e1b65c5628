"""IAM as moto carries it out: its operations called directly, with what was authorized.

No HTTP request reaches moto: its response object is given the parameters that the gate read
and the account that the gate chose, so there is nothing in it that was not authorized.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.serialize import XFormedAttributePicker
from moto.core.utils import camelcase_to_underscores
from moto.iam.responses import IamResponse

from stslab.sandbox.api import operations, serialize
from stslab.sandbox.api.model import ApiFault, ApiRequest, ApiResponse
from stslab.sandbox.saved.moto_faults import carried_out

_PICKER_RULES: dict[str, Any] = IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER
_NOT_FOUND = 404
_CONFLICT = 409
# HTTP statuses other than 400 (IAM API Reference, "Errors" of each operation).
_STATUSES: Mapping[str, int] = {
    "NoSuchEntity": _NOT_FOUND,
    "EntityAlreadyExists": _CONFLICT,
    "DeleteConflict": _CONFLICT,
    "LimitExceeded": _CONFLICT,
    "EntityTemporarilyUnmodifiable": _CONFLICT,
    "ConcurrentModification": _CONFLICT,
}


@functools.cache
def names() -> frozenset[str]:
    """The operations of IAM that moto has."""
    methods = set(dir(IamResponse))
    return frozenset(
        name for name in operations.names("iam") if camelcase_to_underscores(name) in methods
    )


def answer(request: ApiRequest) -> ApiResponse:
    """Carry the request out, and answer in the Query protocol.

    Raises:
        ApiFault: what IAM answers where it can't be.
    """
    with carried_out(request):
        result = _result(request)
    picker = XFormedAttributePicker(response_transformers=_PICKER_RULES)
    return serialize.result("iam", request.operation, result, request.request_id, picker)


def _result(request: ApiRequest) -> object:
    response: Any = IamResponse()
    response.params = _params(request)
    response.uri_match = {}
    response.current_account = request.account
    response.access_key = request.caller.access_key_id
    response.region = request.region
    response.partition = "aws"
    response.headers = {}
    response.response_headers = {}
    try:
        result = getattr(response, camelcase_to_underscores(request.operation))()
    except ServiceException as error:
        raise _fault(error) from None
    return result.result if isinstance(result, ActionResult) else {}


def _params(request: ApiRequest) -> Mapping[str, Any]:
    """The parameters; who names no user where one may be left out means themselves."""
    shape = operations.operation("iam", request.operation).input_shape
    optional = shape is not None and "UserName" in shape.members.keys() - shape.required_members
    if optional and not request.params.get("UserName"):
        return {**request.params, "UserName": request.caller.user_name}
    return request.params


def _fault(error: ServiceException) -> ApiFault:
    return ApiFault(error.code, error.message, _STATUSES.get(error.code, 400))
