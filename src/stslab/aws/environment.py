"""Environment variables that make the aws CLI and SDKs use the target and stslab's profiles.

AWS SDKs and Tools Reference Guide, "Environment variables list". Variables that take
precedence over profiles are unset.
"""

import os
import re
import shlex
from collections.abc import Mapping

from stslab.aws.profiles import ProfileFiles
from stslab.vocabulary import ADMIN

_GONE = """
    AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_SECURITY_TOKEN
    AWS_DEFAULT_PROFILE AWS_ROLE_ARN AWS_ROLE_SESSION_NAME AWS_WEB_IDENTITY_TOKEN_FILE
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI
    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS AWS_ENDPOINT_URL AWS_ENDPOINT_URL_IAM AWS_ENDPOINT_URL_S3
    AWS_ENDPOINT_URL_STS
"""
_ENDPOINT = re.compile(r"AWS_ENDPOINT_URL(_[A-Z0-9_]+)?")
_HERE = "127.0.0.1"  # to which no proxy leads


def variables(profiles: ProfileFiles, region: str) -> dict[str, str | None]:
    """The variables to set, with None for those to unset. Writes the profile files."""
    profiles.prepare()
    gone = [*_GONE.split(), *filter(_ENDPOINT.fullmatch, os.environ)]
    proxied = os.environ.get("HTTP_PROXY") or os.environ.get("http_proxy")
    direct = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
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


def applied(changes: Mapping[str, str | None]) -> dict[str, str]:
    """The environment of a subshell: this process's, with the changes made."""
    return {name: value for name, value in {**os.environ, **changes}.items() if value is not None}


def script(changes: Mapping[str, str | None], shell: str) -> str:
    """The changes as lines that ``fish`` evaluates, or any shell that is like sh."""
    lines = []
    for name, value in changes.items():
        if value is None:
            lines.append(f"set -e {name}" if shell == "fish" else f"unset {name}")
        elif shell == "fish":
            quoted = value.replace("\\", "\\\\").replace("'", "\\'")
            lines.append(f"set -gx {name} '{quoted}'")
        else:
            lines.append(f"export {name}={shlex.quote(value)}")
    return "".join(f"{line}\n" for line in lines)
