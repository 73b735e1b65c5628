"""``stslab env``: what points the ordinary aws CLI and SDKs at the account."""

import os
import sys

import click

from stslab.cli.current import lab_variables
from stslab.cli.identities import as_option, become
from stslab.cli.options import Where, on_account

_SHELLS = ("sh", "bash", "zsh", "fish")


@click.command("env")
@click.option(
    "--shell",
    type=click.Choice(_SHELLS),
    help="The shell whose syntax to use; else that of $SHELL.",
)
@click.option("--unset", is_flag=True, help="Print what unsets them.")
@as_option
@on_account()
def command(*, shell: str | None, unset: bool, name: str, where: Where) -> None:
    """Print variables for: eval "$(stslab env)".

    Then `aws` and any SDK talk to the account that the lab runs on. The profiles are admin
    (the default; --as names another) and those that the lab makes; in the embedded account
    also root, and partner and partner-root of a second account. Your own ~/.aws is neither
    used nor changed. The variables of the lab that goes on, such as $ROLE, are there too.
    """
    from stslab.aws import environment
    from stslab.cli.accounts import open_account
    from stslab.home import home

    named = os.environ.get("SHELL", "").rpartition("/")[2]
    syntax = shell or (named if named in _SHELLS else "sh")
    if unset:
        names = (*_OURS, *lab_variables(where.target))
        click.echo(environment.script(dict.fromkeys(names), syntax), nl=False)
        return
    changes = {**become(open_account(home(), where), name), **lab_variables(where.target)}
    click.echo(environment.script(changes, syntax), nl=False)
    if sys.stdout.isatty():
        how = "stslab env | source" if syntax == "fish" else 'eval "$(stslab env)"'
        click.echo(f"# Run this to set them: {how}", err=True)


_OURS = (
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PAGER",
)
