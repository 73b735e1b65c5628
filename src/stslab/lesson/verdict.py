"""Reads the embedded account's verdict on a call that was not made."""

from collections.abc import Callable, Mapping
from typing import Any

from stslab.kinds.table import UNUSABLE
from stslab.lab.embedded import SERVICE
from stslab.lab.model import DENIALS, Check
from stslab.lesson.ports import UNKNOWN, GateReading, Verdict
from stslab.redaction import fingerprint
from stslab.runner.ports import Credentials, Data
from stslab.vocabulary import Gate

Would = Callable[[Mapping[str, object]], Mapping[str, Any]]
"""Asks the account what calls would meet."""
UNBELIEVED = UNUSABLE.difference(DENIALS)
"""The codes with which AWS answers credentials that it does not accept."""
_ASKED: Mapping[str, tuple[Gate, ...]] = {"sts": (Gate.TRUST, Gate.IDENTITY)}


def of(told: Mapping[str, Any]) -> Verdict:
    """The verdict in what the account answers to ``would``."""
    gates = tuple(
        GateReading(Gate(one["gate"]), one["says"], one["decided"], tuple(one["policies"]))
        for one in told["gates"]
    )
    by = tuple(map(Gate, told["by"]))
    keys = tuple(told["keys"])
    return Verdict(told["allowed"], by, keys, gates, told["documents"], str(told["fault"]))


def decided(
    would: Would, credentials: Credentials | None, service: str, operation: str, params: Data
) -> Verdict:
    """What a call would meet; unknown without credentials, and where no policy is asked."""
    if credentials is None or service == SERVICE:
        return UNKNOWN
    call = {
        "key": credentials.access_key_id,
        "proof": fingerprint(credentials.secret_access_key, credentials.session_token),
        "service": service,
        "operation": operation,
        "params": params,
    }
    return of(would({"calls": [call]}))


def expected(check: Check) -> Verdict:
    """What a check expects, as a verdict, where the account can't decide its call unmade."""
    asked = dict.fromkeys([*_ASKED.get(check.service, (Gate.IDENTITY,)), *check.by])
    gates = tuple(
        GateReading(gate, "does not allow" if gate in check.by else "", gate in check.by)
        for gate in sorted(asked, key=list(Gate).index)
    )
    keys = (check.key,) if check.key else ()
    if UNBELIEVED.intersection(check.fails):
        return Verdict(False, (Gate.SIGNATURE,), keys, gates)
    ruled = check.fails[0] if check.fails and not check.by else ""
    return Verdict(not check.by, check.by, keys, gates, fault=ruled)
