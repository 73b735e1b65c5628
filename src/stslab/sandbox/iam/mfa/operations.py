"""The operations on virtual MFA devices (IAM User Guide, "Multi-factor authentication")."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from stslab.errors import SandboxError
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam import faults, lookups, paging, shapes, tagging
from stslab.sandbox.iam.mfa import devices as mfa_devices
from stslab.sandbox.iam.mfa import totp
from stslab.sandbox.iam.mfa.devices import MfaDevice
from stslab.sandbox.saved.account import World
from stslab.sandbox.server.control.requests import ControlRequest

Answer = Mapping[str, Any]
_DEVICES_PER_USER = 8


def create_virtual_mfa_device(world: World, request: ApiRequest) -> Answer:
    """CreateVirtualMFADevice: its seed is shown this once, as text and as a QR code."""
    iam, params = lookups.backend(world, request), request.params
    serial = (
        f"arn:aws:iam::{request.account}:mfa{params.get('Path', '/')}"
        f"{params['VirtualMFADeviceName']}"
    )
    if lookups.taken(iam.virtual_mfa_devices, serial):
        raise faults.exists("MFADevice entity at the same path and name already exists.")
    device = MfaDevice(serial, totp.new_seed(), request.now)
    device.tags = tagging.checked(params.get("Tags", ()))
    iam.virtual_mfa_devices[serial] = device
    label = f"{quote(params['VirtualMFADeviceName'])}@{request.account}"
    shown = {
        "SerialNumber": serial,
        "Base32StringSeed": device.seed.encode(),
        "QRCodePNG": _qr_code(f"otpauth://totp/{label}?secret={device.seed}"),
        "Tags": device.tags or None,
    }
    return {"VirtualMFADevice": shapes.filled(shown)}


def _qr_code(url: str) -> bytes:
    """A PNG image for the camera of an authenticator app."""
    import segno

    image = io.BytesIO()
    segno.make_qr(url).save(image, kind="png", scale=6)
    return image.getvalue()


def delete_virtual_mfa_device(world: World, request: ApiRequest) -> Answer:
    """DeleteVirtualMFADevice, once it is no user's."""
    iam = lookups.backend(world, request)
    device = tagging.mfa_device(iam, request.params["SerialNumber"])
    if device.enabled:
        raise faults.in_use("MFA VirtualDevice in use. Must deactivate first.")
    del iam.virtual_mfa_devices[device.serial]
    return {}


def enable_mfa_device(world: World, request: ApiRequest) -> Answer:
    """EnableMFADevice: two consecutive codes prove that the user has the device."""
    iam, params = lookups.backend(world, request), request.params
    user = lookups.user(iam, params["UserName"])
    device = tagging.mfa_device(iam, params["SerialNumber"])
    if device.enabled:
        raise faults.exists("MFA Device is already in use")
    faults.check_quota("MFADevicesPerUser", _DEVICES_PER_USER, len(user.mfa_devices))
    if not device.synchronise(*_codes(params), request.now):
        raise faults.wrong_code()
    device.enabled, device.user_id, device.user_name = request.now, user.id, user.name
    user.mfa_devices[device.serial] = device.serial
    mfa_devices.changed(iam, device)
    return {}


def resync_mfa_device(world: World, request: ApiRequest) -> Answer:
    """ResyncMFADevice: two consecutive codes of a device whose clock went astray."""
    iam = lookups.backend(world, request)
    user = lookups.user(iam, request.params["UserName"])
    device = _device_of(iam, user, request.params["SerialNumber"])
    if not device.resynchronise(*_codes(request.params), request.now):
        raise faults.wrong_code()
    return {}


def deactivate_mfa_device(world: World, request: ApiRequest) -> Answer:
    """DeactivateMFADevice."""
    iam, user = lookups.backend(world, request), lookups.own_user(world, request)
    device = _device_of(iam, user, request.params["SerialNumber"])
    device.enabled, device.user_id, device.user_name = None, "", ""
    del user.mfa_devices[device.serial]
    return {}


def get_mfa_device(world: World, request: ApiRequest) -> Answer:
    """GetMFADevice."""
    iam, params = lookups.backend(world, request), request.params
    serial = params["SerialNumber"]
    device = (
        _device_of(iam, lookups.user(iam, params["UserName"]), serial)
        if "UserName" in params
        else tagging.mfa_device(iam, serial)
    )
    shown = {
        "UserName": device.user_name or None,
        "SerialNumber": device.serial,
        "EnableDate": device.enabled,
    }
    return shapes.filled(shown)


def list_mfa_devices(world: World, request: ApiRequest) -> Answer:
    """ListMFADevices: a user's."""
    iam, user = lookups.backend(world, request), lookups.own_user(world, request)
    devices = [
        {"UserName": user.name, "SerialNumber": device.serial, "EnableDate": device.enabled}
        for device in mfa_devices.of_user(iam, user)
    ]
    return paging.page("MFADevices", devices, request.params)


def list_virtual_mfa_devices(world: World, request: ApiRequest) -> Answer:
    """ListVirtualMFADevices: the account's."""
    iam, params = lookups.backend(world, request), request.params
    status = params.get("AssignmentStatus", "Any")
    chosen = [
        shapes.filled(
            {
                "SerialNumber": device.serial,
                "EnableDate": device.enabled,
                "User": shapes.user(iam.users[device.user_name]) if device.enabled else None,
            }
        )
        for _, device in sorted(iam.virtual_mfa_devices.items())
        if status in ("Any", "Assigned" if device.enabled else "Unassigned")
    ]
    return paging.page("VirtualMFADevices", chosen, params)


def current_code(world: World, asked: ControlRequest) -> Mapping[str, Any]:
    """The control verb ``mfa/code``: what the device of ``?serial=`` shows now, and next.

    It stands in for the app on the learner's telephone.
    """
    serial = asked.arguments.get("serial", "")
    for account in world.accounts.values():
        device = account.iam.virtual_mfa_devices.get(serial)
        if device is not None:
            step = max(totp.step_of(world.now()), device.last_step + 1)
            codes = [totp.code(device.seed, step), totp.code(device.seed, step + 1)]
            return {"serial": serial, "code": codes[0], "codes": codes}
    raise SandboxError(f"There is no virtual MFA device {serial!r}.")


def _device_of(iam: Any, user: Any, serial: str) -> MfaDevice:
    if serial not in user.mfa_devices:
        raise faults.no_such(f"MFA Device with serial number {serial} is invalid for user.")
    return tagging.mfa_device(iam, serial)


def _codes(params: Mapping[str, Any]) -> tuple[str, str]:
    return params["AuthenticationCode1"], params["AuthenticationCode2"]


HANDLERS = {
    "CreateVirtualMFADevice": create_virtual_mfa_device,
    "DeleteVirtualMFADevice": delete_virtual_mfa_device,
    "EnableMFADevice": enable_mfa_device,
    "ResyncMFADevice": resync_mfa_device,
    "DeactivateMFADevice": deactivate_mfa_device,
    "GetMFADevice": get_mfa_device,
    "ListMFADevices": list_mfa_devices,
    "ListVirtualMFADevices": list_virtual_mfa_devices,
}
