"""``stslab env``: what points the ordinary aws CLI and SDKs at the account."""

import os
import sys

import click

from stslab.cli.options import Where, where_options

_SHELLS = ("sh", "bash", "zsh", "fish")


@click.command("env")
@click.option("--shell", type=click.Choice(_SHELLS), help="Whose syntax; else that of $SHELL.")
@click.option("--unset", is_flag=True, help="Print what takes it back.")
@where_options
def command(*, shell: str | None, unset: bool, target: str, profile: str, region: str) -> None:
    """Print variables for: eval "$(stslab env)".

    Afterwards `aws` and any SDK talk to the account that the lab runs on, with the profiles
    admin (the default), sts and assumed. Your own ~/.aws is neither used nor changed.
    """
    from stslab.aws import environment

    syntax = shell or _likely()
    if unset:
        click.echo(environment.script(dict.fromkeys(_OURS), syntax), nl=False)
        return
    changes = _changes(Where(target, profile, region))
    click.echo(environment.script(changes, syntax), nl=False)
    if sys.stdout.isatty():
        click.echo(f"# Run this to set them: {_how(syntax)}", err=True)


_OURS = (
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PAGER",
)


def _changes(where: Where) -> dict[str, str | None]:
    from stslab.aws import environment
    from stslab.cli.accounts import open_account
    from stslab.home import home

    opened = open_account(home(), where)
    return environment.variables(opened.profiles, opened.target.info.region)


def _likely() -> str:
    name = os.environ.get("SHELL", "sh").rsplit("/", 1)[-1]
    return name if name in _SHELLS else "sh"


def _how(shell: str) -> str:
    return "stslab env | source" if shell == "fish" else 'eval "$(stslab env)"'
