"""The log, as whoever may control the sandbox asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stslab.errors import SandboxError
from stslab.sandbox.pipeline.decisions import REMEMBERED, DecisionLog
from stslab.sandbox.server.control.requests import ControlRequest, Registry


def add_verbs(registry: Registry, log: DecisionLog) -> None:
    """Answer ``log``: the last events.

    Its arguments, all optional: ``limit`` (100), ``denied`` (true for refusals only),
    ``request`` (one request's id), ``after`` (the eventID of the last event that was seen).
    """

    def events(request: ControlRequest) -> Mapping[str, Any]:
        asked = request.arguments
        limit = asked.get("limit", "100")
        if not (limit.isascii() and limit.isdigit() and 0 < int(limit) <= REMEMBERED):
            raise SandboxError(f"limit is a number from 1 to {REMEMBERED}, not {limit!r}.")
        found = log.events(
            denied=asked.get("denied") == "true",
            request_id=asked.get("request", ""),
            after=asked.get("after", ""),
            limit=int(limit),
        )
        return {"events": found}

    registry.add("log", events)
