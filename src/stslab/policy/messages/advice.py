"""What a message leaves open, and what to look at first: the right caller first, widening last."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stslab.policy.messages.facts import facts, owner
from stslab.policy.messages.message import Message, OtherGate, table
from stslab.policy.vocabulary import Gate


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to look at: ``what`` in a sentence, and aws commands that run as they stand."""

    what: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """``refused_by`` in a sentence, ``cannot_say`` what is left open, ``steps`` in their order."""

    refused_by: str
    cannot_say: tuple[str, ...]
    steps: tuple[Step, ...]


def advise(message: Message) -> Advice:
    if known := message.known:
        says = f"{known.gate}: {known.says}" if known.gate else known.says
        return Advice(says, known.open, tuple(_steps(known.look, message)))
    rows = (row for name in _tables(message) for row in table("advice")[name])
    return Advice(_refused_by(message), tuple(_left_open(message)), tuple(_steps(rows, message)))


_AWS_WORDS: Final[Mapping[Gate | OtherGate, str]] = {
    Gate.SCP: "scp (service control policy)",
    Gate.RCP: "rcp (resource control policy)",
    Gate.BOUNDARY: "boundary (permissions boundary)",
}


def _refused_by(message: Message) -> str:
    gate, deny = message.gate, "a Deny applies (explicit deny)"
    if gate is None:
        return f"not said, but that {deny}" if message.explicit else "not said"
    how = f"its setting {message.setting}" if message.setting else ""
    how = deny if message.explicit else how or "nothing in it allows this (implicit deny)"
    return f"{_AWS_WORDS.get(gate, gate)}: {how}"


# -- what the message can't say ------------------------------------------------------------


def _left_open(message: Message) -> Iterator[str]:
    parts = {
        "who asked": message.caller,
        "for what": message.action or message.operation,
        "on what": message.resource,
    }
    if missing := " and ".join(part for part, value in parts.items() if not value):
        yield f"{missing[0].upper()}{missing[1:]}."
    if message.gate is None:
        yield _why_no_gate(message)
    elif message.explicit:
        yield f"{_which(message)}; and whether another gate refuses as well: AWS names one."
    elif message.explicit is False:
        yield (
            "Which Allow came nearest, or which Condition failed: where nothing allows, AWS "
            "names no policy. Nor whether another gate refuses as well."
        )


def _which(message: Message) -> str:
    if message.policy:
        return "Which statement of that policy denies"
    if message.gate in (Gate.RESOURCE, Gate.TRUST):  # there is but one
        return "Which statement denies"
    return "Which policy denies, and which statement"


def _why_no_gate(message: Message) -> str:
    if message.with_token:
        case = "token"
    elif message.assumes_role:
        case = "role"
    else:
        case = "s3" if message.service == "s3" else "other"
    return str(table("facts")["no gate"][case])


# -- what to look at -----------------------------------------------------------------------


def _tables(message: Message) -> Iterator[str]:
    """The names of the tables of steps, in their order."""
    steps = table("advice")
    if message.with_token:
        yield "token"
        return
    if not message.caller:
        yield "no caller"
    else:
        yield message.caller_kind if message.caller_kind in steps else "caller"
    if message.encoded and not message.policy:
        yield "encoded"
    if message.gate is None and message.assumes_role:
        yield "assume a user" if owner(message.resource_arn)[0] == "user" else "assume a role"
    else:
        denies = f"{message.gate} denies"
        yield denies if message.explicit and denies in steps else message.gate or "unnamed"


def _steps(rows: Iterable[Any], message: Message) -> Iterator[Step]:
    found = facts(message)
    for row in rows:
        step = {"say": row} if isinstance(row, str) else row
        if _holds(step.get("when", ""), found):
            commands = _filled(step.get("see", ()), found) or _filled(step.get("else", ()), found)
            what = step["say"].format_map(found)
            end = "" if what[-1] in ".?" else ":" if commands else "."
            yield Step(f"{what}{end}", commands)


def _holds(condition: str, found: Mapping[str, str | bool]) -> bool:
    """Whether the condition, which may begin with ``not``, is true, or there is none."""
    name = condition.removeprefix("not ")
    return not condition or bool(found[name]) is (name == condition)


def _filled(commands: str | Iterable[str], found: Mapping[str, str | bool]) -> tuple[str, ...]:
    """The commands for which there is each name that they need."""
    known = {name: value for name, value in found.items() if value}
    filled = []
    for command in [commands] if isinstance(commands, str) else commands:
        try:
            filled.append(command.format_map(known))
        except KeyError:
            continue
    return tuple(filled)
