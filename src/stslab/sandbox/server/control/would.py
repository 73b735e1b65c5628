"""What a call would meet, without its being made: for the access table and for predictions.

``POST would`` takes ``{"calls": [{"key", "service", "operation", "params"}, ...]}``. The calls
are carried out one after the other on a fork of the account that nobody keeps, and the answer
is about the last of them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stslab.errors import SandboxError
from stslab.policy import Decision
from stslab.policy.gates import GATES, refusal
from stslab.policy.vocabulary import Gate, Outcome
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.pipeline.pipeline import Would
from stslab.sandbox.server.assembly import Inside
from stslab.sandbox.server.control.requests import Registry

MOST_CALLS = 50
_SAYS: Mapping[str, str] = {
    Outcome.ALLOWED: "allows",
    Outcome.EXPLICITLY_DENIED: "denies",
    Outcome.IMPLICITLY_DENIED: "does not allow",
}
_NOT_BELIEVED: Mapping[str, Any] = {
    "allowed": False,
    "by": [Gate.SIGNATURE],
    "keys": [],
    "gates": [],
    "documents": {},
}


def add_verbs(registry: Registry, inside: Callable[[], Inside]) -> None:
    """Answer ``would``."""
    registry.add("would", lambda asked: _would(inside(), asked.body))


def _would(inside: Inside, body: Mapping[str, Any]) -> Mapping[str, Any]:
    calls = body.get("calls")
    if not isinstance(calls, list) or not 0 < len(calls) <= MOST_CALLS:
        raise SandboxError(f"Say which calls: a list of 1 to {MOST_CALLS}.")
    made = [_call(inside, call) for call in calls]
    if made[-1] is None:
        return _NOT_BELIEVED
    decisions, fault = inside.pipeline.would([call for call in made if call is not None])
    return _verdict(decisions, fault)


def _call(inside: Inside, call: Any) -> Would | None:
    """The call, or None where AWS would not believe who signs it."""
    try:
        key, service, operation = (str(call[name]) for name in ("key", "service", "operation"))
        params = dict(call["params"])
    except (KeyError, TypeError, ValueError):
        raise SandboxError("A call has a key, a service, an operation and params.") from None
    if service not in inside.services:
        raise SandboxError(f"The sandbox has no service {service!r}.")
    record = inside.keys.lookup(key)
    ended = record and record.expires and record.expires <= inside.state.now()
    if record is None or not record.active or ended:
        return None
    return Would(record.caller, service, operation, params)


def _verdict(decisions: Sequence[Decision], fault: ApiFault | None) -> Mapping[str, Any]:
    """``allowed`` is about permissions alone; None where none was asked for, and it fails."""
    refused = [one for one in decisions if not one.allowed]
    if refused:
        found = refusal(refused[0])
        return {"allowed": False, "by": found.gates, "keys": found.keys, **_told(refused[0])}
    allowed = True if decisions or fault is None else None
    told = _told(decisions[-1]) if decisions else {"gates": [], "documents": {}}
    return {"allowed": allowed, "by": [], "keys": [], **told}


def _told(decision: Decision) -> dict[str, Any]:
    told = decision.as_dict()
    gates = [
        {
            "gate": GATES[layer.kind],
            "says": _SAYS[layer.outcome],
            "decided": layer.blocks,
            "policies": said["policies"],
        }
        for layer, said in zip(decision.layers, told["layers"], strict=True)
    ]
    documents = {
        each.policy.name: each.policy.document.document
        for layer in decision.layers
        for each in layer.readings
    }
    return {"gates": gates, "documents": documents}
