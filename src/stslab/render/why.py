"""Draw what explains a request or an error message: who asked, why it was refused, what to do."""

import json
from collections.abc import Mapping
from typing import Any

from stslab.policy.messages import Advice, Message, in_short
from stslab.render.requests import call_name, vouched_for
from stslab.render.terminal.paper import Paper
from stslab.render.text.safe import one_line

_Explanation = Mapping[str, Any]

GRADES = 4  # the gate; the statement and its element; the kind of change; the command
_ASKED = frozenset({"who", "asked for", "on", "expected"})
_EXPECTED = "by a check of the lab: nothing has to be changed"
_LONGEST_FACT = 240  # characters: three lines
_MORE = "There may be more to change: part of what decides this is not visible here."
_NEXT = ("the result of each statement", "what kind of change fixes it", "the command")


def show_grade(paper: Paper, explained: _Explanation, grade: int) -> None:
    """Draw the explanation up to a grade (from 0). The learner finds out the rest."""
    decision = explained["decision"]
    if grade >= GRADES - 1:
        show(paper, explained)
        return
    _headline(paper, explained["request"])
    paper.fields([fact for fact in _facts(explained) if fact[0] in _ASKED], indent=2)
    if grade == 0:
        blocking = [layer["layer"] for layer in decision["layers"] if layer["blocks"]]
        gates = " and the ".join(blocking) or "account itself"
        paper.prose(f"The gate that refuses: the {gates}.", indent=2, apart=True)
    elif grade == 1:
        paper.blank()
        paper.decision(decision, indent=2)
    else:
        _show_callers(paper, explained["callers"])
        paper.blank()
        for option in (each for change in explained["changes"] for each in change["options"]):
            paper.prose(f"{option['what'].rstrip(':')}.", lead=paper.symbols.hint, indent=2)
    paper.prose(f"`why` again shows {_NEXT[grade]}", indent=2, style="dim", apart=True)


def show(paper: Paper, explained: _Explanation) -> None:
    request, decision = explained["request"], explained["decision"]
    _headline(paper, request)
    paper.fields(_facts(explained), indent=2)
    paper.prose("Why", style="bold", apart=True)
    reason = f"{decision['reason'].rstrip('.')}." if decision else ""  # which the tree says too
    why = explained["why"].removeprefix(f"Denied: {reason}").removeprefix(f"Denied {reason}")
    if why:
        paper.prose(why.strip(), indent=2)
    if decision:
        if why:
            paper.blank()
        paper.decision(decision, indent=2)
    _show_callers(paper, explained["callers"])
    if explained["changes"]:
        _show_changes(paper, explained)


def _headline(paper: Paper, request: _Explanation) -> None:
    code = request.get("errorCode")
    sign, style = ("failed", "bold red") if code else ("done", "bold green")
    when = f"{str(request.get('eventTime', ''))[:19].replace('T', ' ')} UTC"
    paper.line(sign, f"{call_name(request)}: {code or 'answered'}", aside=when, style=style)


def _facts(explained: _Explanation) -> list[tuple[str, Any]]:
    request, decision = explained["request"], explained["decision"]
    identity = request.get("userIdentity", {})
    key = identity.get("accessKeyId", "")
    unproved = "not proved" if key else "unknown: the request is not signed"
    facts = [
        ("who", identity.get("arn") or vouched_for(identity) or unproved),
        ("with the key", key),
        ("through", identity.get("invokedBy", "")),
        ("asked for", decision["action"] if decision else call_name(request)),
        ("on", decision["resource"] if decision else ""),
        ("request id", request.get("requestID", "")),
        ("AWS said", in_short(request.get("errorMessage", ""))),
        ("expected", _EXPECTED if explained.get("expected") else ""),
    ]
    return [(label, one_line(str(value))) for label, value in facts if value]


def _show_callers(paper: Paper, profiles: list[str]) -> None:
    """Ask first whether the right caller called: that changes no policy."""
    if not profiles:
        return
    paper.prose("Did the right caller ask?", style="bold", apart=True)
    texts = [f"The profile {name} may do this: call it with --profile {name}" for name in profiles]
    if {*profiles} <= {"admin", "root"}:
        only = f"Of your profiles, only {profiles[0]} may do this."
        texts = [f"{only} Perhaps the refusal is right."]
    for text in texts:
        paper.prose(text, indent=2, lead=paper.symbols.hint)


def _show_changes(paper: Paper, explained: _Explanation) -> None:
    condition = " if this caller should be allowed" if explained["callers"] else ""
    paper.prose(f"What to change{condition}", style="bold", apart=True)
    several = len(explained["changes"]) > 1
    for number, change in enumerate(explained["changes"], 1):
        if several:
            paper.prose(f"{number}. The {change['layer']}", indent=2, style="bold")
        for option in change["options"]:
            paper.prose(option["what"], indent=2, lead=paper.symbols.hint)
            statement = json.dumps(option["statement"], indent=2, ensure_ascii=False)
            for line in statement.split("\n") if option["statement"] else ():
                paper.indented(line, indent=6)
            if option["command"]:
                paper.prose("With the aws CLI:", indent=4, style="dim")
                paper.command(option["command"], indent=4)
    if explained["complete"] is False:
        paper.prose(_MORE, indent=2)


# -- an error message of AWS, from any account ----------------------------------------------------


def show_message(paper: Paper, message: Message, advice: Advice) -> None:
    headline = f"{message.operation or message.action or 'a call'}: {message.code or 'refused'}"
    paper.line("failed", one_line(headline), style="bold red")
    facts = [
        ("who", message.caller),
        ("asked for", message.action),
        ("on", message.resource),
        ("refused by" if message.gate or not message.known else "because", advice.refused_by),
        ("policy", message.policy),
    ]
    paper.fields([(label, _short(one_line(value))) for label, value in facts if value], indent=2)
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
    long = f"{value[: _LONGEST_FACT * 2 // 3]} ... {value[-_LONGEST_FACT // 3 :]}"
    return long if len(value) > _LONGEST_FACT else value


def message_as_json(message: Message, advice: Advice) -> dict[str, Any]:
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
        "look_first": [{"what": one.what, "commands": list(one.commands)} for one in advice.steps],
        "more_refusals": message.more,
    }
