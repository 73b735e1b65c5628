"""The names in SAML 2.0 documents, and those that AWS gives attributes.

OASIS, "Assertions and Protocols for SAML V2.0" and "Metadata for SAML V2.0"; IAM User Guide,
"Configure SAML assertions for the authentication response".
"""

from collections.abc import Mapping

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
ROLE = f"{AWS}Role"
SESSION_NAME = f"{AWS}RoleSessionName"
SESSION_DURATION = f"{AWS}SessionDuration"
SOURCE_IDENTITY = f"{AWS}SourceIdentity"
TRANSITIVE_TAGS = f"{AWS}TransitiveTagKeys"
TAG = f"{AWS}PrincipalTag:"

_PERSON = "urn:oid:1.3.6.1.4.1.5923.1.1.1."
_ORGANIZATION = "urn:oid:1.3.6.1.4.1.5923.1.2.1."
_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

KEYS: Mapping[str, str] = {
    f"{_PERSON}1": "eduPersonAffiliation",
    f"{_PERSON}2": "eduPersonNickname",
    f"{_PERSON}3": "eduPersonOrgDN",
    f"{_PERSON}4": "eduPersonOrgUnitDN",
    f"{_PERSON}5": "eduPersonPrimaryAffiliation",
    f"{_PERSON}6": "eduPersonPrincipalName",
    f"{_PERSON}7": "eduPersonEntitlement",
    f"{_PERSON}8": "eduPersonPrimaryOrgUnitDN",
    f"{_PERSON}9": "eduPersonScopedAffiliation",
    f"{_PERSON}10": "eduPersonTargetedID",
    f"{_PERSON}11": "eduPersonAssurance",
    f"{_ORGANIZATION}2": "eduOrgHomePageURI",
    f"{_ORGANIZATION}3": "eduOrgIdentityAuthNPolicyURI",
    f"{_ORGANIZATION}4": "eduOrgLegalName",
    f"{_ORGANIZATION}5": "eduOrgSuperiorURI",
    f"{_ORGANIZATION}6": "eduOrgWhitePagesURI",
    "urn:oid:2.5.4.3": "cn",
    f"{_CLAIMS}name": "name",
    "http://schemas.xmlsoap.org/claims/CommonName": "commonName",
    f"{_CLAIMS}givenname": "givenName",
    f"{_CLAIMS}surname": "surname",
    f"{_CLAIMS}emailaddress": "mail",
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid": "uid",
    "2.5.4.3": "commonName",
    "2.5.4.4": "surname",
    "2.4.5.42": "givenName",
    "2.5.4.45": "x500UniqueIdentifier",
    "0.9.2342.19200300100.1.1": "uid",
    "0.9.2342.19200300100.1.3": "mail",
    "0.9.2342.19200300.100.1.45": "organizationStatus",
}
"""An attribute's name in an assertion -> the condition key ``saml:…`` that has its values."""

SINGLE = frozenset(
    {
        "eduPersonOrgDN",
        "eduPersonPrimaryAffiliation",
        "eduPersonPrimaryOrgUnitDN",
        "eduPersonPrincipalName",
    }
)
"""The keys that hold one value ("Available keys for SAML-based AWS STS federation")."""

_FRIENDLY = {key.lower(): name for name, key in reversed(list(KEYS.items()))}
_OF_AWS = ("Role", "RoleSessionName", "SessionDuration", "SourceIdentity", "TransitiveTagKeys")


def whole(name: str) -> str:
    """An attribute's name by its short one: ``PrincipalTag:Team``, ``eduPersonAffiliation``."""
    if name in _OF_AWS or name.startswith("PrincipalTag:"):
        return AWS + name
    return _FRIENDLY.get(name.lower(), name)
