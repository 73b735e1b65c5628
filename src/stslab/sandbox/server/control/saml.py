"""The control verbs of the SAML identity providers: their metadata, and assertions of theirs."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from stslab.errors import SandboxError
from stslab.sandbox.federation import saml
from stslab.sandbox.federation.saml import identity_providers, names
from stslab.sandbox.server.control.requests import ControlRequest, Registry
from stslab.sandbox.state.providers import IdentityProvider
from stslab.sandbox.state.state import State

_MOST_SECONDS = 86400
_TEXTS = ("subject", "subject_format", "recipient", "audience")
_NUMBERS = ("seconds", "session_seconds")


def add_verbs(registry: Registry, state: Callable[[], State]) -> None:
    """Answer ``saml/metadata`` and ``saml/assertion`` for the state that there is at the time."""
    registry.add("saml/metadata", lambda asked: _metadata(state(), asked))
    registry.add("saml/assertion", lambda asked: _assertion(state(), asked))


def _metadata(state: State, asked: ControlRequest) -> Mapping[str, Any]:
    """The metadata of ``{"issuer": entity id}``, the account's own by default."""
    minting, provider = _minting(), _provider(state, asked)
    return {"issuer": provider.entity_id, "metadata": minting.metadata(provider)}


def _assertion(state: State, asked: ControlRequest) -> Mapping[str, Any]:
    """Mint ``{"issuer": …, "role": ARN, "provider": ARN, "session_name": …, "attributes": {…}}``.

    ``subject``, ``subject_format``, ``recipient``, ``audience``, ``seconds`` (how long it is
    valid) and ``session_seconds`` may be given too. An attribute goes by its whole name or, as
    ``PrincipalTag:Team`` and ``eduPersonAffiliation``, by its short one.
    """
    minting, said = _minting(), _said(asked.body)
    provider = _provider(state, asked)
    try:
        minted = minting.response(provider, minting.Wanted(**said), state.now())
    except ValueError as error:
        raise SandboxError("XML has no place for a character in what it is to say.") from error
    return {"issuer": provider.entity_id, "assertion": minted}


def _minting() -> ModuleType:
    if not saml.installed():
        raise SandboxError(saml.LACKING, f"Install them: {saml.INSTALL}")
    from stslab.sandbox.federation.saml import minting

    return minting


def _provider(state: State, asked: ControlRequest) -> IdentityProvider:
    with state.transaction() as tx:
        return identity_providers.named(tx, str(asked.body.get("issuer") or identity_providers.OWN))


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
