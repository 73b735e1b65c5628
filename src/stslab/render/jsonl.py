"""Writes a run for programs: one JSON object a line, each one event."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from stslab.runner.events import Event


class JsonRenderer:
    """Writes each event at once, as ``{"event": kind, "at": ISO 8601 in UTC, ...fields}``."""

    def __init__(
        self, stream: TextIO, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._stream = stream
        self._now = now

    def __call__(self, event: Event) -> None:
        fields = dataclasses.asdict(event)
        record = {"event": event.kind, "at": self._now().isoformat(), **fields}
        self._stream.write(json.dumps(record, default=str) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is ever half written."""
