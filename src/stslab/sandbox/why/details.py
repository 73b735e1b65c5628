"""Answers from the log why a request was denied, by the authorization id in its error message.

IAM User Guide, "Troubleshoot access denied error messages with authorization ID"; IAM Toolbox API
Reference, GetRequestAuthorizationDetails, whose examples show how policies and keys are named.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from stslab.sandbox.api.model import POLICY_ARN, Answer, ApiFault, ApiRequest, Need, Reads, Writes
from stslab.sandbox.pipeline.log import DecisionLog
from stslab.sandbox.pipeline.log_file import Decided
from stslab.sandbox.state.snapshot import View
from stslab.vocabulary import Outcome, PolicyKind

_EFFECTS: Mapping[str, str] = {
    Outcome.ALLOWED: "ALLOW",
    Outcome.EXPLICITLY_DENIED: "EXPLICIT_DENY",
    Outcome.IMPLICITLY_DENIED: "IMPLICIT_DENY",
}
_KINDS: Mapping[str, tuple[str, str]] = {  # the check that a policy is part of, and its type
    PolicyKind.IDENTITY: ("PRINCIPAL", "IDENTITY_BASED_POLICY"),
    PolicyKind.BOUNDARY: ("PERMISSIONS_BOUNDARY", "PERMISSIONS_BOUNDARY"),
    PolicyKind.SESSION: ("SESSION", "SESSION_POLICY"),
}
_CALLED = {"aws:userid": "aws:UserId", "aws:PrincipalArn": "aws:PrincipalARN"}
_Members = dict[str, Any]


class Toolbox:
    """The service IAM Toolbox. An account can ask about its own requests, in their region."""

    def __init__(self, log: DecisionLog) -> None:
        self._log = log
        self.reads: Reads = {"GetRequestAuthorizationDetails": self._details}
        self.writes: Writes = {}

    def needs(self, _view: View, request: ApiRequest) -> tuple[Need]:
        return (Need(f"iam:{request.operation}", "*", resource_account=request.account),)

    def _details(self, _view: View, request: ApiRequest) -> Answer:
        end = f"authorization id: {request.params['authorizationId']}"
        for event in self._log.newest_first():
            if (
                event.get("errorMessage", "").endswith(end)
                and event["errorCode"] == "AccessDenied"
                and event["recipientAccountId"] == request.account
                and event["awsRegion"] == request.region
            ):
                return _answer(event["decisions"])
        what = "The requested policy or authorization details"
        raise ApiFault("ResourceNotFoundException", f"{what} do not exist in this region.")


def _answer(decisions: list[Decided]) -> Answer:
    contexts = [_context(one["context"]) for one in decisions]
    shared = {
        key: value
        for key, value in contexts[0].items()
        if key.startswith("aws:")
        and "ResourceTag/" not in key
        and all(other.get(key) == value for other in contexts)
    }
    to = [{"arn": contexts[0]["aws:PrincipalARN"]}]
    policies: dict[tuple[str, str], _Members] = {}
    evaluations = []
    for one, context in zip(decisions, contexts, strict=True):
        layers = [layer for layer in one["layers"] if layer["layer"] in _KINDS]
        for layer in layers:
            for uri in map(_uri, layer["policies"]):
                kind, inline = _KINDS[layer["layer"]][1], uri.startswith("inline:")
                policies[kind, uri] = {"type": kind, "inline": inline, "uri": uri, "attachedTo": to}
        checks = list(map(_check, layers))
        evaluations.append(
            {
                "action": one["action"],
                "resource": one["resource"],
                "context": {key: context[key] for key in context if key not in shared},
                "evaluatedEffect": _EFFECTS[one["decision"]],
                "matchedPolicies": [each for check in checks for each in check["matchedPolicies"]],
                "checks": checks,
            }
        )
    found = list(policies.values())
    return {"requestContext": shared, "evaluations": evaluations, "policies": found}


def _check(layer: _Members) -> _Members:
    check, kind = _KINDS[layer["layer"]]
    matched = []
    for policy in layer["policies"]:
        statements = [
            {"sid": row["statement"], "evaluatedEffect": row["effect"].upper()}
            for row in policy["statements"]
            if row["matches"]
        ]
        if statements:
            matched.append({"uri": _uri(policy), "matchedStatements": statements})
    return {
        "checkType": check,
        "evaluatedEffect": _EFFECTS[layer["decision"]],
        "relevantPolicyTypes": [kind],
        "matchedPolicies": matched,
    }


def _uri(policy: _Members) -> str:
    """The ARN of a managed policy, which its name in the log contains; else an opaque id."""
    arn = POLICY_ARN.search(policy["policy"])
    return arn[0] if arn else f"inline:{sha256(policy['policy'].encode()).hexdigest()[:16]}"


def _context(keys: Mapping[str, Any]) -> _Members:
    """The condition keys, each with a text."""
    ip, time = f"{keys['aws:SourceIp']}/32", keys["aws:CurrentTime"]
    return {
        _CALLED.get(key, key): value if isinstance(value, str) else f"[{', '.join(value)}]"
        for key, value in {**keys, "aws:EpochTime": time, "aws:SourceIp": ip}.items()
    }
