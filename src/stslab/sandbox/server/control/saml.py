"""The control verbs of the SAML identity providers: their metadata, and assertions of theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from stslab.errors import SandboxError
from stslab.sandbox.federation import saml
from stslab.sandbox.federation.saml import names
from stslab.sandbox.federation.saml.identity_providers import (
    OWN,
    IdentityProvider,
    IdentityProviders,
)
from stslab.sandbox.saved.account import World
from stslab.sandbox.server.control.requests import ControlRequest, Registry

_MOST_SECONDS = 86400
_TEXTS = ("subject", "subject_format", "recipient", "audience")
_NUMBERS = ("seconds", "session_seconds")


def add_verbs(registry: Registry, world: Callable[[], World]) -> None:
    """Answer ``saml/metadata`` and ``saml/assertion`` for the world that there is at the time."""
    registry.add("saml/metadata", lambda asked: _metadata(world(), asked))
    registry.add("saml/assertion", lambda asked: _assertion(world(), asked))


def _metadata(world: World, asked: ControlRequest) -> Mapping[str, Any]:
    """The metadata of ``{"issuer": entity id}``, the sandbox's own by default. POST: it is made."""
    provider = _provider(world, asked)
    return {"issuer": provider.entity_id, "metadata": _minting().metadata(provider)}


def _assertion(world: World, asked: ControlRequest) -> Mapping[str, Any]:
    """Mint ``{"issuer": …, "role": ARN, "provider": ARN, "session_name": …, "attributes": {…}}``.

    ``subject``, ``subject_format``, ``recipient``, ``audience``, ``seconds`` (how long it is
    valid) and ``session_seconds`` may be given too. An attribute goes by its whole name or, as
    ``PrincipalTag:Team`` and ``eduPersonAffiliation``, by its short one.
    """
    minting, said = _minting(), _said(asked.body)
    provider = _provider(world, asked)
    try:
        minted = minting.response(provider, minting.Wanted(**said), world.now())
    except ValueError as error:
        raise SandboxError("XML has no place for a character in what it is to say.") from error
    return {"issuer": provider.entity_id, "assertion": minted}


def _minting() -> ModuleType:
    if not saml.installed():
        raise SandboxError(saml.LACKING, f"Install them: {saml.INSTALL}")
    from stslab.sandbox.federation.saml import minting

    return minting


def _provider(world: World, asked: ControlRequest) -> IdentityProvider:
    with world.write_lock:
        kept = world.part("saml", IdentityProviders)
        return kept.get(str(asked.body.get("issuer") or OWN), world.now())


def _said(body: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {"attributes": _attributes(body)}
    said |= {name: str(body[name]) for name in _TEXTS if name in body}
    for name in _NUMBERS:
        number = body.get(name)
        if number is None:
            continue
        if not isinstance(number, int) or isinstance(number, bool) or abs(number) > _MOST_SECONDS:
            raise SandboxError(f"{name} is a whole number, {_MOST_SECONDS} at most.")
        said[name] = number
    return {"subject": str(body.get("session_name", "")), **said}


def _attributes(body: Mapping[str, Any]) -> dict[str, list[str]]:
    given = body.get("attributes", {})
    if not isinstance(given, dict):
        raise SandboxError("attributes is a JSON object: values by name.")
    found: dict[str, list[str]] = {}
    if "role" in body and "provider" in body:
        found[names.ROLE] = [f"{body['role']},{body['provider']}"]
    if body.get("session_name"):
        found[names.SESSION_NAME] = [str(body["session_name"])]
    for name, value in given.items():
        found[names.whole(name)] = [
            str(one) for one in (value if isinstance(value, list) else [value])
        ]
    return found
