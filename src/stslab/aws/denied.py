"""The accounts that the user never wants a lab on: a list in their settings, and a variable.

The file is ``config.toml`` in the XDG config folder (or what ``STSLAB_CONFIG`` names)::

    [guard]
    deny_accounts = ["111122223333"]

``STSLAB_DENY_ACCOUNTS`` adds to it: ids, with commas or blanks between them. stslab never
writes the file. What can't be understood in it stops stslab before any call: a list that
is not read protects nobody.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stslab.errors import UsageError
from stslab.home import config_file

VARIABLE = "STSLAB_DENY_ACCOUNTS"
_ACCOUNT = re.compile(r"\d{12}")
_KNOWN = frozenset({("guard", "deny_accounts")})


def denied_accounts(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The ids on the deny list, each with where it stands; UsageError where it makes no sense."""
    path = config_file()
    environ = os.environ if environ is None else environ
    listed = re.split(r"[,\s]+", environ.get(VARIABLE, "").strip())
    found = {_account(one, f"${VARIABLE}"): f"${VARIABLE}" for one in listed if one}
    return {**found, **{_account(one, str(path)): str(path) for one in _in_file(path)}}


def _in_file(path: Path) -> list[object]:
    settings = _settings(path)
    for table, keys in settings.items():
        names = keys if isinstance(keys, dict) else [""]
        unknown = [f"{table}.{name}".rstrip(".") for name in names if (table, name) not in _KNOWN]
        if unknown:
            raise _senseless(path, f"there is no setting {unknown[0]}")
    listed = settings.get("guard", {}).get("deny_accounts", [])
    if not isinstance(listed, list):
        raise _senseless(path, "deny_accounts is not a list")
    return listed


def _settings(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _senseless(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _senseless(path, str(error)) from error


def _account(value: object, where: str) -> str:
    text = value.replace("-", "") if isinstance(value, str) else ""
    if not _ACCOUNT.fullmatch(text):
        raise UsageError(
            f"{where}: {value!r} is not the id of an account.",
            'Write its twelve digits as text: deny_accounts = ["111122223333"].',
        )
    return text


def _senseless(path: Path, why: str) -> UsageError:
    return UsageError(
        f"The settings in {path} can't be understood: {why}.",
        'Write: [guard] and below it deny_accounts = ["111122223333"]; or remove the file.',
    )
