"""The operations on virtual MFA devices (IAM User Guide, "Multi-factor authentication")."""

import io
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from msgspec.structs import replace

from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest
from stslab.sandbox.api.services import FORBIDDEN, Reads, Writes
from stslab.sandbox.iam import faults, lookups, paging, shapes, tagging
from stslab.sandbox.iam.mfa import totp
from stslab.sandbox.state.identities import MfaDevice, User
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction

_DEVICES_PER_USER = 8


def verified(
    tx: Transaction, user: User | None, serial: str | None, code: str | None, now: datetime
) -> bool:
    """Whether the user proved MFA with this call; see :class:`VerifyMfa`.

    A code is spent even where the call is refused afterwards.

    Raises:
        ApiFault: AccessDenied: half of it is missing, the device is not the user's, or the
            code is wrong or spent.
    """
    if serial is None and code is None:
        return False
    if serial is None or code is None:
        raise _failed(", must provide both MFA serial number and one time pass code.")
    if user is None or serial not in user.mfa_devices:
        raise _failed(
            ", unable to validate MFA code.  Please verify your MFA serial number is valid and "
            "associated with this user."
        )
    device = lookups.find(tx, MfaDevice, user.account, serial)
    spent = device and accepted(device, code, now)
    if spent is None:
        raise _failed(" with invalid MFA one time pass code. ")
    tx.put(spent, always=True)
    return True


def _failed(how: str) -> ApiFault:
    return ApiFault("AccessDenied", f"MultiFactorAuthentication failed{how}", FORBIDDEN)


def create_virtual_mfa_device(tx: Transaction, request: ApiRequest) -> Answer:
    """CreateVirtualMFADevice: its seed is shown this once, as text and as a QR code."""
    params = request.params
    name = params["VirtualMFADeviceName"]
    device = MfaDevice(
        account=request.account,
        serial=f"arn:aws:iam::{request.account}:mfa{params.get('Path', '/')}{name}",
        seed=totp.new_seed(),
        created=request.now,
        tags=tagging.checked(params.get("Tags", ())),
    )
    if tx.get(MfaDevice, device.account, device.key) is not None:
        raise faults.exists("MFADevice entity at the same path and name already exists.")
    tx.put(device)
    label = f"{quote(name)}@{request.account}"
    shown = {
        "SerialNumber": device.serial,
        "Base32StringSeed": device.seed.encode(),
        "QRCodePNG": _qr_code(f"otpauth://totp/{label}?secret={device.seed}"),
        "Tags": shapes.tags(device.tags) or None,
    }
    return {"VirtualMFADevice": shapes.filled(shown)}


def _qr_code(url: str) -> bytes:
    """A PNG image for the camera of an authenticator app."""
    import segno

    image = io.BytesIO()
    segno.make_qr(url).save(image, kind="png", scale=6)
    return image.getvalue()


def delete_virtual_mfa_device(tx: Transaction, request: ApiRequest) -> Answer:
    """DeleteVirtualMFADevice, once it is no user's."""
    device = lookups.named(tx, MfaDevice, request)
    if device.enabled:
        raise faults.in_use("MFA VirtualDevice in use. Must deactivate first.")
    tx.delete(device)
    return {}


def enable_mfa_device(tx: Transaction, request: ApiRequest) -> Answer:
    """EnableMFADevice: two consecutive codes prove that the user has the device."""
    user, device = lookups.named(tx, User, request), lookups.named(tx, MfaDevice, request)
    if device.enabled:
        raise faults.exists("MFA Device is already in use")
    faults.check_quota("MFADevicesPerUser", _DEVICES_PER_USER, len(user.mfa_devices))
    proved = synchronised(device, _codes(request.params), request.now)
    if proved is None:
        raise faults.wrong_code()
    tx.put(replace(proved, enabled=request.now, user=user.key))
    tx.put(replace(user, mfa_devices=(*user.mfa_devices, device.serial)))
    return {}


def resync_mfa_device(tx: Transaction, request: ApiRequest) -> Answer:
    """ResyncMFADevice: two consecutive codes of a device whose clock went astray."""
    device = _device_of(tx, lookups.named(tx, User, request), request)
    proved = resynchronised(device, _codes(request.params), request.now)
    if proved is None:
        raise faults.wrong_code()
    tx.put(proved)
    return {}


def deactivate_mfa_device(tx: Transaction, request: ApiRequest) -> Answer:
    """DeactivateMFADevice."""
    user = lookups.own_user(tx, request)
    device = _device_of(tx, user, request)
    tx.put(replace(device, enabled=None, user=""))
    kept = tuple(serial for serial in user.mfa_devices if serial != device.serial)
    tx.put(replace(user, mfa_devices=kept))
    return {}


def get_mfa_device(view: View, request: ApiRequest) -> Answer:
    """GetMFADevice."""
    if "UserName" in request.params:
        device = _device_of(view, lookups.named(view, User, request), request)
    else:
        device = lookups.named(view, MfaDevice, request)
    return _shown(device, view.get(User, device.account, device.user))


def list_mfa_devices(view: View, request: ApiRequest) -> Answer:
    """ListMFADevices: a user's."""
    user = lookups.own_user(view, request)
    found = (lookups.find(view, MfaDevice, user.account, one) for one in sorted(user.mfa_devices))
    held = [device for device in found if device is not None]
    return paging.page("MFADevices", held, request.params, lambda device: _shown(device, user))


def _shown(device: MfaDevice, user: User | None) -> dict[str, Any]:
    return shapes.filled(
        {
            "UserName": user.name if user else None,
            "SerialNumber": device.serial,
            "EnableDate": device.enabled,
        }
    )


def list_virtual_mfa_devices(view: View, request: ApiRequest) -> Answer:
    """ListVirtualMFADevices: the account's."""
    status = request.params.get("AssignmentStatus", "Any")
    chosen = [
        device
        for device in sorted(view.all(MfaDevice, request.account), key=lambda one: one.serial)
        if status in ("Any", "Assigned" if device.enabled else "Unassigned")
    ]

    def show(device: MfaDevice) -> dict[str, Any]:
        user = view.get(User, device.account, device.user)
        return shapes.filled(
            {
                "SerialNumber": device.serial,
                "EnableDate": device.enabled,
                "User": shapes.user(user) if user else None,
            }
        )

    return paging.page("VirtualMFADevices", chosen, request.params, show)


def _device_of(view: View, user: User, request: ApiRequest) -> MfaDevice:
    serial = request.params["SerialNumber"]
    if serial not in user.mfa_devices:
        raise faults.no_such(f"MFA Device with serial number {serial} is invalid for user.")
    return lookups.named(view, MfaDevice, request)


def _codes(params: Mapping[str, Any]) -> tuple[str, str]:
    return params["AuthenticationCode1"], params["AuthenticationCode2"]


READS: Reads = {
    "GetMFADevice": get_mfa_device,
    "ListMFADevices": list_mfa_devices,
    "ListVirtualMFADevices": list_virtual_mfa_devices,
}
WRITES: Writes = {
    "CreateVirtualMFADevice": create_virtual_mfa_device,
    "DeactivateMFADevice": deactivate_mfa_device,
    "DeleteVirtualMFADevice": delete_virtual_mfa_device,
    "EnableMFADevice": enable_mfa_device,
    "ResyncMFADevice": resync_mfa_device,
}


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
