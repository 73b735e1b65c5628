"""Environment variables that make the aws CLI and SDKs use the target and stslab's profiles.

AWS SDKs and Tools Reference Guide, "Environment variables list". Variables that take
precedence over profiles are unset. The learner's own settings among them are kept in one
variable, without their secrets: who the learner is on a real account depends on them.
"""

import os
import re
import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from stslab.aws.profiles import ProfileFiles
from stslab.errors import UsageError
from stslab.home import expanded
from stslab.vocabulary import ADMIN

_LINES = Path(__file__).with_name("environment.txt").read_text("ascii").splitlines()
SET, _SECRET, _GONE = map(str.split, _LINES)  # what is set, and what is unset
OWN = "STSLAB_OWN_AWS"
_KEPT = re.compile(r"AWS_\w+=")
_ENDPOINT = re.compile(r"AWS_ENDPOINT_URL(_[A-Z0-9_]+)?")
_HERE = "127.0.0.1"  # to which no proxy leads


def variables(profiles: ProfileFiles, region: str) -> dict[str, str | None]:
    """The variables to set, with None for those to unset. Writes the profile files."""
    profiles.prepare()
    kept = own()
    gone = [*_SECRET, *_GONE, *filter(_ENDPOINT.fullmatch, os.environ)]
    proxied = os.environ.get("HTTP_PROXY") or os.environ.get("http_proxy")
    direct = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    past = {}
    if proxied and not {_HERE, "*"} & set(re.split(r"[\s,]+", direct)):
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
        OWN: kept,
    }


def own() -> str:
    """The learner's own settings, as quoted words ``NAME=VALUE``; of keys only the id.

    A key's id without its secret makes AWS's programs fail, instead of calling as somebody else.
    """
    restore()
    named = (*SET, *_GONE, *filter(_ENDPOINT.fullmatch, os.environ))
    found = {name: os.environ[name] for name in named if name in os.environ}
    for name in SET[:2]:  # files, which a program may read from another folder
        found |= {name: str(expanded(os.path.expandvars(found[name])))} if name in found else {}
    return shlex.join(f"{name}={value}" for name, value in found.items())


def restoration() -> dict[str, str | None]:
    """What ends the changes of :func:`variables`, if any; what was set since then stays."""
    if OWN not in os.environ:
        return {}
    with suppress(ValueError):
        words = shlex.split(os.environ[OWN])
        if all(map(_KEPT.match, words)):
            kept = dict(word.split("=", 1) for word in words)
            since = os.environ.keys() - SET
            return {**dict.fromkeys((*SET, OWN)), **{n: kept[n] for n in kept.keys() - since}}
    fix = f"Open a new terminal; or run `unset {OWN}`, and set AWS_PROFILE as you had it."
    raise UsageError(f"The variable {OWN}, which keeps your own settings, is damaged.", fix)


def restore() -> None:
    """Give this process the learner's own settings, also after ``eval "$(stslab env)"``."""
    for name, value in restoration().items():
        os.environ.pop(name, None)
        os.environ |= {} if value is None else {name: value}


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
