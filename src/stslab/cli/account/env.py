"""``stslab env`` and ``shell``: point the aws CLI and SDKs at the account."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stslab.cli.options import Where, on_account
from stslab.cli.workspace import lab_variables
from stslab.errors import SandboxError, UsageError
from stslab.home import Home, home
from stslab.sandbox.api.identifiers import LEARNER, PARTNER

if TYPE_CHECKING:
    from stslab.cli.accounts import Open


# Profiles of further users of the embedded account: the control verb that returns a key, and
# the account.
_LENT: Mapping[str, tuple[str, str]] = {
    "root": ("root-key", LEARNER),
    "partner": ("admin-key", PARTNER),
    "partner-root": ("root-key", PARTNER),
}
_ADMIN = "admin"
_SHELLS = ("sh", "bash", "zsh", "fish")
_OURS = (
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PAGER",
)
_INSIDE = "STSLAB_SHELL"
_HINT = "(stslab)"


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in (_ADMIN, "sts", "assumed", *_LENT) if name.startswith(incomplete)]


_as_option = click.option("--as", "name", default=_ADMIN, show_default=True, metavar="NAME",
                          shell_complete=_complete, help="The profile to use: admin, or one of the"
                          " lab's; on the embedded account also root, partner, partner-root."
                          )  # fmt: skip


def _become(where: Where, name: str) -> "tuple[Open, dict[str, str | None]]":
    """The account, and the variables for this profile, the others, and the current run's lab."""
    from stslab.aws import environment
    from stslab.cli.accounts import open_account

    opened = open_account(home(), where)
    if opened.kind == "sandbox":
        _lend(home(), opened, name)
    known = dict.fromkeys([_ADMIN, *opened.profiles.names()])
    if name not in known:
        more = " `stslab run` makes sts and assumed." if name in ("sts", "assumed") else ""
        raise UsageError(f"There is no profile {name!r}.", f"There are {', '.join(known)}.{more}")
    changes = environment.variables(opened.profiles, opened.target.info.region)
    return opened, {**changes, "AWS_PROFILE": name, **lab_variables(where.target)}


def _lend(place: Home, opened: "Open", chosen: str) -> None:
    """Write a profile for each further user; without a key, SandboxError if it is ``chosen``."""
    from stslab.cli.accounts import credentials
    from stslab.sandbox.server import client

    for name, (verb, account) in _LENT.items():
        try:
            key = credentials(client.control(place.sandbox, "POST", verb, {"account": account}))
        except SandboxError:
            opened.profiles.remove(name)
            if name == chosen:
                raise
        else:
            opened.profiles.save(name, key)


@click.command("env")
@click.option("--shell", type=click.Choice(_SHELLS),
              help="The shell whose syntax to use; else that of $SHELL.")  # fmt: skip
@click.option("--unset", is_flag=True, help="Print commands that unset them.")
@_as_option
@on_account()
def command(*, shell: str | None, unset: bool, name: str, where: Where) -> None:
    """Print variables for: eval "$(stslab env)".

    Then `aws` and any SDK use the account that the lab runs on. The profiles are admin
    (the default; --as selects another) and those that the lab makes; on the embedded account
    also root, and partner and partner-root of a second account. Your own ~/.aws is neither
    used nor changed. The variables of the current run's lab, such as $ROLE, are included.
    """
    from stslab.aws import environment

    named = os.environ.get("SHELL", "").rpartition("/")[2]
    syntax = shell or (named if named in _SHELLS else "sh")
    if unset:
        names = (*_OURS, *lab_variables(where.target))
        click.echo(environment.script(dict.fromkeys(names), syntax), nl=False)
        return
    click.echo(environment.script(_become(where, name)[1], syntax), nl=False)
    if sys.stdout.isatty():
        how = "stslab env | source" if syntax == "fish" else 'eval "$(stslab env)"'
        click.echo(f"# Run this to set them: {how}", err=True)


@click.command("shell")
@_as_option
@on_account()
def shell(*, name: str, where: Where) -> int:
    """Open a shell in which `aws` and any SDK use the account that the lab runs on.

    The profiles are admin (the default; --as selects another) and those that the lab makes; on
    the embedded account also root, and partner and partner-root of a second account. Leave it
    with `exit`.
    """
    from stslab.aws import environment

    if os.environ.get(_INSIDE):
        raise UsageError("You are in a shell of stslab already.", "Leave it first: exit")
    opened, changes = _become(where, name)
    names = ", ".join(opened.profiles.names())
    click.echo(f"A shell with the aws profiles {names}. Leave it with: exit", err=True)
    program = os.environ.get("SHELL") or "/bin/sh"
    with tempfile.TemporaryDirectory(prefix="stslab-shell-") as folder:
        arguments, more = _start(program, Path(folder))
        environ = {**environment.applied(changes), _INSIDE: "1", **more}
        try:
            return subprocess.call([program, *arguments], env=environ)
        except OSError as error:
            problem = f"The shell {program} can't be started: {error.strerror}."
            raise UsageError(problem, "Name another one in SHELL.") from error


def _start(shell: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The arguments and variables that start a shell with the hint in its prompt."""
    match shell.rsplit("/", 1)[-1]:
        case "bash":
            file = folder / "bashrc"
            file.write_text(f'[ -f ~/.bashrc ] && . ~/.bashrc\nPS1="{_HINT} $PS1"\n')
            return ["--rcfile", str(file), "-i"], {}
        case "zsh":
            own = os.environ.get("ZDOTDIR") or "$HOME"
            (folder / ".zshrc").write_text(
                f'ZDOTDIR="{own}"\n[ -f "$ZDOTDIR/.zshrc" ] && . "$ZDOTDIR/.zshrc"\n'
                f'PS1="{_HINT} $PS1"\n'
            )
            return ["-i"], {"ZDOTDIR": str(folder)}
        case "fish":
            hint = (
                "functions -q fish_prompt; and functions -c fish_prompt stslab_prompt;"
                f" function fish_prompt; echo -n '{_HINT} '; stslab_prompt; end"
            )
            return ["-i", "-C", hint], {}
        case _:
            return ["-i"], {"PS1": f"{_HINT} $ "}
