"""What a lab says of a check, where the account can't decide a request without its being made."""

from collections.abc import Mapping

from stslab.lab.model import Check
from stslab.lesson.ports import GateReading, Verdict
from stslab.policy.vocabulary import Gate

_ASKED: Mapping[str, tuple[Gate, ...]] = {"sts": (Gate.TRUST, Gate.IDENTITY)}


def verdict_of(check: Check) -> Verdict:
    """What the check expects, as a verdict: the gates that have a say, and those that refuse."""
    asked = dict.fromkeys([*_ASKED.get(check.service, (Gate.IDENTITY,)), *check.by])
    gates = tuple(
        GateReading(gate, "does not allow" if gate in check.by else "", gate in check.by)
        for gate in sorted(asked, key=list(Gate).index)
    )
    keys = (check.key,) if check.key else ()
    return Verdict(not check.fails, check.by, keys, gates)
