"""Any text is read or not, without an error, and no secret comes back."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.policy import strategies as made
from tests.policy.messages.test_messages import MESSAGES

from stslab.policy import authorize
from stslab.policy.decision import refusal
from stslab.policy.messages import advise, read
from stslab.render.why import message_as_json
from stslab.vocabulary import Outcome

SECRETS = (
    "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    'aws_session_token = "FwoGZXIvYXdzEBYaDHJ5QVxhbXBsZVNlc3Npb25Ub2tlbg=="',
    "x-amz-security-token: IQoJb3JpZ2luX2VjEBYaCXVzLWVhc3QtMSJHMEUCIQD",
)
VALUES = (
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "FwoGZXIvYXdzEBYaDHJ5QVxhbXBsZVNlc3Npb25Ub2tlbg",
    "IQoJb3JpZ2luX2VjEBYaCXVzLWVhc3QtMSJHMEUCIQD",
)
# What follows may be taken for a part of it.
CUT_OFF = (
    "AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/jobs/i-0abcdef1234567890 is"
    " not authorized to perform: s3tables:ListNamespaces on resource:"
)
CUT_OFF_CODE = next(one for one in MESSAGES if one.endswith("AccessDeniedException..."))
# Where a message may be torn: between its words.
WORDS = sorted({word for message in MESSAGES for word in message.split()})
PIECES = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=8)), max_size=60)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.sampled_from(MESSAGES)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(
                [
                    "errorCode",
                    "errorMessage",
                    "eventName",
                    "eventSource",
                    "userIdentity",
                    "arn",
                    "resources",
                    "ARN",
                    "requestParameters",
                    "CloudTrailEvent",
                    "bucketName",
                    "key",
                    "roleArn",
                    "Error",
                    "x",
                ]
            ),
            inner,
            max_size=6,
        ),
    ),
    max_leaves=20,
)


def everything(text: str) -> str:
    message = read(text)
    return json.dumps(message_as_json(message, advise(message))) if message else ""


@given(st.text())
def test_any_text(text):
    everything(text)


@given(PIECES, st.sampled_from([" ", "\n", ""]))
def test_pieces_of_messages(pieces, between):
    everything(between.join(pieces))


@given(JSON)
def test_any_json(document):
    everything(json.dumps(document))


@given(st.sampled_from(MESSAGES), st.integers(0, 4000))
def test_a_message_cut_off_anywhere(message, at):
    everything(message[:at])
    everything(message[at:])


@given(st.sampled_from(MESSAGES), st.sampled_from(SECRETS), st.sampled_from(SECRETS))
@example(CUT_OFF, SECRETS[0], SECRETS[0])
@example(CUT_OFF, SECRETS[0], VALUES[0])
@example(CUT_OFF, SECRETS[0], f'"{VALUES[0]}"')
@example(CUT_OFF_CODE, SECRETS[0], VALUES[2])
def test_secrets_around_a_message_do_not_come_back(message, before, behind):
    if message.startswith('"{'):  # JSON in JSON, which has nothing around it
        message = json.loads(message)
    if message.lstrip().startswith("{"):
        message = message.replace("{", '{"credentials": ' + json.dumps(before) + ", ", 1)
        before = behind = ""
    told = everything(f"{before}\n{message}\n{behind}")
    assert told
    assert not any(value in told for value in VALUES)


@given(st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=40))
def test_an_encoded_message_does_not_come_back(encoded):
    told = everything(
        "UnauthorizedOperation: You are not authorized to perform this operation. "
        f"Encoded authorization failure message: {encoded}"
    )
    assert json.loads(told)["encoded_message"] is True
    assert encoded not in told


@pytest.mark.parametrize(
    "piece",
    [
        "arn:",
        "User: arn:a is not authorized to perform: s3:x on resource: arn:b because no ",
        "arn:is not authorized to perform: ab:c on ",
        "[",
        '{"a":',
        "</",
        "│ ",
        "a\n",
        "Access Denied ",
    ],
)
def test_a_megabyte_of_the_same(piece):
    everything(piece * (1_000_000 // len(piece)))


@given(made.requests, made.policies)
def test_the_engines_own_messages_are_read(request, policies):
    decision = authorize(request, policies)
    if decision.allowed:
        return
    message = read(decision.message)
    assert message
    assert message.caller == request.principal.arn
    assert message.action == request.action
    assert message.resource == ("" if request.resource == "*" else request.resource)
    assert message.gate in refusal(decision).gates
    assert message.explicit is (decision.outcome is Outcome.EXPLICITLY_DENIED)
