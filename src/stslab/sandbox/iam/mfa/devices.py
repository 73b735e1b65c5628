"""Virtual MFA devices: their seeds, whose they are, and the codes that they have spent."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.iam.mfa import totp

_FORBIDDEN = 403
_RESYNC_DRIFT = 2880


@dataclass(slots=True)
class MfaDevice:
    """One virtual device; ``user_id`` and ``enabled`` are empty until it is a user's.

    ``last_step`` is the newest step whose code was used: a code works once. ``drift`` is how
    many steps the device's clock runs ahead, as found when it was last synchronised.
    """

    serial: str
    seed: str = field(repr=False)
    created: datetime
    user_id: str = ""
    user_name: str = ""
    enabled: datetime | None = None
    last_step: int = 0
    drift: int = 0
    tags: list[dict[str, str]] = field(default_factory=list)

    def accepts(self, code: str, now: datetime) -> bool:
        """Whether ``code`` is the device's now and was not used before; it is used then."""
        step = totp.matching_step(self.seed, code, totp.step_of(now) + self.drift)
        if step is None or step <= self.last_step:
            return False
        self.last_step = step
        return True

    def synchronise(self, first: str, second: str, now: datetime, drift: int = 2) -> bool:
        """Whether the codes are two consecutive ones of the device, near ``now``."""
        here = totp.step_of(now)
        for step in range(here - drift, here + drift):
            if (totp.code(self.seed, step), totp.code(self.seed, step + 1)) == (first, second):
                self.last_step = step + 1
                self.drift = 0 if abs(step - here) <= 1 else step - here
                return True
        return False

    def resynchronise(self, first: str, second: str, now: datetime) -> bool:
        """Like :meth:`synchronise`, for a device whose clock is up to a day off."""
        return self.synchronise(first, second, now, _RESYNC_DRIFT)


def of_user(iam: Any, user: Any) -> list[MfaDevice]:
    """The devices of moto's user. The user knows their serial numbers, ``iam`` has them."""
    return [iam.virtual_mfa_devices[serial] for serial in sorted(user.mfa_devices)]


def changed(iam: Any, device: MfaDevice) -> None:
    """Say that a device changed, so that it is saved."""
    iam.virtual_mfa_devices[device.serial] = device


def verified(iam: Any, user: Any, serial: str | None, code: str | None, now: datetime) -> bool:
    """Whether the user (moto's, or None) proved MFA with this call; False if it was not tried.

    Raises:
        ApiFault: AccessDenied: half of it is missing, the device is not the user's, or the
            code is wrong or spent.
    """
    if serial is None and code is None:
        return False
    if serial is None or code is None:
        raise _failed(", must provide both MFA serial number and one time pass code.")
    device = iam.virtual_mfa_devices.get(serial)
    if device is None or user is None or serial not in user.mfa_devices:
        raise _failed(
            ", unable to validate MFA code.  Please verify your MFA serial number is valid and "
            "associated with this user."
        )
    if not device.accepts(code, now):
        raise _failed(" with invalid MFA one time pass code. ")
    changed(iam, device)
    return True


def _failed(how: str) -> ApiFault:
    return ApiFault("AccessDenied", f"MultiFactorAuthentication failed{how}", _FORBIDDEN)
