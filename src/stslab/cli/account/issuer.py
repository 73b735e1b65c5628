"""``stslab sandbox issuer``: an identity provider that the sandbox stands in for, and its server.

IAM User Guide, "Obtain the thumbprint for an OpenID Connect identity provider".
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from stslab.errors import UsageError
from stslab.home import home

# As stslab.sandbox.federation.oidc.certificates.KINDS, which is not imported for a list of names.
KINDS = ("renewed", "new-ca", "trusted", "wrong-host", "forged")


@click.command("issuer", short_help="Show an OIDC issuer, its keys and certificates.")
@click.argument("url", default="", metavar="[URL]")
@click.option("--certificate", "kind", type=click.Choice(KINDS),
              help="Let its server show another certificate from now on.")  # fmt: skip
@click.option("--thumbprint", is_flag=True, help="Only the thumbprint, for scripts.")
@click.option("--pem", is_flag=True, help="Only the certificates that its server sends, as PEM.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object, on stdout.")
def command(*, url: str, kind: str | None, thumbprint: bool, pem: bool, as_json: bool) -> None:
    """Show an OIDC issuer of the sandbox: its server's certificates and their thumbprint.

    Without URL it is the sandbox's own issuer; any other one is made as soon as it is named.
    Where AWS does not trust the CA of its server, the thumbprint is what IAM must have:
    aws iam create-open-id-connect-provider --url URL --thumbprint-list THUMBPRINT

    --certificate tries what happens to issuers: `renewed` by the same CA; `new-ca`, of another
    CA; `trusted`, of a CA that AWS trusts; `wrong-host`, for another name; `forged`, not signed
    by the CA that it names.
    """
    from stslab.sandbox.server import client

    if thumbprint + pem + as_json > 1:
        raise UsageError("Give one of --thumbprint, --pem and --json.")
    client.ensure(home().sandbox)
    asked = {"issuer": url, **({"certificate": kind} if kind else {})}
    shown = client.control(home().sandbox, "POST", "oidc/issuer", asked)
    if as_json:
        click.echo(json.dumps(shown, indent=2))
    elif thumbprint:
        click.echo(shown["thumbprint"])
    elif pem:
        click.echo("".join(one["pem"] for one in _sent(shown)), nl=False)
    else:
        _say(shown)


def _sent(shown: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The certificates that the server sends: a root is not sent."""
    return [one for one in shown["certificates"] if one["role"] != "trusted root"]


def _say(shown: Mapping[str, Any]) -> None:
    click.echo(f"issuer        {shown['issuer']}")
    for one in shown["certificates"]:
        ends = datetime.fromisoformat(one["not_after"])
        click.echo(f"{one['role']:<14}{one['subject']}")
        click.echo(f"{'':<14}until {ends:%Y-%m-%d}, SHA-1 {one['sha1']}")
    click.echo(f"thumbprint    {shown['thumbprint']}")
    if shown["trusted"]:
        click.echo("AWS trusts its CA: thumbprints in IAM do not count for it.", err=True)
    else:
        click.echo("AWS does not trust its CA: IAM must have the thumbprint.", err=True)
