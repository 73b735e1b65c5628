"""``stslab sandbox saml``: a SAML identity provider for who has none at hand."""

import sys
from collections.abc import Iterable
from typing import Any

import click

from stslab.errors import UsageError
from stslab.home import home

_ROLE = "arn:aws:iam::{account}:role/{name}"
_PROVIDER = "arn:aws:iam::{account}:saml-provider/{name}"
_issuer = click.option("--issuer", default="", metavar="URL",
                       help="The provider's entity id; else the sandbox's own.")  # fmt: skip


@click.group("saml")
def group() -> None:
    """A SAML identity provider, which exists in the sandbox alone.

    Let the account know it first:
    stslab sandbox saml metadata > metadata.xml
    aws iam create-saml-provider --name NAME --saml-metadata-document file://metadata.xml
    """


@group.command("metadata")
@_issuer
def metadata_command(*, issuer: str) -> None:
    """Print the provider's metadata document, for `aws iam create-saml-provider`."""
    from stslab.sandbox.server import client

    client.ensure(home().sandbox)
    body = {"issuer": issuer}
    click.echo(client.control(home().sandbox, "POST", "saml/metadata", body)["metadata"])


@group.command("assertion")
@click.option("--role", required=True, help="The role to assume: its ARN, or its name.")
@click.option("--provider", required=True, help="The SAML provider in IAM: its ARN, or its name.")
@click.option("--name", required=True, help="The RoleSessionName, and the subject (NameID).")
@click.option("--attribute", "attributes", multiple=True, metavar="NAME=VALUE",
              help="A further attribute, such as SourceIdentity, PrincipalTag:Team or "
              "eduPersonAffiliation; the same name again adds a value.")  # fmt: skip
@click.option("--seconds", type=click.IntRange(-86400, 86400), default=300, show_default=True,
              help="How long it is valid; less than 0: it has expired already.")  # fmt: skip
@click.option("--recipient", default="", metavar="URL",
              help="The sign-in address that it is for; else the one of no region.")  # fmt: skip
@_issuer
def assertion_command(
    *,
    role: str,
    provider: str,
    name: str,
    attributes: tuple[str, ...],
    seconds: int,
    recipient: str,
    issuer: str,
) -> None:
    """Print a signed response for `aws sts assume-role-with-saml`, in base64.

    AWS takes an assertion for five minutes after it was issued, however long it is valid.
    """
    from stslab.sandbox.server import client

    endpoint = client.ensure(home().sandbox)
    body: dict[str, Any] = {
        "issuer": issuer,
        "role": _arn(role, _ROLE, endpoint.account),
        "provider": _arn(provider, _PROVIDER, endpoint.account),
        "session_name": name,
        "attributes": _values(attributes),
        "seconds": seconds,
    }
    if recipient:
        body["recipient"] = recipient
    minted = client.control(home().sandbox, "POST", "saml/assertion", body)
    click.echo(minted["assertion"])
    if sys.stdout.isatty():
        click.echo(f"The issuer is {minted['issuer']}", err=True)


def _arn(given: str, form: str, account: str) -> str:
    return given if given.startswith("arn:") else form.format(account=account, name=given)


def _values(given: Iterable[str]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise UsageError(f"--attribute {each!r} is not of the form NAME=VALUE.")
        values.setdefault(name, []).append(value)
    return values
