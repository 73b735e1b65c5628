"""Why a call was refused, as far as AWS's own error says it."""

from stslab.lab.model import DENIALS, Check
from stslab.policy.messages.reading import read
from stslab.policy.vocabulary import Gate
from stslab.runner.ports import Reason, Refusal


def told(refusal: Refusal) -> Reason | None:
    """The gate that the error names: of a signature that is all, of policies it is one of them."""
    message = read(f"An error occurred ({refusal.code}) when calling it: {refusal.message}")
    if message is None or message.gate is None:
        return None
    if message.gate is Gate.SIGNATURE:
        return Reason((message.gate,))
    is_trust = message.assumes_role and message.gate is Gate.RESOURCE
    return Reason((str(Gate.TRUST if is_trust else message.gate),), whole=False)


def mismatch(check: Check, code: str, reason: Reason | None) -> str:
    """What is wrong with the reason of an expected refusal; nothing where it is not told.

    A denial that names no gate is one by a rule of the service.
    """
    if reason is None or not (check.by or code in DENIALS):
        return ""
    came, wanted = (" and ".join(gates) or "no policy" for gates in (reason.gates, check.by))
    gates = {*reason.gates}
    right = gates == {*check.by} if reason.whole else gates <= {*check.by}
    if not right:
        return f"refused by {came}, where {wanted} was to refuse"
    if check.key and reason.whole and check.key.lower() not in map(str.lower, reason.keys):
        decided = " and ".join(reason.keys) or "no condition"
        return f"{decided} decided, where {check.key} was to decide"
    return ""
