"""The NameQualifier of AssumeRoleWithSAML."""

from __future__ import annotations

from datetime import UTC, datetime

from stslab.sandbox.state.identities import SamlProvider
from stslab.sandbox.sts.saml import name_qualifier

THEN = datetime(2030, 1, 1, tzinfo=UTC)


def test_the_name_qualifier_of_the_api_reference() -> None:
    """The pseudocode in STS API Reference, "AssumeRoleWithSAML", calculated with OpenSSL."""
    provider = SamlProvider(
        account="123456789012",
        name="MySAMLIdP",
        unique_id="",
        created=THEN,
        valid_until=THEN,
        metadata="",
    )
    assert name_qualifier("https://example.com/saml", provider) == "1uAJanUnBc2XeUkHURMht+xam2c="
