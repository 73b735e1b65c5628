"""The policy engine: decides a request as IAM does, with the reasons. Pure."""

from stslab.policy.authorize import Policies, authorize
from stslab.policy.decision import Decision
from stslab.policy.documents.document import NamedPolicy, parse
from stslab.policy.request import Principal, PrincipalKind, Request
from stslab.vocabulary import PolicyKind

__all__ = [
    "Decision",
    "NamedPolicy",
    "Policies",
    "PolicyKind",
    "Principal",
    "PrincipalKind",
    "Request",
    "authorize",
    "parse",
]
