"""Reads the log's file, for commands, whether or not the account runs. Standard library only.

It has one event a line. Lines that a crash or a full disk damaged are skipped.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

NAME = "decisions.jsonl"
_PIECE = 1 << 16
Event = Mapping[str, Any]
Decided = Event  # one entry of an event's ``decisions``

UNAUTHENTICATED = frozenset(
    """
    ExpiredToken IncompleteSignature InvalidAccessKeyId InvalidClientTokenId InvalidToken
    MissingAuthenticationToken RequestExpired RequestTimeTooSkewed SignatureDoesNotMatch
    """.split()
)
"""The error codes of requests that were not authenticated."""

UNVERIFIED = frozenset({"ExpiredTokenException", "InvalidIdentityToken"})
"""The error codes of tokens and assertions that are not valid."""
_REFUSALS = UNAUTHENTICATED | UNVERIFIED | {"AccessDenied"}


def is_refused(event: Event) -> bool:
    """Whether the request was not authenticated, or not allowed, wholly or in part."""
    return event.get("errorCode") in _REFUSALS or any(
        one["decision"] != "Allowed" for one in event["decisions"]
    )


def newest_first(folder: Path) -> Iterator[Event]:
    """Every event in the log, the newest first; ``folder`` is the account's."""
    for name in (NAME, f"{NAME}.1"):
        with suppress(FileNotFoundError), (folder / name).open("rb") as file:
            yield from _events(_backwards(file))


def _backwards(file: BinaryIO) -> Iterator[bytes]:
    """The lines, the last one first; a long file is read only as far as needed."""
    at, rest = file.seek(0, os.SEEK_END), b""
    while at:
        size = min(at, _PIECE)
        at = file.seek(at - size)
        rest, *lines = (file.read(size) + rest).split(b"\n")
        yield from reversed(lines)
    yield rest


class Tail:
    """Follows the log: first all events of the current file, then new ones."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._file: BinaryIO | None = None
        self._rest = b""

    def read(self) -> list[Event]:
        """The events since the last call, oldest first."""
        events = self._more()
        try:
            if self._file and os.path.samestat(os.fstat(self._file.fileno()), self._path.stat()):
                return events
            replaced = self._path.open("rb")
        except FileNotFoundError:
            return events
        events += self._more()  # written before the file was replaced
        self.close()
        self._file, self._rest = replaced, b""
        return events + self._more()

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _more(self) -> list[Event]:
        new = self._file.read() if self._file else b""
        *lines, self._rest = (self._rest + new).split(b"\n")
        return list(_events(lines))


def _events(lines: Iterable[bytes]) -> Iterator[Event]:
    for line in lines:
        try:
            event = json.loads(line) if line else None
        except ValueError:
            continue
        if isinstance(event, dict) and {"eventID", "requestID", "decisions"} <= event.keys():
            yield event
