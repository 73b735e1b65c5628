"""Words that several packages share: those of a decision, and who administers which account."""

from enum import StrEnum
from typing import Final


class PolicyKind(StrEnum):
    """The use of a policy document, which decides what it may contain."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    TRUST = "role trust policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    SCP = "service control policy"
    RCP = "resource control policy"

    __hash__ = str.__hash__  # Enum's own is a Python function, and policies are kept by kind


class Outcome(StrEnum):
    """The result of a policy, a layer of policies, or all policies, for a request."""

    ALLOWED = "Allowed"
    EXPLICITLY_DENIED = "ExplicitlyDenied"
    IMPLICITLY_DENIED = "ImplicitlyDenied"

    __hash__ = str.__hash__


LATEST: Final = "2012-10-17"  # The version of the policy language with policy variables
LEGACY: Final = "2008-10-17"  # The default version, in which variables are literal text


class Gate(StrEnum):
    """The gates, in the order in which a request passes them."""

    SIGNATURE = "signature"
    SCP = "scp"
    RCP = "rcp"
    RESOURCE = "resource policy"
    TRUST = "trust policy"
    IDENTITY = "identity policy"
    BOUNDARY = "boundary"
    SESSION = "session policy"


ADMIN: Final = "admin"  # who looks things up, and undoes where the step's own identity can't
PARTNER_ADMIN: Final = "partner"  # the same, in a lab's second account
LEARNER: Final = "111122223333"  # the learner's account in the embedded one, and in examples
PARTNER: Final = "444455556666"  # the second one
CERTIFICATES: Final = ("renewed", "new-ca", "trusted", "wrong-host", "forged")  # of issuers
REGION: Final = "us-east-1"  # the embedded account's
