"""Real messages, one test for each case of tests/cases/messages: what is read, and what is advised."""

import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import pytest
from tests import yaml_files

from stslab.policy import messages
from stslab.policy.messages import Message, advise
from stslab.vocabulary import Gate

FOLDER = Path(__file__).parents[2] / "cases" / "messages"
READ = [name for name in Message.__struct_fields__ if name != "known"]
NOTHING = Message()


def cases() -> list[Any]:
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        file = yaml_files.read(path)
        assert file["source"], path
        for number, case in enumerate(file["cases"], 1):
            found.append(pytest.param(case, id=f"{path.stem}-{number:02}-{case['why']}"))
    return found


CASES = cases()
MESSAGES = [param.values[0]["message"] for param in CASES]


def read(text: str) -> Message:
    """The message in a text that has one."""
    message = messages.read(text)
    assert message
    return message


def told(message: Message) -> dict[str, Any]:
    """The parts of a message, without empty ones."""
    return {
        name: getattr(message, name)
        for name in READ
        if getattr(message, name) != getattr(NOTHING, name)
    }


def commands(message: Message) -> list[str]:
    return [command for step in advise(message).steps for command in step.commands]


def subsequence(parts: list[str], lines: list[str]) -> bool:
    """Whether each part is in a separate line, in this order."""
    rest = iter(lines)
    return all(any(part in line for line in rest) for part in parts)


@pytest.mark.parametrize("case", CASES)
def test_message(case):
    message = read(case["message"])
    assert message is not None
    assert told(message) == case["says"]
    advice = advise(message)
    assert advice.steps
    assert subsequence(case.get("look", []), commands(message)), commands(message)
    for part in case.get("open", []):
        assert part in " ".join(advice.cannot_say)
    steps = " | ".join(step.what for step in advice.steps)
    assert case.get("advises", "") in steps
    for part in case.get("never", []):
        assert part not in f"{steps} | {' '.join(advice.cannot_say)}"
    assert case.get("tells", "") in advice.refused_by
    assert ("tells" in case) is (message.known is not None)


@pytest.mark.parametrize("width", [57, 80, 120])
@pytest.mark.parametrize("case", CASES)
def test_wrapped_by_a_terminal(case, width):
    """Broken anywhere, as a terminal does it, it says the same."""
    line = " ".join(case["message"].split())
    broken = "\n".join(line[at : at + width] for at in range(0, len(line), width))
    assert told(read(broken)) == told(read(line))


@pytest.mark.parametrize("case", CASES)
def test_wrapped_between_words(case):
    line = " ".join(case["message"].split())
    broken = textwrap.fill(line, 72, break_long_words=False, break_on_hyphens=False)
    assert told(read(broken)) == told(read(line))


@pytest.mark.parametrize("case", CASES)
def test_commands_are_whole(case):
    """No placeholder stands in a command, and a shell reads it."""
    for command in commands(read(case["message"])):
        assert shlex.split(command)
        assert not re.search(r"[<>{]|\.\.\.|\*", command), command


def test_the_right_caller_comes_first_and_widening_last():
    for param in CASES:
        message = read(param.values[0]["message"])
        steps = advise(message).steps
        if message.known is None and message.caller_kind != "an unsigned request":
            first = steps[0]
            assert first.commands == ("aws sts get-caller-identity",) or "role" in first.what
        last = [step for step in steps if step.what.startswith("Last,")]
        assert last in ([], [steps[-1]])


def test_a_deny_is_read_and_met_before_it_is_narrowed():
    message = Message("arn:aws:iam::111122223333:user/ana", gate=Gate.IDENTITY, explicit=True)
    assert [step.what.partition(" ")[0] for step in advise(message).steps] == [
        "Is",
        "Find",
        "Meet",
        "Last,",
    ]


def test_in_short_a_link_to_details_is_left_out() -> None:
    with_id = next(one for one in MESSAGES if read(one).authorization).strip()
    assert messages.in_short(with_id) == f"{with_id.partition(' Go to ')[0]} ..."
    without = "User: a is not authorized to perform: iam:CreateRole"
    assert messages.in_short(without) == without


@pytest.mark.parametrize(
    "text",
    [
        "Error: resource mapping not found; resource web cannot contain spaces",
        "Resource name cannot contain region",
        "SQL compilation error: statement must contain actions",
        "Statement IDs must be unique in a script",
        "Error: Missing required field ActionType",
        "An error occurred (LimitExceededException) when calling the CreateStream operation: x",
        "LimitExceeded: Too many requests",
        "Policy size exceeds allowed limit of 16 KB",
    ],
)
def test_words_of_others_are_no_error_of_aws(text):
    assert messages.read(text) is None
