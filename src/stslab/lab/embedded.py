"""What of a lab only the embedded account has: its clock, its tokens, the codes of MFA devices.

It is called as a service of its own, so that it is judged, journaled and undone as all else is.
"""

from collections.abc import Iterator

import msgspec

from stslab.kinds.operations import CHANGES, Must
from stslab.lab.model import LabFile, Step, Token
from stslab.lab.reading.expressions import Data
from stslab.lab.references import names_used

SERVICE = "embedded"
MOVES, GIVES_TOKEN = f"{SERVICE}.MoveClock", f"{SERVICE}.GetToken"
LIVE = {
    "now": "uses the account's time",
    "mfa": "uses codes of MFA devices",
    "token": "asks for a token",
    "tokens": "asks for a token",
}
"""The names that stand for something else each time that they are asked for; what that tells."""


def called(step: Step) -> Step:
    """The step with the call that ``clock`` or ``token`` stands for."""
    if step.clock is not None:
        return msgspec.structs.replace(step, call=MOVES, params={"By": step.clock})
    if step.token is None:
        return step
    return msgspec.structs.replace(step, call=GIVES_TOKEN, params=token_params(step.token))


def token_params(token: Token) -> dict[str, Data]:
    params: dict[str, Data] = {"Claims": {**token.claims, "sub": token.sub, "aud": token.aud}}
    return {**params, "Issuer": token.issuer} if token.issuer else params


def live_names(lab: LabFile) -> frozenset[str]:
    """Those of :data:`LIVE` that the lab refers to."""
    parts = (lab.env, lab.access, lab.stages, lab.faults, lab.profiles)
    return frozenset(LIVE.keys() & names_used(msgspec.to_builtins(parts)))


def embedded_only(lab: LabFile) -> tuple[str, ...]:
    """What of the lab only the embedded account has, in words; nothing where it runs on any."""
    told = {MOVES: "moves the account's clock", GIVES_TOKEN: LIVE["token"]}
    said = dict.fromkeys(
        told.get(call, f"changes the whole account ({call})")
        for call in _calls(lab)
        if call in told or any(rule.must is Must.EMBEDDED for rule in CHANGES.get(call, ()))
    )
    used = live_names(lab)
    used |= {"mfa" for one in lab.profiles.values() if one.mfa_serial}
    used |= {"token" for one in lab.profiles.values() if one.web_identity_token_file}
    return tuple(said | dict.fromkeys(does for name, does in LIVE.items() if name in used))


def _calls(lab: LabFile) -> Iterator[str]:
    for stage in lab.stages:
        for step in stage.steps:
            yield from (called(step).call, *(undo.call for undo in step.undo or ()))
        yield from (check.call for check in stage.checkpoint if check.call)
    for fault in lab.faults:
        yield from (action.call for action in (*fault.change, *fault.fix))
