"""The account's verdict on a call without making it: allowed or not, and by which gates."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from stslab.kinds.table import UNUSABLE
from stslab.lab.embedded import SERVICE
from stslab.lab.model import DENIALS, Check
from stslab.redaction import fingerprint
from stslab.runner.ports import Allowing, Call, Credentials
from stslab.runner.run.allowing import decided_by
from stslab.vocabulary import Gate


class GateReading(msgspec.Struct, frozen=True):
    """How one gate decided a request."""

    gate: Gate
    says: str  # ``allows``, ``denies`` (a Deny matched) or ``does not allow``
    decided: bool  # it is one of the gates that refuse the request
    policies: tuple[Mapping[str, Any], ...] = ()  # its policies: ``{policy, statements}``


class Verdict(msgspec.Struct, frozen=True):
    """The account's decision on a request. ``allowed`` is None if it can't tell."""

    allowed: bool | None
    by: tuple[Gate, ...] = ()  # the gates that refuse
    gates: tuple[GateReading, ...] = ()  # all gates that read the request, in order
    documents: Mapping[str, Any] = msgspec.field(default_factory=dict)  # policies by name
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)  # the caller's
    issued: str = ""  # when the caller's session was
    fault: str = ""  # error code if the gates allow it, but a rule of the service refuses

    @property
    def allowing(self) -> Allowing:
        """The policies and statements that allow it."""
        return decided_by((each.gate, each.policies) for each in self.gates) if self.allowed else ()


UNKNOWN = Verdict(None)
Decide = Callable[[Call], Verdict]  # decides a call of one of the run's profiles without making it
Would = Callable[[Mapping[str, object]], Mapping[str, Any]]  # the account's control verb ``would``
UNBELIEVED = UNUSABLE.difference(DENIALS)  # codes for credentials that AWS does not accept
_ASKED: Mapping[str, tuple[Gate, ...]] = {"sts": (Gate.TRUST, Gate.IDENTITY)}


def decided(would: Would, credentials: Credentials | None, call: Call) -> Verdict:
    """The verdict on a call; unknown without credentials, and for the lab's embedded service."""
    if credentials is None or call.service == SERVICE:
        return UNKNOWN
    asked = {
        "key": credentials.access_key_id,
        "proof": fingerprint(credentials.secret_access_key, credentials.session_token),
        "service": call.service,
        "operation": call.operation,
        "params": call.params,
    }
    return msgspec.convert(would({"calls": [asked]}), Verdict)


def expected(check: Check) -> Verdict:
    """The verdict that a check expects, for targets that can't decide a call in advance."""
    deciding = dict.fromkeys([*_ASKED.get(check.service, (Gate.IDENTITY,)), *check.by])
    gates = tuple(
        GateReading(gate, "does not allow" if gate in check.by else "", gate in check.by)
        for gate in sorted(deciding, key=list(Gate).index)
    )
    if UNBELIEVED.intersection(check.fails):
        return Verdict(False, (Gate.SIGNATURE,), gates)
    ruled = check.fails[0] if check.fails and not check.by else ""
    return Verdict(not check.by, check.by, gates, fault=ruled)
