"""Writes the log of all requests: CloudTrail records, each with the decisions about it.

CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail userIdentity element".
"""

import json
import os
import re
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from stslab.policy import Decision
from stslab.policy.decision import refusal
from stslab.policy.request import PrincipalKind
from stslab.redaction import HIDDEN, redact
from stslab.sandbox.api.model import ApiFault, ApiRequest, Caller, HttpRequest, iso
from stslab.sandbox.pipeline.log_file import NAME, Event
from stslab.sandbox.pipeline.naming import claimed

MOST_DECISIONS = 20
MAX_FILE = 8 * 2**20
MOST_POLICIES = 2**16
_LONGEST = 4096
_MOST_ITEMS = 50
_MOST_PARAMETERS = 100_000  # in bytes; CloudTrail omits more
_SIGN = r"(?:%(?:25)*|u00)"  # begins a sign that is escaped, in a URL or in JSON
# What may be between a name and its value, and around it:
_BETWEEN = rf"(?:[\s']|\\(?:\\\\)*\"|\\*{_SIGN}(?:2[027]|5C)){{0,9}}+"
_NAMES = r"(?:Signature|(?:Security|Session|Signin|WebIdentity)Token|(?:access|id)_token)"
_SECRET = re.compile(  # in a URL, a header or a form that a client gives for something else
    rf"(?i)(?=[X?&;,'\"\\%u])"  # only to be quick
    rf"((?:X-Amz-(?:Signature|(?:Security|S3session)-Token)|\"Signature(?=\":)"
    rf"|(?:[?&;,']|\\\"|{_SIGN}(?:2[267C]|3[BF])){_BETWEEN}{_NAMES})"
    rf"(?:\":\"|{_BETWEEN}\\*(?:[=:]|{_SIGN}3[AD]){_BETWEEN}))"
    r"(?:[^&\"\\]|\\+(?:/|u00[0-9A-F]{2}))+"
)
_CLAIMED_KEY = re.compile(r"(?:Credential=|AWS )([A-Z0-9]{16,32})[/:]")


class Received(msgspec.Struct):
    """One request on its way through the pipeline. ``api`` is None until it is named.

    ``caller`` is who signed it, once that is proved.
    """

    service: str
    request_id: str
    http: HttpRequest
    api: ApiRequest | None = None
    caller: Caller | None = None


class DecisionLog:
    """Appends each event to ``decisions.jsonl`` (mode 0600) in ``folder``; None: keeps no log.

    At 8 MiB the file is renamed to ``decisions.jsonl.1``, in place of the one before.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._path = folder / NAME if folder else None
        self._lock = threading.Lock()
        self._file: int | None = None
        self._size = 0

    def record(self, now: datetime, received: Received, fault: ApiFault | None) -> None:
        event = _event(now, received, fault)
        decisions = received.api.decisions if received.api else []
        event["userIdentity"] = _federated(decisions) or event["userIdentity"]
        if len(decisions) > MOST_DECISIONS:  # DeleteObjects makes 1,000
            refused = [one for one in decisions if not one.allowed]
            decisions = (refused or decisions)[:MOST_DECISIONS]
        event["decisions"] = [_decision(one) for one in decisions]
        with self._lock:
            self.append(event)

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def append(self, event: Event) -> None:
        """Write the event to the file. The caller holds the lock."""
        if self._path is None:
            return
        text = json.dumps(event, separators=(",", ":"))
        if "signature" in (folded := text.lower()) or "token" in folded:  # only to be quick
            text = _SECRET.sub(rf"\1{HIDDEN}", text)
        line = text.encode() + b"\n"
        if self._file is not None and self._size + len(line) > MAX_FILE:
            os.close(self._file)
            self._path.replace(self._path.with_name(f"{NAME}.1"))
            self._file = None
        if self._file is None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._size = os.fstat(self._file).st_size
        self._size += os.write(self._file, line)


def _event(now: datetime, received: Received, fault: ApiFault | None) -> dict[str, object]:
    api, http = received.api, received.http
    caller, via = (api.caller, api.via) if api else (received.caller, ())
    params = _short(redact(api.params), _MOST_ITEMS) if api else {}
    long = len(http.body) > _MOST_PARAMETERS // 6  # a byte takes six in JSON at most
    if api and long and len(json.dumps(params)) > _MOST_PARAMETERS:
        params = _short(redact(api.params), 1)
    event: dict[str, object] = {
        # "CloudTrail record contents for management, data, and network activity events" (2026).
        "eventVersion": "1.11",
        "eventType": "AwsApiCall",
        "eventTime": iso(now, "microseconds"),
        "eventID": f"{now.timestamp():.6f}-{os.urandom(4).hex()}",
        "eventSource": f"{received.service}.amazonaws.com",
        "eventName": api.operation if api else claimed(received.service, http),
        "awsRegion": api.region if api else "",
        "sourceIPAddress": via[-1] if via else http.source_ip or "AWS Internal",
        "userAgent": http.header("User-Agent"),
        "userIdentity": _identity(caller, via) if caller else _claimed(http),
        "requestParameters": params,
        "requestID": received.request_id,
        "recipientAccountId": api.account if api else "",
    }
    if fault is not None:
        event |= {"errorCode": fault.code, "errorMessage": fault.message, **fault.log}
    return event


def _short(value: object, items: int) -> object:
    """``value`` for JSON, with long texts cut short, and lists to so many items."""
    if isinstance(value, dict):
        return {str(key): _short(inner, items) for key, inner in value.items()}
    if isinstance(value, list):
        return [_short(inner, items) for inner in value[:items]]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = f"({len(value)} bytes)" if isinstance(value, bytes) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"


def _claimed(http: HttpRequest) -> dict[str, object]:
    credential = http.argument("X-Amz-Credential") or http.argument("AWSAccessKeyId")
    claimed = f"Credential={credential}/" if credential else http.header("Authorization")
    found = _CLAIMED_KEY.search(claimed)
    return {"type": "Unknown", **({"accessKeyId": found[1]} if found else {})}


def _identity(caller: Caller, via: tuple[str, ...]) -> dict[str, object]:
    own = caller.kind == "SessionToken"  # of GetSessionToken: the user's own, or root's
    kind = Caller(caller.principal).kind if own else caller.kind
    identity = {
        "type": "AWSAccount" if kind == "Anonymous" else kind,
        "principalId": caller.user_id,
        "arn": caller.principal.arn,
        "accountId": caller.account,
        "accessKeyId": caller.access_key_id,
        "userName": caller.user_name,
        "invokedBy": via[-1] if via else "",
    }
    return {name: value for name, value in identity.items() if value}


def _federated(decisions: Sequence[Decision]) -> dict[str, object]:
    """The identity in a valid token or assertion ("Values for ... SAML and web identity ...")."""
    requests = (one.request for one in decisions)
    request = next((r for r in requests if r.principal.kind == PrincipalKind.PROVIDER), None)
    if request is None:
        return {}
    provider, context = request.principal.arn, request.context
    if "saml:sub" in context:
        subject, qualifier = context["saml:sub"], context.get("saml:namequalifier", "")
        named = {"principalId": f"{qualifier}:{subject}", "identityProvider": qualifier}
        return {"type": "SAMLUser", **named, "userName": subject}
    keys = {key.rpartition(":")[2]: value for key, value in context.items() if "aws:" not in key}
    subject = keys.get("sub", "")
    named = {"principalId": f"{provider}:{keys.get('aud', '')}:{subject}"}
    return {"type": "WebIdentityUser", **named, "userName": subject, "identityProvider": provider}


def _decision(decision: Decision) -> dict[str, object]:
    request = decision.request
    logged = {
        "action": request.action,
        "resource": request.resource,
        "principal": request.principal.arn,
        "issuer": request.principal.issuer,
        "context": {
            key: value if isinstance(value, str) else list(value)
            for key, value in request.context.items()
        },
        **decision.as_dict(),
    }
    if decision.allowed:
        return logged
    logged["refused"] = {name: list(part) for name, part in refusal(decision)._asdict().items()}
    policies = [(layer.kind, each.policy) for layer in decision.layers for each in layer.readings]
    if sum(len(policy.document.text()) for _, policy in policies) <= MOST_POLICIES:
        # With the policies, the decision can be made again from the log.
        logged["policies"] = [
            {"layer": kind, "policy": policy.name, "document": policy.document.document}
            for kind, policy in policies
        ]
    return logged
