"""What a lab may ask of the sandbox itself about identities: codes, and the root user's keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stslab.errors import SandboxError
from stslab.sandbox.iam.mfa import operations as mfa
from stslab.sandbox.saved.account import LEARNER, World
from stslab.sandbox.server.control.requests import ControlRequest, Registry


def add_verbs(registry: Registry, world: Callable[[], World]) -> None:
    """Answer ``mfa/code`` and ``root-key`` for the world that there is at the time."""
    registry.add("mfa/code", lambda asked: mfa.current_code(world(), asked))
    registry.add("root-key", lambda asked: _root_key(world(), asked))


def _root_key(world: World, asked: ControlRequest) -> Mapping[str, Any]:
    """The access key of the root user of ``{"account": …}``, the learner's by default."""
    account_id = str(asked.body.get("account", LEARNER))
    account = world.accounts.get(account_id)
    if account is None or not account.root_keys:
        raise SandboxError(f"The sandbox has no root user's key of an account {account_id}.")
    key = next(iter(account.root_keys.values()))
    return {
        "access_key_id": key.access_key_id,
        "secret_access_key": key.secret_access_key,
    }
