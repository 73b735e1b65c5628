"""The control verbs of the issuers: mint a token, show an issuer, let issuers be servers.

What they need (certificates above all) is imported when one of them is first asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

from stslab.sandbox.saved.account import World
from stslab.sandbox.server.control.requests import Registry

if TYPE_CHECKING:
    from stslab.sandbox.federation.oidc.listener import IssuerListener


def add_verbs(registry: Registry, world: Callable[[], World]) -> Callable[[], None]:
    """Answer ``oidc/token``, ``oidc/issuer`` and ``oidc/serve`` for the world at the time.

    Returns what stops the servers that ``oidc/serve`` started, if it did.
    """
    serving = _Serving(world)
    registry.add("oidc/token", lambda asked: _verbs().mint(world(), asked))
    registry.add("oidc/issuer", lambda asked: _verbs().issuer(world(), asked))
    registry.add("oidc/serve", lambda _: {"address": "127.0.0.1", "port": serving.start()})
    return serving.stop


def _verbs() -> ModuleType:
    from stslab.sandbox.server.control import oidc_verbs as verbs

    return verbs


class _Serving:
    """The servers of all issuers, which are there once somebody has asked for them."""

    def __init__(self, world: Callable[[], World]) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._listener: IssuerListener | None = None
        self._port = 0

    def start(self) -> int:
        """The port on which they listen."""
        from stslab.sandbox.federation.oidc.listener import IssuerListener

        with self._lock:
            if self._listener is None:
                listener = IssuerListener(self._world)
                self._port = listener.start()
                self._listener = listener
            return self._port

    def stop(self) -> None:
        """Let them go."""
        with self._lock:
            if self._listener is not None:
                self._listener.stop()
                self._listener = None
