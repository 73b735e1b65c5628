"""What may be asked of the sandbox itself, by whoever can read its control token.

A control request is a request to a path under ``/_stslab/`` *with* the token in its header.
Without the right token the same path is an S3 path like any other, answered as S3 does: a
caller that does not know the token can't even tell that there is something to control.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stslab.errors import SandboxError
from stslab.sandbox.api.model import ApiResponse, HttpRequest

TOKEN_HEADER = "X-Stslab-Control"  # noqa: S105 - a header's name
PREFIX = "/_stslab/"
_OK, _REFUSED, _UNKNOWN = 200, 400, 404


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """One control request: ``GET`` asks, ``POST`` does. ``body`` is its JSON object."""

    method: str
    arguments: Mapping[str, str]
    body: Mapping[str, Any] = field(repr=False)


Verb = Callable[[ControlRequest], Mapping[str, Any]]


class Registry:
    """The verbs that the sandbox understands, each a function from a request to a JSON object.

    A verb raises SandboxError for what it can't do; its message and hint reach the caller.
    """

    def __init__(self) -> None:
        self._verbs: dict[str, Verb] = {}

    def add(self, name: str, verb: Verb) -> None:
        """Answer ``/_stslab/<name>`` with ``verb``."""
        if name in self._verbs:
            raise ValueError(f"There is a control verb {name} already")
        self._verbs[name] = verb

    def answer(self, name: str, request: ControlRequest) -> ApiResponse:
        """Do what is asked, and say how it went."""
        verb = self._verbs.get(name)
        if verb is None:
            return _json(_UNKNOWN, {"error": f"The sandbox knows no control verb {name!r}."})
        try:
            return _json(_OK, verb(request))
        except SandboxError as error:
            return _json(_REFUSED, {"error": error.message, "hint": error.hint})


class Door:
    """Tells control requests, which know the token, from all others."""

    def __init__(self, token: str, registry: Registry) -> None:
        self._token = token.encode()
        self._registry = registry

    def admit(self, request: HttpRequest) -> ApiResponse | None:
        """The answer to a control request; None where this is none."""
        sent = request.header(TOKEN_HEADER).encode("latin-1")
        if not request.path.startswith(PREFIX) or not hmac.compare_digest(sent, self._token):
            return None
        try:
            body = json.loads(request.body or b"{}")
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return _json(_REFUSED, {"error": "The body of a control request is a JSON object."})
        asked = ControlRequest(request.method, dict(request.query), body)
        return self._registry.answer(request.path.removeprefix(PREFIX), asked)


def without_token(request: HttpRequest) -> HttpRequest:
    """The same request less the control token's header, which nothing further in may see."""
    if not request.has_header(TOKEN_HEADER):
        return request
    wanted = TOKEN_HEADER.lower()
    kept = tuple((name, value) for name, value in request.headers if name.lower() != wanted)
    return replace(request, headers=kept)


def _json(status: int, content: Mapping[str, Any]) -> ApiResponse:
    return ApiResponse(
        status, (("Content-Type", "application/json"),), json.dumps(content).encode()
    )
