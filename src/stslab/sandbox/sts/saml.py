"""AssumeRoleWithSAML: an assertion of a SAML identity provider instead of a signature.

STS API Reference, same name; IAM User Guide, "Troubleshoot SAML federation with IAM".
"""

import base64
import hashlib
import re
from datetime import datetime, timedelta

from stslab.policy import Principal, PrincipalKind
from stslab.sandbox.api import faults
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Keys
from stslab.sandbox.federation.saml import assertion as assertions
from stslab.sandbox.federation.saml import metadata, names, xml
from stslab.sandbox.federation.saml.assertion import Assertion
from stslab.sandbox.state.identities import SamlProvider
from stslab.sandbox.state.snapshot import Transaction
from stslab.sandbox.sts import sessions
from stslab.sandbox.sts.sessions import RoleSessions

_OPERATION = "AssumeRoleWithSAML"
_PROVIDER_ARN = re.compile(r"arn:aws:iam::(\d{12}):saml-provider/(.+)")
_IDENTITY_CENTER = "AWSReservedSSO_"
_REDEEMED_WITHIN = _SKEW = timedelta(minutes=5)
_SIGN_IN = re.compile(
    r"https://(?:[a-z]{2}(?:-[a-z]+)+-\d\.)?signin\.aws\.amazon\.com/"
    r"(?:static/saml|saml|saml/acs/(?P<provider>[A-Z0-9]+))"
)
_LEAST_SECONDS, _MOST_SECONDS = 900, 43200


def assume_role_with_saml(roles: RoleSessions, tx: Transaction, request: ApiRequest) -> Answer:
    params = request.params
    target = roles.target(tx, params["RoleArn"], "Request ARN is invalid")
    try:
        response = base64.b64decode("".join(params["SAMLAssertion"].split()), validate=True)
    except ValueError as error:
        raise _rejected(request, "bad base64") from error
    match = _PROVIDER_ARN.fullmatch(params["PrincipalArn"])
    provider = tx.get(SamlProvider, match[1], match[2].lower()) if match else None
    if provider is None or provider.arn != params["PrincipalArn"]:
        raise _rejected(request, "no provider")
    assertion = verified(response, provider, request)
    _check_role(assertion, target.arn, provider.arn)
    identity = _identity(assertion, provider)
    mapped = _attribute_keys(assertion) | identity
    keys: Keys = {f"saml:{name}": value for name, value in mapped.items()}
    wanted = sessions.RoleRequest(
        _OPERATION,
        target,
        _session_name(assertion),
        _tags(assertion),
        sessions.source_identity(assertion.only(names.SOURCE_IDENTITY)),
        keys,
        Principal(PrincipalKind.PROVIDER, provider.arn, provider.account),
    )
    at_most = _seconds(assertion, request.now)
    if (
        target.name.startswith(_IDENTITY_CENTER)
        or not assertion.subject
        # "Create a SAML identity provider in IAM": a policy can't trust another account's provider.
        or provider.account != target.account
    ):
        raise faults.access_denied(f"Not authorized to perform sts:{_OPERATION}")
    return roles.session(tx, request, wanted, at_most) | {
        "Subject": assertion.subject,
        "SubjectType": identity["sub_type"],
        "Issuer": assertion.issuer,
        "Audience": assertion.recipient,
        "NameQualifier": identity["namequalifier"],
    }


# -- the response: signature, addressee and times ------------------------------------------


def verified(response: bytes, provider: SamlProvider, request: ApiRequest) -> Assertion:
    """The verified assertion of a response. Only what the provider signed is used."""
    try:
        assertion = _signed(xml.parse(response, plain=False), provider, request)
    except xml.BadXml as error:
        raise sessions.fault("unreadable", error=error) from error
    _check_times(assertion, request.now)
    _check_addressee(assertion, provider)
    return assertion


def _signed(root: xml.Element, provider: SamlProvider, request: ApiRequest) -> Assertion:
    if assertions.failed(root):
        raise sessions.fault("failed")
    if xml.everywhere(root, names.ASSERTION, "EncryptedAssertion"):
        raise sessions.fault("encrypted")
    issuers = metadata.read(provider.metadata)
    claimed = xml.child(root, names.ASSERTION, "Assertion")
    if claimed is None:
        raise xml.BadXml("it is not a Response with an assertion")
    issuer = assertions.issuer(claimed)
    if issuer not in issuers:
        raise _rejected(request, "other issuer")
    element = assertions.signed_assertion(root, issuers[issuer])
    if element is None:
        raise _rejected(request, "unsigned")
    signed = assertions.read(element)
    if signed.issuer != issuer:  # the keys were chosen by an issuer that is not signed
        raise assertions.invalid_signature()
    return signed


def _check_times(assertion: Assertion, now: datetime) -> None:
    if assertion.confirmed_until is None or not assertion.recipient:
        raise sessions.fault("no confirmation")
    if now >= assertion.issued + _REDEEMED_WITHIN:
        raise sessions.fault("redeemed late")
    for end in (assertion.ends, assertion.confirmed_until, assertion.session_until):
        if end is not None and now >= end:
            raise ApiFault("ExpiredTokenException", "Response has expired")
    for start in (assertion.issued, assertion.begins, assertion.confirmed_from):
        if start is not None and start > now + _SKEW:
            raise faults.invalid_token("The SAML assertion is not yet valid")


def _check_addressee(assertion: Assertion, provider: SamlProvider) -> None:
    address = _SIGN_IN.fullmatch(assertion.recipient)
    if address is None or address["provider"] not in (None, provider.unique_id):
        raise sessions.fault("recipient", address=names.SIGN_IN)
    for_aws = [
        any(name == names.AUDIENCE or _SIGN_IN.fullmatch(name) for name in audiences)
        for audiences in assertion.audiences
    ]
    if not for_aws or not all(for_aws):
        raise faults.invalid_token("Response does not contain the required audience.")


def _rejected(request: ApiRequest, why: str) -> ApiFault:
    """InvalidIdentityToken, with the error of AWS's internal service for SAML providers."""
    own, id_ = sessions.fault(why), request.request_id
    return sessions.fault("rejected", message=own.message, code=own.code, request=id_)


# -- the attributes: the role, the session, its tags, the condition keys --------------------


def _check_role(assertion: Assertion, role: str, provider: str) -> None:
    """The assertion must have the pair of ARNs, in any order."""
    pairs = (value.partition(",") for value in assertion.attributes.get(names.ROLE, ()))
    if {role, provider} not in ({one.rstrip(), other.lstrip()} for one, _, other in pairs):
        raise sessions.fault("no role")


def _session_name(assertion: Assertion) -> str:
    if not any(assertion.attributes.get(names.SESSION_NAME, ())):
        raise faults.invalid_token("RoleSessionName is required in AuthnResponse")
    name = assertion.only(names.SESSION_NAME) or ""
    if not re.fullmatch(sessions.NAME, name):
        raise faults.invalid_token(f"RoleSessionName in AuthnResponse must match {sessions.NAME}")
    return name


def _seconds(assertion: Assertion, now: datetime) -> int:
    limits = [_MOST_SECONDS]
    text = assertion.only(names.SESSION_DURATION)
    if text is not None:
        if not re.fullmatch("[0-9]{1,6}", text) or not _LEAST_SECONDS <= int(text) <= _MOST_SECONDS:
            raise sessions.fault("session duration", least=_LEAST_SECONDS, most=_MOST_SECONDS)
        limits.append(int(text))
    if assertion.session_until is not None:
        limits.append(max(1, int((assertion.session_until - now).total_seconds())))
    return min(limits)


def _tags(assertion: Assertion) -> sessions.SessionTags:
    passed = []
    for name, values in assertion.attributes.items():
        if name.startswith(names.TAG):
            if len(values) != 1:
                raise faults.invalid_token("A PrincipalTag attribute has one AttributeValue")
            passed.append((name.removeprefix(names.TAG), values[0]))
    return sessions.tags_in(passed, assertion.attributes.get(names.TRANSITIVE_TAGS, ()))


def _identity(assertion: Assertion, provider: SamlProvider) -> dict[str, str]:
    format_ = assertion.subject_format.removeprefix(names.NAME_FORMAT) or names.UNSPECIFIED
    return {
        "aud": assertion.recipient,
        "doc": f"{provider.account}/{provider.name}",
        "iss": assertion.issuer,
        "namequalifier": name_qualifier(assertion.issuer, provider),
        "sub": assertion.subject,
        "sub_type": "unspecified" if format_ == names.UNSPECIFIED else format_,
    }


def name_qualifier(issuer: str, provider: SamlProvider) -> str:
    """As in the API Reference, of the answer's NameQualifier."""
    text = f"{issuer}{provider.account}/{provider.name}"
    return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()


def _attribute_keys(assertion: Assertion) -> dict[str, str | tuple[str, ...]]:
    keys: dict[str, str | tuple[str, ...]] = {}
    for name, values in assertion.attributes.items():
        key = names.KEYS.get(name)
        if key is not None and values and key.lower() not in map(str.lower, keys):
            keys[key] = values[0] if key in names.SINGLE or len(values) == 1 else values
    return keys
