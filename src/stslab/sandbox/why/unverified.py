"""What is behind the refusal of a token that an identity provider is said to have issued.

STS API Reference, "AssumeRoleWithWebIdentity", Errors; IAM User Guide, "Obtain the thumbprint for
an OpenID Connect identity provider".
"""

from collections.abc import Sequence

from stslab.sandbox.why.unbelieved import Reason

_SHOWN = "See what the issuer's server shows: stslab sandbox issuer URL."
_THUMBPRINT = Reason(
    "AWS does not trust the CA over the certificate of the issuer's server, and its thumbprint "
    "is not in the configuration of the provider in IAM. The server may have moved to another "
    "CA, or the thumbprint was wrong from the start.",
    (
        _SHOWN,
        (
            "If that is the server's rightful CA, let IAM have its thumbprint: aws iam "
            "update-open-id-connect-provider-thumbprint --open-id-connect-provider-arn ARN "
            "--thumbprint-list $(stslab sandbox issuer URL --thumbprint). The list replaces the "
            "old one."
        ),
    ),
)
_NO_KEY = Reason(
    "STS has no key for this token. Either the issuer has no key of the id that the token "
    "names, or its server is not believed: nothing answers at its URL, or its certificate is "
    "for another host, not valid now by the sandbox's clock, or not signed by the CA that it "
    "names.",
    (
        "Take a new token from the issuer: stslab sandbox token --issuer URL --sub SUB --aud AUD.",
        _SHOWN,
        (
            "If its certificate is wrong or has expired, renew it: stslab sandbox issuer URL "
            "--certificate renewed."
        ),
        "If you moved the clock, it can go back: stslab sandbox clock real.",
    ),
)
_NO_PROVIDER = Reason(
    "The role's account has no identity provider of the issuer that the token names in iss.",
    (
        "Make one: aws iam create-open-id-connect-provider --url URL --client-id-list AUDIENCE.",
        "If there is one, compare its URL with iss: aws iam list-open-id-connect-providers.",
    ),
)
_AUDIENCE = Reason(
    "The token is for an audience (aud) that is not among the client ids of the provider.",
    (
        (
            "If it should be: aws iam add-client-id-to-open-id-connect-provider "
            "--open-id-connect-provider-arn ARN --client-id AUDIENCE."
        ),
    ),
)
_EXPIRED = Reason(
    "The token was right, and has expired by the sandbox's clock.",
    (
        "Take a new token from the issuer: stslab sandbox token.",
        "If you moved the clock forward, it can go back: stslab sandbox clock real.",
    ),
)
_BY_MESSAGE: Sequence[tuple[str, Reason]] = (
    ("OpenIDConnect provider's HTTPS certificate", _THUMBPRINT),
    ("Couldn't retrieve verification key", _NO_KEY),
    ("No OpenIDConnect provider found", _NO_PROVIDER),
    ("Incorrect token audience", _AUDIENCE),
    ("Token expired", _EXPIRED),
)
_ELSE = Reason(
    "What is said to be the identity provider's is not valid. What AWS answered says why.", ()
)


def reason(message: str) -> Reason:
    """Why a token was refused with this message."""
    return next((found for start, found in _BY_MESSAGE if message.startswith(start)), _ELSE)
