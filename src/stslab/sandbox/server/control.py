"""Control requests: requests to the embedded account itself, beside AWS's API.

A control request has a path under ``/_stslab/`` and the account's token in a header. Without
the right token the same path is an S3 path like any other, and S3 answers it: a caller that
does not know the token can't tell that control requests exist.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stslab.errors import StslabError
from stslab.sandbox.api.model import ApiResponse, HttpRequest
from stslab.sandbox.server.files import TOKEN_HEADER, Json

PREFIX = "/_stslab/"
_OK, _REFUSED, _UNKNOWN = 200, 400, 404
Reply = Mapping[str, object]  # a verb's answer: a JSON object


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """One control request: ``GET`` reads, ``POST`` changes. ``body`` is its JSON object."""

    method: str
    arguments: Mapping[str, str]
    body: Json = field(repr=False)


Verb = Callable[[ControlRequest], Reply]
"""Carries out one control request. The message and hint of a StslabError reach the caller."""


def admitted(request: HttpRequest, token: str, verbs: Mapping[str, Verb]) -> ApiResponse | None:
    """The answer to a control request with the right token; None for any other request."""
    sent = request.header(TOKEN_HEADER).encode("latin-1")
    if not request.path.startswith(PREFIX) or not hmac.compare_digest(sent, token.encode()):
        return None
    name = request.path.removeprefix(PREFIX)
    if name not in verbs:
        return _json(_UNKNOWN, {"error": f"There is no control verb {name!r}."})
    try:
        body = json.loads(request.body or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return _json(_REFUSED, {"error": "The body of a control request must be a JSON object."})
    try:
        return _json(_OK, verbs[name](ControlRequest(request.method, dict(request.query), body)))
    except StslabError as error:
        return _json(_REFUSED, {"error": error.message, "hint": error.hint})


def _json(status: int, content: Reply) -> ApiResponse:
    kind = (("Content-Type", "application/json"),)
    return ApiResponse(status, kind, json.dumps(content).encode())
