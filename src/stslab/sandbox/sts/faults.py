"""The faults that STS answers with, each with AWS's code and status."""

from stslab.policy import Decision
from stslab.sandbox.api.model import ApiFault, ApiRequest

_FORBIDDEN = 403


def access_denied(message: str) -> ApiFault:
    """AccessDenied: who calls may not do this, or not with these credentials."""
    return ApiFault("AccessDenied", message, _FORBIDDEN)


def denied(decision: Decision) -> ApiFault:
    """AccessDenied in the words of the decision."""
    return access_denied(decision.message)


def invalid(message: str) -> ApiFault:
    """ValidationError: a parameter is not what the operation takes."""
    return ApiFault("ValidationError", message)


def malformed_policy(message: str) -> ApiFault:
    """MalformedPolicyDocument: a policy was not valid JSON, or not valid as a policy."""
    return ApiFault("MalformedPolicyDocument", message)


def invalid_token(message: str) -> ApiFault:
    """InvalidIdentityToken: what an identity provider is said to have issued is not valid."""
    return ApiFault("InvalidIdentityToken", message)


def rejected_assertion(request: ApiRequest, message: str, code: str) -> ApiFault:
    """InvalidIdentityToken as STS hands it on from the service that keeps SAML providers."""
    return invalid_token(
        f"{message} (Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: {code}; "
        f"Request ID: {request.request_id}; Proxy: null)"
    )
