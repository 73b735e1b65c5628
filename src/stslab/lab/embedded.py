"""The parts of a lab that need the embedded account: calls of a service ``embedded``."""

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
    **dict.fromkeys(("token", "tokens"), "asks for a token"),
}
"""The names with a new value each time they are used; why a lab with them needs the account."""


def called(step: Step) -> Step:
    """The step, with a call in place of ``clock`` or ``token``."""
    if step.clock is not None:
        return msgspec.structs.replace(step, call=MOVES, params={"By": step.clock})
    if step.token is None:
        return step
    return msgspec.structs.replace(step, call=GIVES_TOKEN, params=token_params(step.token))


def token_params(token: Token) -> dict[str, Data]:
    params: dict[str, Data] = {"Claims": {**token.claims, "sub": token.sub, "aud": token.aud}}
    return {**params, "Issuer": token.issuer} if token.issuer else params


def live_names(lab: LabFile) -> frozenset[str]:
    """The names of :data:`LIVE` that the lab uses."""
    parts = (lab.env, lab.access, lab.stages, lab.faults, lab.profiles)
    return frozenset(LIVE.keys() & names_used(msgspec.to_builtins(parts)))


def embedded_only(lab: LabFile) -> tuple[str, ...]:
    """Why the lab needs the embedded account, in words; empty if it runs on any account."""
    words = {MOVES: "moves the account's clock", GIVES_TOKEN: LIVE["token"]}
    reasons = dict.fromkeys(
        words.get(call, f"changes the whole account ({call})")
        for call in _calls(lab)
        if call in words or any(rule.must is Must.EMBEDDED for rule in CHANGES.get(call, ()))
    )
    used = live_names(lab)
    used |= {"mfa" for one in lab.profiles.values() if one.mfa_serial}
    used |= {"token" for one in lab.profiles.values() if one.web_identity_token_file}
    return tuple(reasons | dict.fromkeys(why for name, why in LIVE.items() if name in used))


def _calls(lab: LabFile) -> Iterator[str]:
    for stage in lab.stages:
        for step in stage.steps:
            yield from (called(step).call, *(undo.call for undo in step.undo or ()))
        yield from (check.call for check in stage.checkpoint if check.call)
    for fault in lab.faults:
        yield from (action.call for action in (*fault.change, *fault.fix))
