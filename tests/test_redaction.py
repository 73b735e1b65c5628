"""Secrets are hidden by their keys and by their values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stslab.redaction import HIDDEN, is_secret_key, redact, redact_named, redact_text, secrets_in

SECRET = "wJalrXUtnFEMI-EXAMPLE"


@pytest.mark.parametrize(
    "key",
    [
        "SecretAccessKey",
        "secret_access_key",
        "SessionToken",
        "Password",
        "SecretKey",
        "Token",
        "WebIdentityToken",
        "SSECustomerKey",
        "CopySourceSSECustomerKey",
        "authorizationToken",
        "MasterUserPassword",
        "AuthToken",
        "SecretToken",
        "presignedUrl",
    ],
)
def test_the_value_of_a_secret_key_is_hidden(key):
    assert redact({"a": [{key: SECRET, "AccessKeyId": "AKIA"}]}) == {
        "a": [{key: HIDDEN, "AccessKeyId": "AKIA"}]
    }


@pytest.mark.parametrize(
    "key",
    [
        "AccessKeyId",
        "NextToken",
        "ContinuationToken",
        "StackName",
        "KeyId",
        "Tokens",
        "SecretArn",
        "AllowUsersToChangePassword",
    ],
)
def test_other_values_stay(key):
    assert not is_secret_key(key)
    assert redact({key: "value"}) == {key: "value"}


def test_a_known_secret_is_hidden_everywhere():
    text = f"User data: export KEY={SECRET}; echo"
    assert redact({"Body": text}, [SECRET]) == {"Body": f"User data: export KEY={HIDDEN}; echo"}
    assert redact_text(text, [SECRET]).count(SECRET) == 0


def test_short_values_are_not_searched_for():
    assert redact_text("a b a", ["a"]) == "a b a"


def test_secrets_are_found_by_their_keys():
    answer = {"Credentials": {"SecretAccessKey": "s1", "SessionToken": "s2", "AccessKeyId": "a"}}
    assert set(secrets_in([answer])) == {"s1", "s2"}


@given(
    st.recursive(
        st.text(max_size=5) | st.just(SECRET) | st.integers() | st.none(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=10,
    )
)
def test_no_structure_hides_a_known_secret(value):
    assert SECRET not in json.dumps(redact(value, [SECRET]))


@pytest.mark.parametrize(
    "text",
    [
        f"secret='{SECRET}'",
        f'{{"SessionToken": "{SECRET}"}}',
        f"password: {SECRET}, more",
        f"aws_session_token={SECRET}",
        f"b'<AccessKey><SecretAccessKey>{SECRET}</SecretAccessKey>'",
    ],
)
def test_named_secrets_in_a_text_are_hidden(text):
    assert SECRET not in redact_named(text)
    assert HIDDEN in redact_named(text)
