"""Write a run's events as JSON lines."""

import json
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from stslab.runner.events import Event


class JsonRenderer:
    """Writes each event at once, as ``{"event": kind, "at": ISO 8601 in UTC, ...fields}``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        fields = msgspec.to_builtins(event, enc_hook=str)
        record = {"event": event.kind, "at": datetime.now(UTC).isoformat(), **fields}
        self._stream.write(json.dumps(record) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Do nothing: each event was written whole."""
