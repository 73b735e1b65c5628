"""The environment in which the ordinary ``aws`` CLI and SDKs use stslab's own profiles."""

import os
from collections.abc import Mapping
from pathlib import Path

_OURS = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
# What would be used before the profiles' own settings (AWS CLI User Guide, "Configuration and
# credential precedence").
_IN_THE_WAY = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)
_ENDPOINTS = "AWS_ENDPOINT_URL"
_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
_LOOPBACK = "127.0.0.1"


def settings(folder: Path, environ: Mapping[str, str], *, local: bool) -> dict[str, str]:
    """The variables to set for the profiles in ``folder``.

    ``local``: the endpoint is on this machine, and no proxy must come between.
    """
    wanted = {"AWS_CONFIG_FILE": folder / "config"}
    wanted["AWS_SHARED_CREDENTIALS_FILE"] = folder / "credentials"
    values = {name: str(path) for name, path in wanted.items()}
    if local and any(environ.get(name) for name in _PROXIES):
        values["NO_PROXY"] = values["no_proxy"] = _without_proxy(environ)
    return values


def in_the_way(environ: Mapping[str, str]) -> list[str]:
    """The variables of this environment that would go before the profiles."""
    endpoints = sorted(name for name in environ if name.startswith(_ENDPOINTS))
    return [name for name in _IN_THE_WAY if name in environ] + endpoints


def ours() -> tuple[str, ...]:
    """The variables that ``settings`` always sets."""
    return _OURS


def inside(
    folder: Path, environ: Mapping[str, str] | None = None, *, local: bool
) -> dict[str, str]:
    """A whole environment for a process that is to use the profiles."""
    environ = os.environ if environ is None else environ
    blocked = set(in_the_way(environ))
    kept = {name: value for name, value in environ.items() if name not in blocked}
    return kept | settings(folder, environ, local=local)


def _without_proxy(environ: Mapping[str, str]) -> str:
    known = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return known if _LOOPBACK in known.split(",") else ",".join(filter(None, [known, _LOOPBACK]))
