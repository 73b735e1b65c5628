"""The names in SAML 2.0 documents, and AWS's names of attributes.

IAM User Guide, "Configure SAML assertions for the authentication response".
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"
SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"

BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
NAME_FORMAT = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
PERSISTENT = f"{NAME_FORMAT}persistent"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"  # where none is said
SIGN_IN = "https://signin.aws.amazon.com/saml"
AUDIENCE = "urn:amazon:webservices"

AWS = "https://aws.amazon.com/SAML/Attributes/"
_OF_AWS = ("Role", "RoleSessionName", "SessionDuration", "SourceIdentity", "TransitiveTagKeys")
ROLE, SESSION_NAME, SESSION_DURATION, SOURCE_IDENTITY, TRANSITIVE_TAGS = (
    f"{AWS}{name}" for name in _OF_AWS
)
TAG = f"{AWS}PrincipalTag:"

_ROWS = [
    line.split()
    for line in Path(__file__).with_name("keys.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
KEYS: Mapping[str, str] = {name: key for name, key, *_ in _ROWS}
"""The condition key ``saml:…`` for each attribute, by its name in an assertion."""
SINGLE = frozenset(row[1] for row in _ROWS if row[2:] == ["once"])  # the keys that hold one value

_FRIENDLY = {key.lower(): name for name, key in reversed(list(KEYS.items()))}


def whole(name: str) -> str:
    """The full name of an attribute from a short one, such as ``PrincipalTag:Team``."""
    if name in _OF_AWS or name.startswith("PrincipalTag:"):
        return AWS + name
    return _FRIENDLY.get(name.lower(), name)


Seconds = Annotated[int, msgspec.Meta(ge=-86400, le=86400)]


class Asked(msgspec.Struct):
    """What an assertion is to say, beside its subject and its attributes.

    ``seconds``: how long it is valid; ``session_seconds``: until its SessionNotOnOrAfter.
    """

    subject_format: str = PERSISTENT
    recipient: str = SIGN_IN
    audience: str = AUDIENCE
    seconds: Seconds = 300
    session_seconds: Seconds | None = None
