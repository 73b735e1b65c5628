"""Draw what an AWS error message says, what it can't say, and what to look at first."""

from typing import Any

from stslab.policy.messages import Advice, Message
from stslab.render.terminal.paper import Paper
from stslab.render.text.safe import one_line

_LONGEST = 240  # characters: three lines


def show(paper: Paper, message: Message, advice: Advice) -> None:
    what = message.operation or message.action or "a call"
    headline = f"{what}: {message.code or 'refused'}"
    paper.line("failed", one_line(headline), style="bold red")
    facts = [
        ("who", message.caller),
        ("asked for", message.action),
        ("on", message.resource),
        ("refused by" if message.gate or not message.known else "because", advice.refused_by),
        ("policy", message.policy),
    ]
    told = [(label, _short(one_line(value))) for label, value in facts if value]
    paper.fields(told, indent=2)
    if advice.cannot_say:
        paper.prose("What this message can't say", style="bold")
        for open_question in advice.cannot_say:
            paper.prose(open_question, indent=2, lead="-")
    paper.prose("Look first", style="bold")
    for number, step in enumerate(advice.steps, 1):
        paper.prose(step.what, indent=2, lead=f"{number}.")
        for command in step.commands:
            paper.command(command, indent=7)
    if message.more:
        paper.prose(f"Further refusals in the text: {message.more}", style="dim")


def _short(value: str) -> str:
    """A value cut in the middle if it is long. Programs get it whole."""
    long = f"{value[: _LONGEST * 2 // 3]} ... {value[-_LONGEST // 3 :]}"
    return long if len(value) > _LONGEST else value


def as_json(message: Message, advice: Advice) -> dict[str, Any]:
    """The message and the advice as JSON; docs/learners.md describes the fields."""
    return {
        "who": message.caller or None,
        "who_is": message.caller_kind or None,
        "asked_for": message.action or None,
        "operation": message.operation or None,
        "on": message.resource or None,
        "same_account": message.same_account,
        "gate": message.gate,
        "deny": {True: "explicit", False: "implicit", None: None}[message.explicit],
        "policy": message.policy or None,
        "statement": message.statement or None,
        "refused_by": advice.refused_by,
        "error": message.code or None,
        "encoded_message": message.encoded,
        "cannot_say": list(advice.cannot_say),
        "look_first": [
            {"what": step.what, "commands": list(step.commands)} for step in advice.steps
        ],
        "more_refusals": message.more,
    }
