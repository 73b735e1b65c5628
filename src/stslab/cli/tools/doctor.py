"""``stslab doctor``: what stslab needs of this machine and account, each with its fix."""

import json
import platform
import sys

import click

from stslab.cli.options import Where, json_option, on_account
from stslab.home import home


@click.command("doctor")
@click.option("--class", "of_class", is_flag=True,
              help="Is it ready for a class: an account starts, the labs are good.")  # fmt: skip
@json_option("A JSON object, on stdout.")
@on_account()
def command(*, of_class: bool, as_json: bool, where: Where) -> int:
    """Look at Python, packages, state, journal, sandbox and leftovers; say how to fix them.

    With `--target aws` also at your credentials, the account, the network and the clock.
    It changes nothing. Exit code 1 if something is wrong, 4 if that is your credentials.
    """
    from stslab.cli.tools.checkup import checkup

    checks = checkup(home(), where, of_class=of_class)
    if as_json:
        names = ("name", "state", "says", "fix")
        listed = [{name: getattr(one, name) for name in names} for one in checks]
        machine = {"machine": platform.node()} if of_class else {}
        told = {"ok": all(one.ok for one in checks), "checks": listed}
        click.echo(json.dumps(machine | told, indent=2))
    else:
        from stslab.cli.tools.checkup import show_checks
        from stslab.render.terminal.console import make_console

        show_checks(make_console(sys.stdout), checks)
    return max((one.exit_code for one in checks if not one.ok), default=0)
