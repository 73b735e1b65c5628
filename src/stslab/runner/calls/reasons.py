"""Why a call was refused, as far as AWS's own error says it."""

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


def mismatch(by: tuple[str, ...], key: str | None, reason: Reason | None) -> str:
    """What the reason is that it should not be; nothing where it is right, or is not told."""
    if not by or reason is None:
        return ""
    wanted, came = " and ".join(by), " and ".join(reason.gates) or "none of the gates"
    right = set(by) == {*reason.gates} if reason.whole else {*reason.gates} <= set(by)
    if not right:
        return f"refused by {came}, where {wanted} was to refuse"
    if key and reason.whole and key.lower() not in map(str.lower, reason.keys):
        decided = " and ".join(reason.keys) or "no condition"
        return f"{decided} decided, where {key} was to decide"
    return ""
