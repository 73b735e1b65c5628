"""What may be asked of the account itself: keys, MFA codes, the clock, and whether all is saved."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from stslab.errors import SandboxError
from stslab.sandbox.api import identifiers
from stslab.sandbox.api.accounts import LEARNER
from stslab.sandbox.api.model import KeyStore
from stslab.sandbox.iam import mfa
from stslab.sandbox.pipeline.accounts import ADMINISTRATOR, usable_key
from stslab.sandbox.server.control.requests import ControlRequest, Registry
from stslab.sandbox.state.identities import AccessKey, MfaDevice
from stslab.sandbox.state.sessions import Session
from stslab.sandbox.state.settings import Account
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.state import State

_FARTHEST = 3650 * 24 * 3600.0
_FARTHEST_MOVE = 1e9


def add_verbs(registry: Registry, state: Callable[[], State], keys: Callable[[], KeyStore]) -> None:
    """Answer ``admin-key``, ``root-key``, ``key``, ``mfa/code``, ``clock`` and ``saved``."""
    registry.add("admin-key", lambda asked: _admin_key(state().snapshot, asked))
    registry.add("root-key", lambda asked: _root_key(state().snapshot, asked))
    registry.add("key", lambda asked: _facts(state().snapshot, keys(), asked))
    registry.add("mfa/code", lambda asked: _mfa_code(state().snapshot, asked))
    registry.add("clock", lambda asked: _clock(state(), asked))
    registry.add("saved", lambda _: {"differences": state().unsaved()})


def _admin_key(view: View, asked: ControlRequest) -> Mapping[str, Any]:
    """An active access key of the administrator of ``{"account": …}``, the learner's by default."""
    account = str(asked.body.get("account", LEARNER))
    if view.get(Account, account, "") is None:
        known = ", ".join(sorted(one.account for one in view.everywhere(Account)))
        raise SandboxError(f"The sandbox has no account {account}.", f"It has {known}.")
    key = usable_key(view, account, ADMINISTRATOR)
    if key is None:
        raise SandboxError(
            f"The administrator of account {account} has no active access key any more.",
            "`stslab sandbox reset` begins with a new account.",
        )
    return _shown(key)


def _root_key(view: View, asked: ControlRequest) -> Mapping[str, Any]:
    """The access key of the root user of ``{"account": …}``, the learner's by default."""
    account = str(asked.body.get("account", LEARNER))
    key = usable_key(view, account, "")
    if key is None:
        raise SandboxError(f"The sandbox has no root user's key of an account {account}.")
    return _shown(key)


def _shown(key: AccessKey) -> Mapping[str, Any]:
    return {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}


def _facts(view: View, keys: KeyStore, asked: ControlRequest) -> Mapping[str, Any]:
    """Whether a key is known, active and temporary, whose, and until when; never its secret.

    Of one that is not known any more since its role is gone: which role that was.
    """
    key = asked.arguments.get("id", "")
    record = keys.lookup(key)
    if record is None:
        session = view.get(Session, identifiers.account_of_key(key) or "", key)
        return {"known": False, "role": session.role_name if session else ""}
    return {
        "known": True,
        "active": record.active,
        "temporary": bool(record.session_token),
        "owner": record.caller.principal.arn,
        "expires": record.expires.isoformat() if record.expires else "",
    }


def _mfa_code(view: View, asked: ControlRequest) -> Mapping[str, Any]:
    """What the device of ``?serial=`` shows now, and next: the app on the learner's telephone."""
    serial = asked.arguments.get("serial", "")
    device = next((one for one in view.everywhere(MfaDevice) if one.serial == serial), None)
    if device is None:
        raise SandboxError(f"There is no virtual MFA device {serial!r}.")
    step = max(mfa.step_of(view.now()), device.last_step + 1)
    codes = [mfa.code(device.seed, step), mfa.code(device.seed, step + 1)]
    return {"serial": serial, "code": codes[0], "codes": codes}


def _clock(state: State, asked: ControlRequest) -> Mapping[str, Any]:
    """GET tells the time. POST moves it by ``seconds``, or to ``offset`` from the real time."""
    if asked.method == "POST":
        _move(state, asked.body)
    view = state.snapshot
    return {"now": view.now().isoformat(), "offset": view.settings.clock_offset}


def _move(state: State, body: Mapping[str, Any]) -> None:
    absolute = "offset" in body
    seconds = body["offset"] if absolute else body.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise SandboxError('Say by how many seconds to move the clock: {"seconds": 3600}.')
    moved = float(min(max(seconds, -_FARTHEST_MOVE), _FARTHEST_MOVE))
    with state.transaction() as tx:
        offset = moved if absolute else tx.settings.clock_offset + moved
        if not abs(offset) <= _FARTHEST:
            raise SandboxError("The clock can be ten years off at most.")
        tx.put(msgspec.structs.replace(tx.settings, clock_offset=offset))
