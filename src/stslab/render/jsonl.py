"""Writes a run for programs: one JSON object a line, each one event."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from stslab.runner.events import Event


def _now() -> datetime:
    return datetime.now(UTC)


class JsonRenderer:
    """Writes each event at once, as ``{"event": kind, "at": ISO 8601 in UTC, ...fields}``."""

    def __init__(self, stream: TextIO, now: Callable[[], datetime] = _now) -> None:
        self._stream = stream
        self._now = now

    def __call__(self, event: Event) -> None:
        fields = dataclasses.asdict(event)
        self._write({"event": event.kind, "at": self._now().isoformat(), **fields})

    def close(self) -> None:
        """Nothing is ever half written."""

    def _write(self, record: dict[str, object]) -> None:
        self._stream.write(json.dumps(record, default=str) + "\n")
        self._stream.flush()
