"""The words of a decision: kinds of policies, outcomes, and what AWS calls them."""

from enum import StrEnum


class PolicyKind(StrEnum):
    """What a policy document is used as, which decides what it may contain."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    TRUST = "role trust policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    SCP = "service control policy"
    RCP = "resource control policy"


class Outcome(StrEnum):
    """What a policy, a layer of policies, or all of them together say of a request."""

    ALLOWED = "Allowed"
    EXPLICITLY_DENIED = "ExplicitlyDenied"
    IMPLICITLY_DENIED = "ImplicitlyDenied"
