"""A SAML provider in IAM, as AssumeRoleWithSAML needs it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Provider:
    """The SAML provider in IAM that a request names.

    ``identity`` is the end of the sign-in address that is this provider's alone.
    ``private_keys`` are PEM, the newest first; ``encrypted_only``: nothing else is taken.
    """

    arn: str
    account: str
    name: str
    metadata: str
    identity: str
    encrypted_only: bool = False
    private_keys: tuple[str, ...] = field(repr=False, default=())
