"""Time-based one-time passwords (RFC 6238), as virtual MFA devices make them: six digits, 30 s."""

import base64
import hmac
import secrets
from datetime import datetime

STEP_SECONDS = 30
_DIGITS = 6
_SEED_BYTES = 40
_DRIFT_STEPS = 1
_TRUNCATED = 0x7FFFFFFF


def new_seed() -> str:
    """A new seed of 64 base32 characters, the length of AWS's."""
    return base64.b32encode(secrets.token_bytes(_SEED_BYTES)).decode()


def step_of(at: datetime) -> int:
    """The number of the 30-second step that ``at`` (aware) falls into."""
    return int(at.timestamp()) // STEP_SECONDS


def code(seed: str, step: int) -> str:
    """The six digits of that step."""
    digest = hmac.digest(base64.b32decode(seed), step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & _TRUNCATED
    return f"{number % 10**_DIGITS:0{_DIGITS}d}"


def matching_step(seed: str, given: str, around: int) -> int | None:
    """The step, at most one from ``around``, whose code was given; None if none's."""
    for step in range(around - _DRIFT_STEPS, around + _DRIFT_STEPS + 1):
        if hmac.compare_digest(code(seed, step).encode(), given.encode()):
            return step
    return None
