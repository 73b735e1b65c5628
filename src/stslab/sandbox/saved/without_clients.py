"""moto without the clients that it mocks: a server calls nobody.

moto's backends import boto3, and what mocks its clients (``moto.core.models``, with it
``responses``, ``unittest.mock`` and asyncio), though only moto's decorators use them: a seventh
of the time that the server takes to start. In the server's process, stand-ins take their place.
"""

import sys
from types import ModuleType

_LEFT_OUT = ("boto3", "moto.core.models")
_MOTO_ACCOUNT = "123456789012"  # moto's default, which none of the sandbox's accounts is


class _Unused:
    """Whatever a module that was left out would have: it can be named, and not made."""

    def __init__(self, *_arguments: object, **_named: object) -> None:
        raise RuntimeError(f"{type(self).__name__} was left out of the sandbox")


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (_Unused,), {})


def leave_out_clients() -> None:
    """Call it before moto is imported; what is imported already stays as it is."""
    if any(name in sys.modules for name in ("moto", *_LEFT_OUT)):
        return
    for name in _LEFT_OUT:
        sys.modules[name] = _StandIn(name)
    sys.modules["moto.core.models"].DEFAULT_ACCOUNT_ID = _MOTO_ACCOUNT  # type: ignore[attr-defined]
