"""The control verb of time: sessions end by the sandbox's clock, which can be moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from stslab.errors import SandboxError
from stslab.sandbox.saved.account import World
from stslab.sandbox.server.control.requests import ControlRequest, Registry

_FARTHEST = timedelta(days=3650)


def add_verbs(registry: Registry, world: Callable[[], World]) -> None:
    """Answer ``clock``: GET tells the time, POST moves it.

    By ``{"seconds": …}``, or with ``{"offset": …}`` to so many seconds from the real time.
    """
    registry.add("clock", lambda asked: _clock(world(), asked))


def _clock(world: World, asked: ControlRequest) -> Mapping[str, Any]:
    if asked.method == "POST":
        _move(world, asked.body)
    return {"now": world.now().isoformat(), "offset": world.header.clock_offset.total_seconds()}


def _move(world: World, body: Mapping[str, Any]) -> None:
    absolute = "offset" in body
    seconds = body["offset"] if absolute else body.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise SandboxError('Say by how many seconds to move the clock: {"seconds": 3600}.')
    moved = timedelta(seconds=min(max(seconds, -1e9), 1e9))
    with world.write_lock:
        offset = moved if absolute else world.header.clock_offset + moved
        if abs(offset) > _FARTHEST:
            raise SandboxError("The clock can be ten years off at most.")
        world.header.clock_offset = offset
