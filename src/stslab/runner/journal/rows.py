"""Between the journal's rows and the records that they hold.

Everything here raises ValueError, TypeError or MsgspecError on a row that makes no sense: the
journal turns that into JournalCorrupt.
"""

import json
from dataclasses import fields
from hashlib import blake2b
from typing import Any, TypeVar

from msgspec import convert
from msgspec.json import Encoder, decode

from stslab.runner.journal.records import (
    CheckRecord,
    Entry,
    EntryState,
    Intent,
    RunRecord,
    Thing,
    Told,
    UndoCall,
)

T = TypeVar("T")


_ENCODER = Encoder(enc_hook=str)


def pack(value: Any) -> str:
    """``value`` as JSON; what JSON does not know becomes its text."""
    return _ENCODER.encode(value).decode()


def pack_or_none(value: Any) -> str | None:
    """``value`` as JSON; None stays None."""
    return None if value is None else pack(value)


def unpack(text: str, kind: type[T]) -> T:
    """What :func:`pack` made of a value of this type."""
    return decode(text, type=kind)


def entry(row: tuple[Any, ...]) -> Entry:
    """An entry from (seq, run, stage, step, intent, state, detail, thing, undo, whole)."""
    seq, run, stage, step, intent_text, state, detail, thing, undo, whole = row
    _require_whole(whole)
    intent = unpack(intent_text, Intent)
    if (intent.stage, intent.step) != (stage, step):
        raise ValueError("an intent is filed in another's place")
    return Entry(
        seq=int(seq),
        run=_text(run),
        intent=intent,
        state=EntryState(state or EntryState.INTENDED),
        thing=intent.thing if thing is None else unpack(thing, Thing),
        undo=intent.undo if undo is None else unpack(undo, tuple[UndoCall, ...]),
        detail=_text(detail or ""),
    )


def run(row: tuple[Any, ...]) -> RunRecord:
    """A run from its columns, in the record's order."""
    return _record((*row[:-1], decode(row[-1])), RunRecord)


def check(row: tuple[Any, ...]) -> CheckRecord:
    """A check from its columns, in the record's order."""
    return _record(row, CheckRecord)


def _record(row: tuple[Any, ...], kind: type[T]) -> T:
    """A record from columns that have its fields' names; SQLite keeps true and false as 1 and 0."""
    values = dict(zip((part.name for part in fields(kind)), row, strict=True))  # type: ignore[arg-type]
    return convert(values, kind, strict=False)


def seal(*values: Any) -> str:
    """What tells that a row is as it was written: a damaged one is never acted on."""
    text = json.dumps(values, ensure_ascii=False, default=repr)
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def sealed_thing(row: tuple[Any, ...]) -> Thing | None:
    """A thing from (its JSON, whether its seal holds)."""
    text, whole = row
    _require_whole(whole)
    return None if text is None else unpack(text, Thing)


def told(pair: tuple[Entry, tuple[Any, ...]]) -> Told:
    """A call as a report tells it, from its entry and its times.

    They are (at, the first outcome's at, state and request id, the last outcome's at).
    """
    one, (at, answered, state, request_id, ended) = pair
    return Told(
        entry=one,
        started=_text(at),
        answered=_text(answered or ""),
        happened=EntryState(state or EntryState.INTENDED),
        request_id=_text(request_id or ""),
        ended=_text(ended or ""),
    )


def _require_whole(whole: Any) -> None:
    if whole != 1:
        raise ValueError("a record is not as it was written")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, not {type(value).__name__}")
    return value
