"""The policy engine: decides a request as IAM does, with the reasons. Pure."""

from stslab.errors import MalformedPolicy
from stslab.policy.authorize import Policies, authorize
from stslab.policy.decision import Decision
from stslab.policy.documents.document import NamedPolicy, Policy, parse
from stslab.policy.request import Principal, PrincipalKind, Request
from stslab.vocabulary import Outcome, PolicyKind

__all__ = [
    "Decision",
    "MalformedPolicy",
    "NamedPolicy",
    "Outcome",
    "Policies",
    "Policy",
    "PolicyKind",
    "Principal",
    "PrincipalKind",
    "Request",
    "authorize",
    "parse",
]
