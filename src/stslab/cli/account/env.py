"""``stslab env`` and ``shell``: point the aws CLI and SDKs at the account."""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from stslab.cli.options import Where, on_account
from stslab.errors import SandboxError, UsageError
from stslab.home import expanded, home
from stslab.vocabulary import ADMIN, LEARNER, PARTNER

# Profiles of further users of the embedded account: the control verb that returns a key, and
# the account.
_LENT: Mapping[str, tuple[str, str]] = {
    "root": ("root-key", LEARNER),
    "partner": ("admin-key", PARTNER),
    "partner-root": ("root-key", PARTNER),
}
_SHELLS = ("sh", "bash", "zsh", "fish")
_INSIDE, _NAMED = "STSLAB_SHELL", "STSLAB_SANDBOX"
_HINT = 'PS1="(stslab) $PS1"\n'
_HINT_OF_FISH = """
    functions -c fish_prompt stslab_prompt
    function fish_prompt; echo -n '(stslab) '; stslab_prompt; end
"""


_as_option = click.option("--as", "name", default=ADMIN, show_default=True, metavar="NAME",
                          help="The profile to use: admin, or one of the lab's; on the embedded"
                          " account also root, partner, partner-root.")  # fmt: skip


def _become(where: Where, name: str) -> tuple[tuple[str, ...], dict[str, str | None]]:
    """The account's profiles, and the variables for this one and for the current run's lab."""
    from stslab.aws import environment
    from stslab.cli.accounts import credentials, open_account
    from stslab.cli.workspace import lab_variables
    from stslab.sandbox.server import client

    opened = open_account(home(), where)
    for user, (verb, account) in _LENT.items() if opened.kind == "sandbox" else ():
        try:
            key = client.control(home().sandbox, "POST", verb, {"account": account})
        except SandboxError:  # that user has no key
            opened.profiles.remove(user)
            if user == name:
                raise
        else:
            opened.profiles.save(user, credentials(key))
    known = dict.fromkeys([ADMIN, *opened.profiles.names()])
    if name not in known:
        hint = f"Choose from: {', '.join(known)}."
        hint += " `stslab run` makes sts and assumed." if name in ("sts", "assumed") else ""
        raise UsageError(f"There is no profile {name!r}.", hint)
    changes = environment.variables(opened.profiles, opened.target.info.region)
    changes |= {"AWS_PROFILE": name, _NAMED: home().named or None}
    return opened.profiles.names(), {**changes, **lab_variables(where.target)}


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
    from stslab.cli.failures import for_same_run
    from stslab.cli.workspace import lab_variables

    named = os.environ.get("SHELL", "").rpartition("/")[2]
    syntax = shell or (named if named in _SHELLS else "sh")
    if unset:
        names = (_NAMED, *lab_variables(where.target))
        changes = {**environment.restoration(), **dict.fromkeys(names)}
    else:
        _, changes = _become(where, name)
    click.echo(environment.script(changes, syntax), nl=False)
    if sys.stdout.isatty() and not unset:
        how = "stslab env | source" if syntax == "fish" else 'eval "$(stslab env)"'
        click.echo(f"# Run this to set them: {for_same_run(how)}", err=True)


@click.command("shell")
@_as_option
@on_account()
def shell(*, name: str, where: Where) -> int:
    """Open a shell in which `aws` and any SDK use the account that the lab runs on.

    Its profiles are those of `stslab env`. Leave it with `exit`.
    """
    from stslab.aws import environment

    if os.environ.get(_INSIDE):
        raise UsageError("You are in a shell of stslab already.", "Leave it first: exit")
    profiles, changes = _become(where, name)
    names = ", ".join(profiles)
    click.echo(f"A shell with the aws profiles {names}. Leave it with: exit", err=True)
    program = os.environ.get("SHELL") or "/bin/sh"
    with tempfile.TemporaryDirectory(prefix="stslab-shell-") as folder:
        options, more = _hint(program, Path(folder))
        environ = {**environment.applied(changes), _INSIDE: "1", **more}
        try:
            return subprocess.call([program, *options, "-i"], env=environ)
        except OSError as error:
            problem = f"The shell {program} can't be started: {error.strerror}."
            raise UsageError(problem, "Name another one in SHELL.") from error


def _hint(shell: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The options and variables that put a hint before the shell's own prompt."""
    match Path(shell).name:
        case "bash":
            file = folder / "bashrc"
            file.write_text(f"[ -f ~/.bashrc ] && . ~/.bashrc\n{_HINT}")
            return ["--rcfile", str(file)], {}
        case "zsh":
            own = shlex.quote(str(expanded(os.environ.get("ZDOTDIR") or "~")))
            own_file = '"$ZDOTDIR/.zshrc"'
            text = f"ZDOTDIR={own}\n[ -f {own_file} ] && . {own_file}\n{_HINT}"
            (folder / ".zshrc").write_text(text)
            return [], {"ZDOTDIR": str(folder)}
        case "fish":
            return ["-C", _HINT_OF_FISH], {}
        case _:
            return [], {"PS1": "(stslab) $ "}
