"""AssumeRoleWithSAML: an assertion of a SAML identity provider in place of a signature.

STS API Reference, "AssumeRoleWithSAML"; IAM User Guide, "Configure SAML assertions for the
authentication response", "Troubleshoot SAML federation with IAM", by whose words it is said
what is wrong, and "Available keys for SAML-based AWS STS federation".
"""

import base64
import hashlib
import re
from datetime import datetime, timedelta

from stslab.policy import Principal
from stslab.sandbox.api import faults, operations
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Keys, Params, iso
from stslab.sandbox.federation.saml import assertion, metadata, names, xml
from stslab.sandbox.federation.saml.assertion import Assertion
from stslab.sandbox.state.identities import SamlProvider
from stslab.sandbox.state.snapshot import Transaction
from stslab.sandbox.sts import issuing
from stslab.sandbox.sts.assume_role import AssumeRole, Wish

_OPERATION = "AssumeRoleWithSAML"
_PROVIDER_ARN = re.compile(r"arn:aws:iam::(\d{12}):saml-provider/(.+)")
_IDENTITY_CENTER = "AWSReservedSSO_"
_REDEEMED_WITHIN = _SKEW = timedelta(minutes=5)
_SIGN_IN = re.compile(
    r"https://(?:[a-z]{2}(?:-[a-z]+)+-\d\.)?signin\.aws\.amazon\.com/"
    r"(?:static/saml|saml|saml/acs/(?P<provider>[A-Z0-9]+))"
)
_PATTERN = "[a-zA-Z_0-9+=,.@-]{2,64}"
_LEAST_SECONDS, _MOST_SECONDS = 900, 43200
_LASTING = ("namequalifier", "sub", "sub_type")
"""The condition keys that a session's later requests have too."""


def assume_role_with_saml(assume: AssumeRole, tx: Transaction, request: ApiRequest) -> Answer:
    params = request.params
    target = assume.target(tx, params["RoleArn"], "Request ARN is invalid")
    try:
        response = base64.b64decode("".join(params["SAMLAssertion"].split()), validate=True)
    except ValueError as error:
        raise faults.invalid_token("Invalid base64 SAMLResponse") from error
    match = _PROVIDER_ARN.fullmatch(params["PrincipalArn"])
    provider = tx.get(SamlProvider, match[1], match[2].lower()) if match else None
    if provider is None or provider.arn != params["PrincipalArn"]:
        what = "Specified provider doesn't exist"
        raise _rejected(request, what, "AuthSamlManifestNotFoundException")
    said = verified(response, provider, request)
    _check_role(said, target.arn, provider.arn)
    identity = _identity(said, provider)
    keys: Keys = {f"saml:{name}": value for name, value in (_mapped(said) | identity).items()}
    wish = Wish(
        _OPERATION,
        target,
        _session_name(said),
        _tags(said, target.arn),
        _source_identity(said),
        {"aws:FederatedProvider": provider.arn, **keys},
        Principal.federated(provider.arn, provider.account),
    )
    at_most = _seconds(said, request.now)
    if (
        target.name.startswith(_IDENTITY_CENTER)
        or not said.subject
        # "Create a SAML identity provider in IAM": no policy trusts another account's provider.
        or provider.account != target.account
    ):
        raise faults.access_denied(f"Not authorized to perform sts:{_OPERATION}")
    answer = assume.issue(
        tx,
        request,
        wish,
        assume.authorize_federated(tx, request, wish),
        at_most=at_most,
        federated_provider=provider.arn,
        provider_keys=tuple((f"saml:{name}", identity[name]) for name in _LASTING),
    )
    return answer | {
        "Subject": said.subject,
        "SubjectType": identity["sub_type"],
        "Issuer": said.issuer,
        "Audience": said.recipient,
        "NameQualifier": identity["namequalifier"],
    }


# -- the response: who signed it, for whom, and when ---------------------------------------


def verified(response: bytes, provider: SamlProvider, request: ApiRequest) -> Assertion:
    """The assertion of a response, of which nothing is read but what the provider signed."""
    try:
        found = _signed(xml.parse(response, plain=False), provider, request)
    except xml.BadXml as error:
        raise faults.invalid_token(
            f"Your request included an invalid SAML response: {error}"
        ) from error
    _check_times(found, request.now)
    _check_addressee(found, provider)
    return found


def _signed(root: xml.Element, provider: SamlProvider, request: ApiRequest) -> Assertion:
    if assertion.failed(root):
        raise ApiFault(
            "IDPRejectedClaim", "The identity provider (IdP) reported that authentication failed."
        )
    if next(xml.everywhere(root, names.ASSERTION, "EncryptedAssertion"), None) is not None:
        raise faults.invalid_token(
            "The SAML assertion is encrypted, which the embedded account does not support: let the "
            "identity provider send it unencrypted"
        )
    issuers = metadata.read(provider.metadata)
    claimed = xml.child(root, names.ASSERTION, "Assertion")
    if claimed is None:
        raise xml.BadXml("it is no Response with an assertion in it")
    issuer = assertion.issuer(claimed)
    if issuer not in issuers:
        what = "Issuer not present in specified provider"
        raise _rejected(request, what, "AuthSamlInvalidSamlResponseException")
    try:
        found = assertion.signed_assertion(root, issuers[issuer])
    except assertion.BadSignature as error:
        raise faults.invalid_token("Response signature invalid") from error
    read = assertion.read(found)
    if read.issuer != issuer:  # what chose the keys was not what they signed
        raise faults.invalid_token("Response signature invalid")
    return read


def _check_times(found: Assertion, now: datetime) -> None:
    """By the account's clock; an assertion is good for five minutes at most."""
    if found.confirmed_until is None or not found.recipient:
        raise faults.invalid_token(
            "Responses must contain SubjectConfirmatonData with a Recipient and NotOnOrAfter"
        )
    if now >= found.issued + _REDEEMED_WITHIN:
        late = "Token must be redeemed within 5 minutes of issuance"
        raise ApiFault("ExpiredTokenException", late)
    for end in (found.ends, found.confirmed_until, found.session_until):
        if end is not None and now >= end:
            raise ApiFault(
                "ExpiredTokenException",
                f"Token expired: current date/time {iso(now)} must be before the expiration "
                f"date/time {iso(end)}",
            )
    for start in (found.issued, found.begins, found.confirmed_from):
        if start is not None and start > now + _SKEW:
            raise faults.invalid_token("The SAML assertion is not yet valid")


def _check_addressee(found: Assertion, provider: SamlProvider) -> None:
    address = _SIGN_IN.fullmatch(found.recipient)
    if address is None or address["provider"] not in (None, provider.unique_id):
        raise faults.invalid_token(
            "The Recipient of the SubjectConfirmationData is no AWS sign-in endpoint, such as "
            f"{names.SIGN_IN}"
        )
    for_aws = [
        any(each == names.AUDIENCE or _SIGN_IN.fullmatch(each) for each in audiences)
        for audiences in found.audiences
    ]
    if not for_aws or not all(for_aws):
        raise faults.invalid_token("Response does not contain the required audience.")


def _rejected(request: ApiRequest, message: str, code: str) -> ApiFault:
    """InvalidIdentityToken as STS hands it on from the service that keeps SAML providers."""
    return faults.invalid_token(
        f"{message} (Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: {code}; "
        f"Request ID: {request.request_id}; Proxy: null)"
    )


# -- what the assertion asks of AWS: the role, the session, its tags, the condition keys ----


def _check_role(said: Assertion, role: str, provider: str) -> None:
    """The pair of ARNs must be in it; which stands first does not matter."""
    pairs = (value.split(",") for value in said.attributes.get(names.ROLE, ()))
    if not any(sorted(map(str.strip, pair)) == sorted((role, provider)) for pair in pairs):
        raise faults.invalid_token(
            "SAML Assertion doesn't contain the requested Role and Metadata in the attributes"
        )


def _session_name(said: Assertion) -> str:
    if not any(said.attributes.get(names.SESSION_NAME, ())):
        raise faults.invalid_token("RoleSessionName is required in AuthnResponse")
    name = said.only(names.SESSION_NAME)
    if not re.fullmatch(_PATTERN, name):
        raise faults.invalid_token(f"RoleSessionName in AuthnResponse must match {_PATTERN}")
    return name


def _source_identity(said: Assertion) -> str:
    if names.SOURCE_IDENTITY not in said.attributes:
        return ""
    identity = said.only(names.SOURCE_IDENTITY)
    if not re.fullmatch(_PATTERN, identity) or identity.lower().startswith(issuing.RESERVED):
        raise faults.invalid_token(
            f'Source Identity must match {_PATTERN} and not begin with "{issuing.RESERVED}"'
        )
    return identity


def _seconds(said: Assertion, now: datetime) -> int | None:
    """The most seconds from ``now`` that the assertion lets a session last, or None."""
    ends = []
    if names.SESSION_DURATION in said.attributes:
        text = said.only(names.SESSION_DURATION)
        if not re.fullmatch("[0-9]{1,6}", text) or not _LEAST_SECONDS <= int(text) <= _MOST_SECONDS:
            raise faults.invalid_token(
                "SessionDuration in AuthnResponse must be an integer between "
                f"{_LEAST_SECONDS} and {_MOST_SECONDS}"
            )
        ends.append(int(text))
    if said.session_until is not None:
        ends.append(max(1, int((said.session_until - now).total_seconds())))
    return min(ends, default=None)


def _tags(said: Assertion, role: str) -> issuing.SessionTags:
    """The session tags, within the limits that AssumeRole has for them."""
    passed = []
    for name, values in said.attributes.items():
        if name.startswith(names.TAG):
            if len(values) != 1:
                raise faults.invalid_token("A PrincipalTag attribute has one AttributeValue")
            passed.append((name.removeprefix(names.TAG), values[0]))
    transitive = said.attributes.get(names.TRANSITIVE_TAGS, ())
    as_params: Params = {
        "RoleArn": role,
        "RoleSessionName": "unnamed",
        "Tags": [{"Key": key, "Value": value} for key, value in passed],
        "TransitiveTagKeys": list(transitive),
    }
    operations.check("sts", "AssumeRole", as_params)
    return issuing.checked_tags(tuple(passed), transitive, None)


def _identity(said: Assertion, provider: SamlProvider) -> dict[str, str]:
    """The user that the assertion is about: the keys that are not of its attributes."""
    return {
        "aud": said.recipient,
        "doc": f"{provider.account}/{provider.name}",
        "iss": said.issuer,
        "namequalifier": name_qualifier(said.issuer, provider),
        "sub": said.subject,
        "sub_type": (said.subject_format or names.UNSPECIFIED).removeprefix(names.NAME_FORMAT),
    }


def name_qualifier(issuer: str, provider: SamlProvider) -> str:
    """``BASE64 ( SHA1 ( issuer + account + "/" + name ) )``, as the API Reference has it."""
    text = f"{issuer}{provider.account}/{provider.name}"
    return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()


def _mapped(said: Assertion) -> dict[str, str | tuple[str, ...]]:
    """The condition keys that attributes fill; of several for one key, the first does."""
    found: dict[str, str | tuple[str, ...]] = {}
    for name, values in said.attributes.items():
        key = names.KEYS.get(name)
        if key is None or not values or key.lower() in map(str.lower, found):
            continue
        found[key] = values[0] if key in names.SINGLE or len(values) == 1 else values
    return found
