"""The identity providers that IAM trusts. Those that the account plays are issuers."""

from collections.abc import Mapping
from typing import ClassVar

from stslab.sandbox.state.record import Moment, Record


class OidcProvider(Record, frozen=True, kw_only=True):
    """An OpenID Connect provider. ``url`` has no ``https://`` and no slash at its end.

    ``thumbprints`` are in lower case.
    """

    table: ClassVar[str] = "oidc-provider"

    url: str
    created: Moment
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
    tags: Mapping[str, str] = {}

    @property
    def key(self) -> str:
        """The URL."""
        return self.url

    @property
    def arn(self) -> str:
        """The provider's ARN."""
        return f"arn:aws:iam::{self.account}:oidc-provider/{self.url}"


class SamlProvider(Record, frozen=True, kw_only=True):
    """A SAML provider. ``unique_id`` ends the sign-in address that is this provider's alone."""

    table: ClassVar[str] = "saml-provider"

    name: str
    unique_id: str
    created: Moment
    valid_until: Moment
    metadata: str
    tags: Mapping[str, str] = {}

    @property
    def key(self) -> str:
        """The name in lower case."""
        return self.name.lower()

    @property
    def arn(self) -> str:
        """The provider's ARN."""
        return f"arn:aws:iam::{self.account}:saml-provider/{self.name}"
