"""The faults that IAM answers with, each with AWS's code and status."""

from stslab.sandbox.api.model import ApiFault

_NOT_FOUND = 404
_CONFLICT = 409
_FORBIDDEN = 403


def no_such(message: str) -> ApiFault:
    """NoSuchEntity: what the request names is not there."""
    return ApiFault("NoSuchEntity", message, _NOT_FOUND)


def exists(message: str) -> ApiFault:
    """EntityAlreadyExists: what is to be made is there already."""
    return ApiFault("EntityAlreadyExists", message, _CONFLICT)


def in_use(message: str) -> ApiFault:
    """DeleteConflict: what is to be deleted still holds, or is held by, something."""
    return ApiFault("DeleteConflict", message, _CONFLICT)


def refuse_if_held(*held: tuple[object, str]) -> None:
    """Raise DeleteConflict with the first thing that is still there, and what to do first."""
    for what, first in held:
        if what:
            raise in_use(f"Cannot delete entity, must {first} first.")


def quota(name: str, limit: int) -> ApiFault:
    """LimitExceeded: one more than the account's quota of this name."""
    return limit_exceeded(f"Cannot exceed quota for {name}: {limit}")


def check_quota(name: str, limit: int, there_are: int) -> None:
    """Raise LimitExceeded where one more would be more than the quota of this name."""
    if there_are >= limit:
        raise quota(name, limit)


def limit_exceeded(message: str) -> ApiFault:
    """LimitExceeded, in other words than a quota's."""
    return ApiFault("LimitExceeded", message, _CONFLICT)


def malformed_policy(message: str) -> ApiFault:
    """MalformedPolicyDocument: a policy that IAM can't read, or would not keep."""
    return ApiFault("MalformedPolicyDocument", message)


def invalid_input(message: str) -> ApiFault:
    """InvalidInput: a parameter that is well formed and yet wrong."""
    return ApiFault("InvalidInput", message)


def invalid(message: str) -> ApiFault:
    """ValidationError: a parameter is not what the operation takes."""
    return ApiFault("ValidationError", message)


def no_communication(url: str) -> ApiFault:
    """OpenIdIdpCommunicationError: IAM can't connect to the provider, to take its thumbprint."""
    return ApiFault(
        "OpenIdIdpCommunicationError",
        f"IAM cannot connect to the OpenID Connect identity provider URL {url}.",
    )


def unmodifiable(message: str) -> ApiFault:
    """UnmodifiableEntity: only the service that made it may change it."""
    return ApiFault("UnmodifiableEntity", message)


def wrong_code() -> ApiFault:
    """InvalidAuthenticationCode: the codes are not two consecutive ones of the device."""
    return ApiFault(
        "InvalidAuthenticationCode", "Authentication code for device is not valid.", _FORBIDDEN
    )
