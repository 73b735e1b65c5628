from hypothesis import given
from hypothesis import strategies as st

from stslab.sandbox.api import identifiers

accounts = st.integers(min_value=0, max_value=10**12 - 1).map("{:012d}".format)


@given(accounts, st.sampled_from(["AKIA", "ASIA"]))
def test_a_keys_id_names_its_account(account: str, prefix: str) -> None:
    key = identifiers.access_key_id(prefix, account)
    assert len(key) == 20
    assert key.startswith(prefix)
    assert identifiers.account_of_key(key) == account


@given(st.text(max_size=24))
def test_other_texts_name_no_account_or_a_whole_one(text: str) -> None:
    account = identifiers.account_of_key(text)
    assert account is None or (account.isdigit() and len(account) == 12)


def test_unique_ids_have_21_characters_and_their_prefix() -> None:
    assert len(identifiers.unique_id("AIDA", "111122223333")) == 21
    assert identifiers.unique_id("AROA", "111122223333").startswith("AROA")


@given(st.integers(min_value=352, max_value=4096))
def test_a_token_has_the_requested_size(size: int) -> None:
    assert len(identifiers.session_token(size)) == size


def test_tokens_and_secrets_differ() -> None:
    assert identifiers.session_token(352) != identifiers.session_token(352)
    assert identifiers.secret_access_key() != identifiers.secret_access_key()
    assert len(identifiers.secret_access_key()) == 40
