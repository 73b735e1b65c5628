import pytest

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.sts import messages

KEY, OTHER = bytes(32), bytes([1] * 32)


def test_a_message_is_read_with_the_key_that_wrote_it() -> None:
    encoded = messages.encode(KEY, {"allowed": False})
    assert messages.decode(KEY, encoded) == '{"allowed":false}'
    assert "allowed" not in encoded


def test_a_message_of_another_account_is_not_valid() -> None:
    with pytest.raises(ApiFault, match="InvalidAuthorizationMessageException"):
        messages.decode(OTHER, messages.encode(KEY, {}))


@pytest.mark.parametrize("place", range(0, 60, 7))
def test_a_changed_message_is_not_valid(place: int) -> None:
    encoded = messages.encode(KEY, {"allowed": False, "explicitDeny": True})
    changed = "A" if encoded[place] != "A" else "B"
    with pytest.raises(ApiFault, match="InvalidAuthorizationMessageException"):
        messages.decode(KEY, encoded[:place] + changed + encoded[place + 1 :])


@pytest.mark.parametrize("text", ["", "A", "not base64!", "é", "AAAA"])
def test_what_is_no_message_is_not_valid(text: str) -> None:
    with pytest.raises(ApiFault, match="InvalidAuthorizationMessageException"):
        messages.decode(KEY, text)
