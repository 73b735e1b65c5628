"""Control requests: what may be asked of the account itself by those who can read its token.

A control request is a request to a path under ``/_stslab/`` *with* the token in its header.
Without the right token the same path is an S3 path like any other, answered as S3 does: a
caller that does not know the token can't even tell that there is something to control.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from stslab.errors import SandboxError
from stslab.sandbox.api.model import ApiResponse, HttpRequest
from stslab.sandbox.server.files import Json

TOKEN_HEADER = "X-Stslab-Control"  # noqa: S105 - a header's name
PREFIX = "/_stslab/"
_OK, _REFUSED, _UNKNOWN = 200, 400, 404
Said = Mapping[str, object]
"""A verb's answer, as JSON holds it."""


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """One control request: ``GET`` asks, ``POST`` does. ``body`` is its JSON object."""

    method: str
    arguments: Mapping[str, str]
    body: Json = field(repr=False)


Verb = Callable[[ControlRequest], Said]
"""Does what is asked. SandboxError says what it can't; its message and hint reach the caller."""


def admitted(request: HttpRequest, token: str, verbs: Mapping[str, Verb]) -> ApiResponse | None:
    """The answer to a control request, which knows the token; None for any other request."""
    sent = request.header(TOKEN_HEADER).encode("latin-1")
    if not request.path.startswith(PREFIX) or not hmac.compare_digest(sent, token.encode()):
        return None
    name = request.path.removeprefix(PREFIX)
    if name not in verbs:
        return _json(_UNKNOWN, {"error": f"The sandbox knows no control verb {name!r}."})
    try:
        body = json.loads(request.body or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return _json(_REFUSED, {"error": "The body of a control request is a JSON object."})
    try:
        asked = ControlRequest(request.method, dict(request.query), body)
        return _json(_OK, verbs[name](asked))
    except SandboxError as error:
        return _json(_REFUSED, {"error": error.message, "hint": error.hint})


def without_token(request: HttpRequest) -> HttpRequest:
    """The same request less the control token's header, which nothing further in may see."""
    if not request.has_header(TOKEN_HEADER):
        return request
    wanted = TOKEN_HEADER.lower()
    kept = tuple((name, value) for name, value in request.headers if name.lower() != wanted)
    return replace(request, headers=kept)


def _json(status: int, content: Said) -> ApiResponse:
    kind = (("Content-Type", "application/json"),)
    return ApiResponse(status, kind, json.dumps(content).encode())
