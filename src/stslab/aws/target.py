"""Targets, where a run's calls go: the embedded account, a real account, another endpoint."""

import os
import re
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from stslab.aws import environment
from stslab.aws.embedded import Control
from stslab.aws.profiles import ProfileFiles, require
from stslab.errors import UsageError
from stslab.home import location
from stslab.runner.journal.records import RunRecord
from stslab.runner.ports import Credentials, TargetInfo
from stslab.vocabulary import ADMIN

SANDBOX, AWS = "sandbox", "aws"
LOCAL_PACE = 0.05  # seconds between two tries on this machine


@dataclass(frozen=True, slots=True)
class Target:
    info: TargetInfo
    endpoint_url: str = ""
    admin: Credentials | None = None  # stslab's own keys, used instead of the profile ``admin``
    own: Mapping[str, str] = field(default_factory=dict)  # the learner's profiles, by identity
    control: Control | None = field(default=None, repr=False)
    hand: Credentials | None = None  # the learner's keys, written to the profile ``admin``

    def profiles(self, folder: Path) -> ProfileFiles:
        """The target's profile files in ``folder``, with ``admin`` written if it has keys."""
        processes = {name: _own_credentials(profile) for name, profile in self.own.items()}
        files = ProfileFiles(folder, self.info.region, self.endpoint_url, processes)
        if keys := self.hand or self.admin:
            files.save(ADMIN, keys)
        return files


def kind_of(name: str) -> str:
    """The kind of a ``--target``: ``sandbox``, ``aws`` or ``endpoint``; else UsageError."""
    if name in (SANDBOX, AWS):
        return name
    with suppress(ValueError):  # such as a port that is not a number
        url = urlsplit(name)
        usable = url.hostname and url.port != 0 and "@" not in url.netloc and " " not in name
        if name.startswith(("http://", "https://")) and usable and name.isprintable():
            return "endpoint"
    fix = "Use sandbox, aws, or the URL of an endpoint that speaks AWS's protocols."
    raise UsageError(f"There is no target {name!r}.", fix)


def name_of(target: str) -> str:
    """The name of a ``--target`` in the journal and in file names."""
    if kind_of(target) == SANDBOX:
        return location().target
    return target.strip("/").replace("://", "-").replace("/", "-").replace(":", "-")


def selecting(run: RunRecord, command: str) -> str:
    """The command with what selects the run's target, if the environment selects another."""
    if run.kind == SANDBOX:
        here = run.target == location().target
        return command if here else f"STSLAB_SANDBOX={run.target.partition('-')[2]} {command}"
    older = AWS if run.kind == AWS else "URL"
    return f"{command} {run.flags or f'--target {older}'}"


def _own_credentials(profile: str) -> str:
    """The command that prints the learner's credentials, from the learner's own AWS files."""
    named = f" --profile {shlex.quote(profile)}" if profile else ""
    ours, own = " ".join(f"-u {name}" for name in environment.SET), environment.own()
    process = f"env {ours} {own} aws configure export-credentials --format process{named}"
    require(ADMIN, {"credential_process": process})
    return process


# -- the deny list: accounts on which no lab may run -------------------------------------------
# A file in the XDG config folder, which stslab never writes, and a variable: ids separated by
# commas or blanks. A list that can't be read stops stslab before any call.

_VARIABLE = "STSLAB_DENY_ACCOUNTS"


def denied_accounts() -> dict[str, str]:
    """Map each id on the deny list to where it is listed; UsageError if it can't be read."""
    from platformdirs import user_config_path

    path = user_config_path("stslab", appauthor=False) / "denied-accounts"
    text = ""
    try:
        with suppress(FileNotFoundError):
            text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"The deny list {path} can't be read: {reason}.") from error
    found = {}
    for where, listed in ((f"${_VARIABLE}", os.environ.get(_VARIABLE, "")), (str(path), text)):
        for account in listed.replace(",", " ").split():
            if not re.fullmatch(r"\d{12}", account.replace("-", "")):
                fix = "List accounts by their twelve digits, with commas or blanks between them."
                raise UsageError(f"{where}: {account!r} is not an account id.", fix)
            found[account.replace("-", "")] = where
    return found
