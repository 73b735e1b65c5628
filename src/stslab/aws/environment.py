"""Environment variables that make the aws CLI and SDKs use the target and stslab's profiles.

AWS SDKs and Tools Reference Guide, "Environment variables list". Variables that take
precedence over profiles are unset.
"""

import os
import re
import shlex
from collections.abc import Callable, Mapping

from stslab.aws.profiles import ADMIN, ProfileFiles
from stslab.errors import UsageError

_GONE = """
    AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_SECURITY_TOKEN
    AWS_DEFAULT_PROFILE AWS_ROLE_ARN AWS_ROLE_SESSION_NAME AWS_WEB_IDENTITY_TOKEN_FILE
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI
    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS AWS_ENDPOINT_URL AWS_ENDPOINT_URL_IAM AWS_ENDPOINT_URL_S3
    AWS_ENDPOINT_URL_STS
"""
_ENDPOINT = re.compile(r"AWS_ENDPOINT_URL(_[A-Z0-9_]+)?")
_HERE = "127.0.0.1"  # to which no proxy leads


def variables(
    profiles: ProfileFiles, region: str, environ: Mapping[str, str] | None = None
) -> dict[str, str | None]:
    """The variables to set, with None for those to unset. Writes the profile files."""
    profiles.prepare()
    environ = os.environ if environ is None else environ
    gone = [*_GONE.split(), *filter(_ENDPOINT.fullmatch, environ)]
    proxied = environ.get("HTTP_PROXY") or environ.get("http_proxy")
    direct = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    past = {}
    if proxied and _HERE not in direct:
        past = dict.fromkeys(("NO_PROXY", "no_proxy"), f"{direct},{_HERE}".lstrip(","))
    return {
        **dict.fromkeys(gone),
        **past,
        "AWS_CONFIG_FILE": str(profiles.config_file),
        "AWS_SHARED_CREDENTIALS_FILE": str(profiles.credentials_file),
        "AWS_PROFILE": ADMIN,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_PAGER": "",
    }


def applied(
    changes: Mapping[str, str | None], environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment of a subshell: ``environ`` with the changes made."""
    merged = {**(os.environ if environ is None else environ), **changes}
    return {name: value for name, value in merged.items() if value is not None}


def script(changes: Mapping[str, str | None], shell: str) -> str:
    """The changes as lines that the shell evaluates; UsageError for an unknown shell."""
    name = shell.rsplit("/", 1)[-1].removesuffix(".exe").lstrip("-")
    if name not in _DIALECTS:
        raise UsageError(
            f"stslab can't write for the shell {name!r}.", f"Use one of {', '.join(_DIALECTS)}."
        )
    line = _DIALECTS[name]
    return "".join(f"{line(variable, value)}\n" for variable, value in changes.items())


def _posix(variable: str, value: str | None) -> str:
    if value is None:
        return f"unset {variable}"
    return f"export {variable}={shlex.quote(value)}"


def _fish(variable: str, value: str | None) -> str:
    if value is None:
        return f"set -e {variable}"
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {variable} '{quoted}'"


_DIALECTS: Mapping[str, Callable[[str, str | None], str]] = {
    **dict.fromkeys(("sh", "bash", "zsh", "dash", "ksh"), _posix),
    "fish": _fish,
}
