"""A SAML response as AssumeRoleWithSAML judges it: who signed it, for whom, and when.

What is wrong is said in the words of "Troubleshoot SAML federation with IAM" (IAM User Guide),
or in those that users of the operation report where that page has none.
"""

import base64
import binascii
import re
from datetime import datetime, timedelta

from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.federation.saml import assertion as assertions
from stslab.sandbox.federation.saml import metadata, names, signature, xml
from stslab.sandbox.federation.saml.assertion import Assertion
from stslab.sandbox.state.providers import SamlProvider
from stslab.sandbox.sts import faults

_FORBIDDEN = 403
_REDEEMED_WITHIN = timedelta(minutes=5)
_SKEW = timedelta(minutes=5)
_RESPONSE_CODE = "AuthSamlInvalidSamlResponseException"
_SIGN_IN = re.compile(
    r"https://(?:[a-z]{2}(?:-[a-z]+)+-\d\.)?signin\.aws\.amazon\.com/"
    r"(?:static/saml|saml|saml/acs/(?P<provider>[A-Z0-9]+))"
)


def decoded(encoded: str) -> bytes:
    """The response that a request carries.

    Raises:
        ApiFault: InvalidIdentityToken: it is not base64.
    """
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise faults.invalid_token("Invalid base64 SAMLResponse") from error


def verified(response: bytes, provider: SamlProvider, request: ApiRequest) -> Assertion:
    """The assertion of a response, of which nothing is read but what the provider signed.

    Raises:
        ApiFault: InvalidIdentityToken, ExpiredTokenException or IDPRejectedClaim.
    """
    try:
        found = _signed(xml.parse(response), provider, request)
    except xml.BadXml as error:
        raise faults.invalid_token(
            f"Your request included an invalid SAML response: {error}"
        ) from error
    _check_times(found, request.now)
    _check_addressee(found, provider)
    return found


def _signed(root: xml.Element, provider: SamlProvider, request: ApiRequest) -> Assertion:
    if assertions.failed(root):
        raise ApiFault(
            "IDPRejectedClaim",
            "The identity provider (IdP) reported that authentication failed.",
            _FORBIDDEN,
        )
    if next(xml.everywhere(root, names.ASSERTION, "EncryptedAssertion"), None) is not None:
        raise faults.invalid_token(
            "The SAML assertion is encrypted, which the embedded account does not support: let the "
            "identity provider send it unencrypted"
        )
    issuers = metadata.read(provider.metadata)
    issuer = _claimed_issuer(root)
    if issuer not in issuers:
        raise faults.rejected_assertion(
            request, "Issuer not present in specified provider", _RESPONSE_CODE
        )
    try:
        found = signature.signed_assertion(root, issuers[issuer])
    except signature.BadSignature as error:
        raise faults.invalid_token("Response signature invalid") from error
    read = assertions.read(found)
    if read.issuer != issuer:  # what chose the keys was not what they signed
        raise faults.invalid_token("Response signature invalid")
    return read


def _claimed_issuer(root: xml.Element) -> str:
    """Whose keys are to be tried, by the assertion's own word."""
    assertion = xml.child(root, names.ASSERTION, "Assertion")
    if assertion is None:
        raise xml.BadXml("it is no Response with an assertion in it")
    return assertions.issuer(assertion)


def _check_times(found: Assertion, now: datetime) -> None:
    """By the sandbox's clock; an assertion is good for five minutes at most."""
    if found.confirmed_until is None or not found.recipient:
        raise faults.invalid_token(
            "Responses must contain SubjectConfirmatonData with a Recipient and NotOnOrAfter"
        )
    if now >= found.issued + _REDEEMED_WITHIN:
        raise _expired("Token must be redeemed within 5 minutes of issuance")
    for end in (found.ends, found.confirmed_until, found.session_until):
        if end is not None and now >= end:
            raise _expired(
                f"Token expired: current date/time {_shown(now)} must be before the expiration "
                f"date/time {_shown(end)}"
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
    if not found.audiences or not all(map(_includes_aws, found.audiences)):
        raise faults.invalid_token("Response does not contain the required audience.")


def _includes_aws(audiences: frozenset[str]) -> bool:
    return any(each == names.AUDIENCE or _SIGN_IN.fullmatch(each) for each in audiences)


def _expired(message: str) -> ApiFault:
    return ApiFault("ExpiredTokenException", message)


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
