"""What an object is to hold is hashed before the transaction, in which nobody else can write."""

from stslab.sandbox.api.model import HttpRequest
from stslab.sandbox.s3.requests import params
from stslab.sandbox.s3.requests.address import Address


def test_a_body_is_hashed_with_the_parameters() -> None:
    sent = HttpRequest("PUT", "/bucket/key", (), "", (), b"hello")
    content = params.parse("PutObject", sent, Address("bucket", "key"))["Body"]
    assert content.etag == "5d41402abc4b2a76b9719d911017c592"
    assert content.name.startswith("2cf24dba5fb0a30e26e83b2ac5b9e29e")
    assert str(content) == "(5 bytes)"
    assert "hello" not in repr(content)
