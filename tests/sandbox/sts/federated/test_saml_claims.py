"""What becomes of an assertion, where no row of a case can show it."""

from __future__ import annotations

from stslab.sandbox.sts.federated.saml import Provider
from stslab.sandbox.sts.federated.saml_claims import _name_qualifier


def test_the_name_qualifier_of_the_api_reference() -> None:
    """AssumeRoleWithSAML: the pseudocode of NameQualifier, as OpenSSL works it out."""
    provider = Provider("arn", "123456789012", "MySAMLIdP", "", "")
    assert _name_qualifier("https://example.com/saml", provider) == "1uAJanUnBc2XeUkHURMht+xam2c="
