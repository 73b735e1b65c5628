"""``stslab sandbox token`` and ``mfa``: what stands in for things that a learner lacks.

A token of an identity provider, and the codes of an authenticator app.
"""

import sys
from collections.abc import Iterable
from urllib.parse import quote

import click

from stslab.errors import UsageError
from stslab.home import home

_ARN = "arn:aws:iam::{account}:mfa/{name}"


@click.command("token")
@click.option("--sub", required=True, help="The subject: who the token is about.")
@click.option("--aud", required=True, help="The audience: a client id that the provider lists.")
@click.option(
    "--issuer",
    default="",
    metavar="URL",
    help="The issuer; else the sandbox's own, https://oidc.stslab.example.",
)
@click.option("--claim", "claims", multiple=True, metavar="NAME=VALUE",
              help="A further claim; the same name again makes a list.")  # fmt: skip
@click.option("--seconds", type=click.IntRange(-86400, 86400), default=3600, show_default=True,
              help="How long it is valid; less than 0: it has expired already.")  # fmt: skip
def token_command(
    *, sub: str, aud: str, issuer: str, claims: tuple[str, ...], seconds: int
) -> None:
    """Print an OIDC token for AssumeRoleWithWebIdentity.

    The issuer exists in the sandbox alone. Let the account know it first:
    aws iam create-open-id-connect-provider --url URL --client-id-list AUD
    """
    from stslab.sandbox.server import client

    said = {**_claims(claims), "sub": sub, "aud": aud}
    body = {"claims": said, "seconds": seconds, **({"issuer": issuer} if issuer else {})}
    client.ensure(home().sandbox)
    minted = client.control(home().sandbox, "POST", "oidc/token", body)
    click.echo(minted["token"])
    if sys.stdout.isatty():
        click.echo(f"The issuer is {minted['issuer']}", err=True)


def _claims(given: Iterable[str]) -> dict[str, str | list[str]]:
    values: dict[str, list[str]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise UsageError(f"--claim {each!r} is not of the form NAME=VALUE.")
        values.setdefault(name, []).append(value)
    return {name: each if len(each) > 1 else each[0] for name, each in values.items()}


@click.command("mfa", short_help="Print the codes of a virtual MFA device.")
@click.argument("serial")
def mfa_command(*, serial: str) -> None:
    """Print what the virtual MFA device shows now, and what it shows next, a line each.

    SERIAL is its ARN, or its name. To enable a device takes both codes, to use it the first.
    """
    from stslab.sandbox.server import client

    endpoint = client.ensure(home().sandbox)
    name = serial if ":" in serial else _ARN.format(account=endpoint.account, name=serial)
    shown = client.control(home().sandbox, "GET", f"mfa/code?serial={quote(name, safe='')}")
    for code in shown["codes"]:
        click.echo(code)
