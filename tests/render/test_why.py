"""An explained AWS error message: on one screen, complete and harmless."""

import json
import math

import pytest
from tests.policy.messages.test_commands import DECIDING
from tests.policy.messages.test_messages import CASES, read
from tests.render.drawing import Screen

from stslab.policy.messages import Message, advise
from stslab.render.terminal.paper import Paper, make_console
from stslab.render.why import message_as_json, show_message
from stslab.vocabulary import Gate

ROLE = "arn:aws:iam::111122223333:role/deploy"


def drawn(message: Message, columns: int = 80, encoding: str = "utf-8") -> str:
    screen = Screen(encoding)
    surroundings = {"COLUMNS": str(columns), "TERM": "xterm-256color"}
    show_message(Paper(make_console(screen, environ=surroundings)), message, advise(message))
    return screen.getvalue()


def lines_on_screen(text: str, columns: int = 80) -> int:
    """Lines as a terminal shows them: a longer one takes several."""
    return sum(max(1, math.ceil(len(line) / columns)) for line in text.rstrip("\n").split("\n"))


@pytest.mark.parametrize("case", CASES)
def test_each_message_fits_one_screen_and_shows_its_parts(case):
    message = read(case["message"])
    text = drawn(message)
    assert lines_on_screen(text) <= 24
    shown = "".join(text.split())
    for name in ("caller", "action", "resource", "policy", "code"):
        assert "".join(str(case["says"].get(name, "")).split()) in shown
    assert case.get("hides", "\0") not in text
    assert case.get("hides", "\0") not in json.dumps(message_as_json(message, advise(message)))


@pytest.mark.parametrize("gate", DECIDING)
@pytest.mark.parametrize("explicit", [True, False])
def test_the_longest_names_fit_too(gate, explicit):
    caller = f"arn:aws:sts::111122223333:assumed-role/{'R' * 64}/{'s' * 64}"
    bucket = f"arn:aws:s3:::{'b' * 63}/{'k' * 1024}"
    message = Message(caller, "s3:GetObject", bucket, gate, explicit, code="AccessDenied")
    assert lines_on_screen(drawn(message)) <= 40
    told = message_as_json(message, advise(message))
    assert (told["who"], told["on"]) == (caller, bucket)


def test_a_trust_policy_that_does_not_allow():
    user = "arn:aws:iam::111122223333:user/ana"
    message = Message(user, "sts:AssumeRole", ROLE, Gate.TRUST, explicit=False)
    assert drawn(message) == (
        "✘ sts:AssumeRole: refused\n"
        "  who         arn:aws:iam::111122223333:user/ana\n"
        "  asked for   sts:AssumeRole\n"
        "  on          arn:aws:iam::111122223333:role/deploy\n"
        "  refused by  trust policy: no Allow applies (implicit deny)\n"
        "What this message can't say\n"
        "  - Which Allow came closest, or which Condition failed: if nothing allows, AWS\n"
        "    names no policy. Nor whether another gate refuses too.\n"
        "Look first\n"
        "  1. Is that the caller you meant?\n"
        "       aws sts get-caller-identity\n"
        "  2. See which principals the role trusts, and under which conditions:\n"
        "       aws iam get-role --role-name deploy --query Role.AssumeRolePolicyDocument\n"
        "  3. Send what the conditions require with the call: an external id, an MFA\n"
        "     code, tags.\n"
        "  4. Last, let the trust policy name user ana alone, and keep its conditions:\n"
        "     they keep others out.\n"
    )


def test_ascii_terminals_get_ascii():
    assert drawn(Message(action="s3:GetObject"), encoding="ascii").isascii()


def test_control_characters_are_escaped():
    message = read(
        "User: arn:aws:iam::111122223333:user/a\u202eb is not authorized to perform: a1:b"
    )
    assert "\u202e" not in drawn(message)
    assert "\\u202e" in drawn(message)


def test_json_has_these_keys():
    message = Message(
        "arn:aws:iam::111122223333:user/ana", "sts:AssumeRole", ROLE, Gate.TRUST, explicit=False
    )
    told = message_as_json(message, advise(message))
    steps = told.pop("look_first")
    assert told.pop("cannot_say")
    assert all(set(step) == {"what", "commands"} for step in steps)
    assert told == {
        "who": "arn:aws:iam::111122223333:user/ana",
        "who_is": "IAM user",
        "asked_for": "sts:AssumeRole",
        "operation": None,
        "on": ROLE,
        "same_account": True,
        "gate": "trust policy",
        "deny": "implicit",
        "policy": None,
        "statement": None,
        "refused_by": "trust policy: no Allow applies (implicit deny)",
        "error": None,
        "encoded_message": False,
        "more_refusals": 0,
    }
