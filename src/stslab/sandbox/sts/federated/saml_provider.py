"""A SAML provider in IAM, as AssumeRoleWithSAML needs it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """The SAML provider in IAM that a request names.

    ``identity`` is the end of the sign-in address that is this provider's alone.
    """

    arn: str
    account: str
    name: str
    metadata: str
    identity: str
