"""``stslab doctor``: check this machine and account; each problem comes with its fix."""

import json
import platform
import sys

import click

from stslab.cli.options import Where, json_option, on_account
from stslab.home import home


@click.command("doctor")
@click.option("--class", "of_class", is_flag=True,
              help="Check that a class can begin: accounts start, labs are good.")  # fmt: skip
@json_option("A JSON object, on stdout.")
@on_account()
def command(*, of_class: bool, as_json: bool, where: Where) -> int:
    """Check this machine, the runs and the embedded account, and say how to fix each problem.

    With `--target aws`, also check your credentials, the account, the network and the clock.
    It changes nothing. Exit code 1 if something is wrong, 4 if it is your credentials.
    """
    from stslab.cli.tools.checkup import WRONG, checkup, show_checks
    from stslab.render.terminal.paper import paper_on

    checks = checkup(home(), where, of_class=of_class)
    wrong = [check for check in checks if check.state == WRONG]
    if as_json:
        names = ("name", "state", "says", "fix")
        listed = [{name: getattr(check, name) for name in names} for check in checks]
        machine = {"machine": platform.node()} if of_class else {}
        click.echo(json.dumps({**machine, "ok": not wrong, "checks": listed}, indent=2))
    else:
        show_checks(paper_on(sys.stdout), checks)
    return max((check.exit_code for check in wrong), default=0)
