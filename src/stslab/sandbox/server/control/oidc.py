"""The control verbs of the issuers: mint a token, show an issuer.

What they need (certificates above all) is imported when one of them is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from stslab.sandbox.saved.account import World
from stslab.sandbox.server.control.requests import Registry


def add_verbs(registry: Registry, world: Callable[[], World]) -> None:
    """Answer ``oidc/token`` and ``oidc/issuer`` for the world at the time."""
    registry.add("oidc/token", lambda asked: _verbs().mint(world(), asked))
    registry.add("oidc/issuer", lambda asked: _verbs().issuer(world(), asked))


def _verbs() -> ModuleType:
    from stslab.sandbox.server.control import oidc_verbs as verbs

    return verbs
