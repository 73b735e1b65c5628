"""What virtual MFA devices take for their codes: each works once, and clocks may differ."""

from datetime import datetime

from msgspec.structs import replace

from stslab.sandbox.iam.mfa import totp
from stslab.sandbox.state.identities import MfaDevice

_DRIFT = 2
_RESYNC_DRIFT = 2880


def accepted(device: MfaDevice, code: str, now: datetime) -> MfaDevice | None:
    """The device with ``code`` spent, or None where it is not the device's now, or was used."""
    step = totp.matching_step(device.seed, code, totp.step_of(now) + device.drift)
    if step is None or step <= device.last_step:
        return None
    return replace(device, last_step=step)


def synchronised(
    device: MfaDevice, codes: tuple[str, str], now: datetime, drift: int = _DRIFT
) -> MfaDevice | None:
    """The device with its drift, or None where the codes are not two consecutive ones of it.

    They may be up to ``drift`` steps from ``now``.
    """
    here = totp.step_of(now)
    for step in range(here - drift, here + drift):
        if (totp.code(device.seed, step), totp.code(device.seed, step + 1)) == codes:
            ahead = 0 if abs(step - here) <= 1 else step - here
            return replace(device, last_step=step + 1, drift=ahead)
    return None


def resynchronised(device: MfaDevice, codes: tuple[str, str], now: datetime) -> MfaDevice | None:
    """Like :func:`synchronised`, for a device whose clock is up to a day off."""
    return synchronised(device, codes, now, _RESYNC_DRIFT)
