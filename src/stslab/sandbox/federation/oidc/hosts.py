"""The host names of issuers, and which of them have a certificate of a public authority.

IAM User Guide, "Obtain the thumbprint for an OpenID Connect identity provider": AWS trusts the
servers of Auth0, GitHub, GitLab, Google and Amazon S3 by its library of root certificates.
"""

import re

_HTTPS = "https://"
_LONGEST = 253
_NAME = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_PORT = re.compile(r":[0-9]{1,5}$")
_PUBLIC = re.compile(
    r"token\.actions\.githubusercontent\.com"
    r"|gitlab\.com"
    r"|accounts\.google\.com"
    r"|.+\.auth0\.com"
    r"|(?:.+\.)?s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?"
)


def of(url: str) -> str:
    """The host name in an issuer's URL, in lower case; empty where it has none.

    An address, and what DNS does not know as a name, is none.
    """
    authority = url.removeprefix(_HTTPS).partition("/")[0]
    name = _PORT.sub("", authority).lower()
    last = name.rpartition(".")[2]
    return name if is_name(name) and not last.isdigit() else ""


def is_name(text: str) -> bool:
    """Whether this is a host name in lower case."""
    return len(text) <= _LONGEST and _NAME.fullmatch(text) is not None


def is_public(host: str) -> bool:
    """Whether a public authority, one that AWS trusts, vouches for the servers of this name."""
    return _PUBLIC.fullmatch(host) is not None
