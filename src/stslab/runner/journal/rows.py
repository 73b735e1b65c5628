"""Between the journal's rows and the records that they hold.

Everything here raises ValueError, KeyError or TypeError on a row that makes no sense:
the journal turns that into JournalCorrupt.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from hashlib import blake2b
from typing import Any

from stslab.runner.journal.records import (
    CheckRecord,
    Entry,
    EntryState,
    Intent,
    RunRecord,
    RunState,
    Thing,
    Told,
    UndoCall,
)


def pack(value: Any) -> str:
    """``value`` as JSON; what JSON does not know (a date) becomes its text."""
    return json.dumps(value, default=str, separators=(",", ":"), ensure_ascii=False)


def pack_thing(thing: Thing | None) -> str | None:
    """A thing as JSON."""
    return None if thing is None else pack({"kind": thing.kind, "names": dict(thing.names)})


def unpack_thing(text: str | None) -> Thing | None:
    """A thing from its JSON."""
    return None if text is None else _thing(json.loads(text))


def _thing(data: Any) -> Thing | None:
    if data is None:
        return None
    return Thing(_text(data["kind"]), {_text(k): _text(v) for k, v in _dict(data["names"]).items()})


def pack_undo(undo: tuple[UndoCall, ...] | None) -> str | None:
    """Undo calls as JSON."""
    return None if undo is None else pack([_undo_data(call) for call in undo])


def unpack_undo(text: str) -> tuple[UndoCall, ...]:
    """Undo calls from their JSON."""
    return tuple(map(_undo, json.loads(text)))


def _undo_data(call: UndoCall) -> dict[str, Any]:
    return {
        "identity": call.identity,
        "service": call.service,
        "operation": call.operation,
        "params": call.params,
        "waiter": call.waiter,
        "waiter_params": call.waiter_params,
    }


def _undo(data: Any) -> UndoCall:
    return UndoCall(
        _text(data["identity"]),
        _text(data["service"]),
        _text(data["operation"]),
        _dict(data["params"]),
        _text(data["waiter"]),
        _dict(data["waiter_params"]),
    )


def pack_intent(intent: Intent) -> str:
    """An intent as JSON, less what has columns of its own."""
    thing = intent.thing
    return pack(
        {
            "title": intent.title,
            "identity": intent.identity,
            "service": intent.service,
            "operation": intent.operation,
            "params": intent.params,
            "thing": thing and {"kind": thing.kind, "names": dict(thing.names)},
            "undo": [_undo_data(call) for call in intent.undo],
            "before": list(intent.before),
            "profile": intent.profile,
            "replaces": intent.replaces,
        }
    )


def unpack_intent(stage: str, step: int, text: str) -> Intent:
    """An intent from its row."""
    data = json.loads(text)
    return Intent(
        stage=_text(stage),
        step=int(step),
        title=_text(data["title"]),
        identity=_text(data["identity"]),
        service=_text(data["service"]),
        operation=_text(data["operation"]),
        params=_dict(data["params"]),
        thing=_thing(data["thing"]),
        undo=tuple(map(_undo, data["undo"])),
        before=tuple(map(_text, data["before"])),
        profile=_text(data["profile"]),
        replaces=int(data["replaces"]),
    )


def entry(row: tuple[Any, ...]) -> Entry:
    """An entry from (seq, run, stage, step, intent, state, detail, thing, undo, whole)."""
    seq, run, stage, step, intent_text, state, detail, thing, undo, whole = row
    _require_whole(whole)
    intent = unpack_intent(stage, step, intent_text)
    return Entry(
        seq=int(seq),
        run=_text(run),
        intent=intent,
        state=EntryState(state or EntryState.INTENDED),
        thing=unpack_thing(thing) or intent.thing,
        undo=intent.undo if undo is None else unpack_undo(undo),
        detail=_text(detail or ""),
    )


def run(row: tuple[Any, ...]) -> RunRecord:
    """A run from its columns, in the record's order."""
    values = dict(zip((part.name for part in fields(RunRecord)), map(_text, row), strict=True))
    state = RunState(values.pop("state"))
    return RunRecord(state=state, **values)


def check(row: tuple[Any, ...]) -> CheckRecord:
    """A check from its columns, in the record's order."""
    stage, number, title, says, held, denied, code, proof, request_id, seconds, at = row
    return CheckRecord(
        _text(stage),
        int(number),
        _text(title),
        _text(says),
        bool(held),
        bool(denied),
        _text(code),
        _text(proof),
        _text(request_id),
        float(seconds),
        _text(at),
    )


def seal(*values: Any) -> str:
    """What tells that a row is as it was written: a damaged one is never acted on."""
    text = json.dumps(values, ensure_ascii=False, default=repr)
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def sealed_thing(row: tuple[Any, ...]) -> Thing | None:
    """A thing from (its JSON, whether its seal holds)."""
    text, whole = row
    _require_whole(whole)
    return unpack_thing(text)


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


def _dict(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"a mapping was expected, not {type(value).__name__}")
    return value
