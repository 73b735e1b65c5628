"""Virtual MFA devices and their codes, which are time-based one-time passwords (RFC 6238)."""

import base64
import hmac
import io
import secrets
from datetime import datetime
from functools import partial
from urllib.parse import quote

from msgspec.structs import replace

from stslab.sandbox.api import faults, pages
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Params, shown
from stslab.sandbox.iam import answers, entities, lookups
from stslab.sandbox.state.identities import MfaDevice, User
from stslab.sandbox.state.snapshot import Transaction, View

_STEP_SECONDS = 30
_DIGITS = 6
_SEED_BYTES = 40  # 64 characters in base 32, as AWS's seeds have
_NEAR = range(-2, 3)  # how many steps a clock may be off
_WINDOW_SECONDS, _TRIES = 180, 9  # how many codes are verified in each window, right or wrong
_FAR = range(-999, 1000)  # the first of two codes, by which a clock that is off is known


def step_of(at: datetime) -> int:
    """The number of the 30-second time step at this time (aware)."""
    return int(at.timestamp()) // _STEP_SECONDS


def code(seed: str, step: int) -> str:
    digest = hmac.digest(base64.b32decode(seed), step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}d}"


def accepted(device: MfaDevice, given: str, now: datetime) -> MfaDevice | None:
    """The device with the code marked as used; None if the code is wrong or was used before."""
    here = step_of(now) + device.drift
    for step in {here + off for off in _NEAR}.difference(device.used):
        if hmac.compare_digest(code(device.seed, step).encode(), given.encode()):
            used = (one for one in device.used if one >= here + _NEAR.start)
            return replace(device, used=(*used, step))
    return None


def synchronised(device: MfaDevice, params: Params, now: datetime) -> MfaDevice:
    """The device, whose clock two newer codes in a row show (the second is now), or ApiFault."""
    codes = params["AuthenticationCode1"], params["AuthenticationCode2"]
    here = step_of(now) + device.drift
    for step in (here + off for off in _FAR if here + off > device.last_step):
        if code(device.seed, step) == codes[0] and code(device.seed, step + 1) == codes[1]:
            return replace(device, last_step=step + 1, drift=step + 1 - step_of(now))
    raise ApiFault("InvalidAuthenticationCode", "Authentication code for device is not valid.")


def spend(
    tx: Transaction, user: User | None, serial: str | None, given: str | None, now: datetime
) -> None:
    """Verify a code; see :data:`SpendMfa`. It is used up even if the call is refused later."""
    if serial is None or given is None:
        raise lookups.fault("half of MFA")
    own = user.mfa_devices if user else ()
    device = lookups.find(tx, MfaDevice, user.account, serial) if user and serial in own else None
    window = int(now.timestamp()) // _WINDOW_SECONDS
    tries = [one for one in user.mfa_tries if one == window] if user else []
    if user is None or device is None or len(tries) == _TRIES:
        raise lookups.fault("no such MFA")
    tx.put(replace(user, mfa_tries=(*tries, window)), always=True)  # a new device is no way out
    spent = accepted(device, given, now)
    if spent is None:
        raise lookups.fault("wrong MFA")
    tx.put(spent, always=True)


def create_virtual_mfa_device(tx: Transaction, request: ApiRequest) -> Answer:
    """Only this answer contains the seed, as text and as a QR code."""
    import segno

    params, image = request.params, io.BytesIO()
    name = params["VirtualMFADeviceName"]
    device = MfaDevice(
        account=request.account,
        serial=f"arn:aws:iam::{request.account}:mfa{params.get('Path', '/')}{name}",
        seed=base64.b32encode(secrets.token_bytes(_SEED_BYTES)).decode(),
        created=request.now,
        tags=entities.given(request),
    )
    lookups.put(tx, device, name)
    label = f"{quote(name)}@{request.account}"
    segno.make_qr(f"otpauth://totp/{label}?secret={device.seed}").save(image, kind="png", scale=6)
    told = {
        "SerialNumber": device.serial,
        "Base32StringSeed": device.seed.encode(),
        "QRCodePNG": image.getvalue(),
        "Tags": answers.tags(device.tags) or None,
    }
    return {"VirtualMFADevice": told}


def delete_virtual_mfa_device(tx: Transaction, request: ApiRequest) -> None:
    device = lookups.named(tx, MfaDevice, request)
    if device.enabled:
        raise faults.in_use("MFA VirtualDevice in use. Must deactivate first.")
    tx.delete(device)


def enable_mfa_device(tx: Transaction, request: ApiRequest) -> None:
    """Two consecutive codes prove that the user has the device."""
    user = lookups.named(tx, User, request)
    _check_own(user, request)
    device = lookups.named(tx, MfaDevice, request)
    if device.serial in user.mfa_devices:
        raise faults.exists(f"MFA Device for user {user.name} already exists.")
    if device.enabled:
        raise faults.exists("MFA Device is already in use.")
    lookups.check_quota("MFADevicesPerUser", len(user.mfa_devices) + 1)
    proved = synchronised(device, request.params, request.now)
    tx.put(replace(proved, enabled=request.now, user=user.key))
    tx.put(replace(user, mfa_devices=(*user.mfa_devices, device.serial)))


def resync_mfa_device(tx: Transaction, request: ApiRequest) -> None:
    device = _device_of(tx, lookups.named(tx, User, request), request)
    tx.put(synchronised(device, request.params, request.now))


def deactivate_mfa_device(tx: Transaction, request: ApiRequest) -> None:
    user = lookups.own_user(tx, request)
    _check_own(user, request)
    device = _device_of(tx, user, request)
    tx.put(replace(device, enabled=None, user=""))
    tx.put(replace(user, mfa_devices=lookups.without(user.mfa_devices, device.serial)))


def _check_own(user: User, request: ApiRequest) -> None:
    """Refuse a user with a device who changes devices without MFA (AWS bulletin AWS-2023-001)."""
    caller = request.caller
    session_mfa = caller.session.mfa if caller.session else None
    if user.mfa_devices and caller.user_id == user.unique_id and session_mfa is None:
        raise lookups.fault("not with MFA")


def get_mfa_device(_view: View, _request: ApiRequest) -> Answer:
    raise lookups.fault("only FIDO")


def list_mfa_devices(view: View, request: ApiRequest) -> Answer:
    user, every = lookups.owner(view, request), view.all(MfaDevice, request.account)
    own = [device for device in every if user and device.serial in user.mfa_devices]
    return pages.page(request, "MFADevices", own, partial(_shown, view))


def list_virtual_mfa_devices(view: View, request: ApiRequest) -> Answer:
    every, wanted = view.all(MfaDevice, request.account), request.params.get("AssignmentStatus")
    left_out = {"Assigned": False, "Unassigned": True}.get(wanted or "")
    some = [device for device in every if bool(device.enabled) is not left_out]
    return pages.page(request, "VirtualMFADevices", some, partial(_shown, view))


def _shown(view: View, device: MfaDevice) -> Answer:
    """The members of a device in both lists."""
    user = view.get(User, device.account, device.user)
    whose = {"User": shown(user), "UserName": user.name} if user else {}
    return {"SerialNumber": device.serial, "EnableDate": device.enabled, **whose}


def _device_of(view: View, user: User, request: ApiRequest) -> MfaDevice:
    device = lookups.named(view, MfaDevice, request)
    if device.serial not in user.mfa_devices:
        raise faults.no_such("MFA Device invalid for user.")
    return device
