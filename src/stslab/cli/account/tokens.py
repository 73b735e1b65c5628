"""``stslab sandbox token``, ``issuer``, ``saml`` and ``mfa``: identity providers, MFA codes."""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import click

from stslab.cli.commands import LazyGroup
from stslab.cli.options import Command, json_option, values
from stslab.errors import UsageError
from stslab.home import home
from stslab.sandbox.server import client
from stslab.vocabulary import CERTIFICATES, LEARNER

_TAGS, _PAIR = "https://aws.amazon.com/tags", "NAME=VALUE"
_Many = tuple[str, ...]
_issuer = click.option("--issuer", default="", metavar="URL",
                       help="The provider's entity id; else the account's own.")  # fmt: skip


def _seconds(usual: int) -> Callable[[Command], Command]:
    says = "How long it is valid; below 0, it has expired already."
    kind = click.IntRange(-86400, 86400)
    return click.option("--seconds", type=kind, default=usual, show_default=True, help=says)


def _ask(verb: str, method: str = "POST", **body: object) -> Mapping[str, Any]:
    """The embedded account's answer. It is started if it is not running."""
    client.ensure(home().sandbox)
    known = {name: value for name, value in body.items() if value not in ("", None)}
    return client.control(home().sandbox, method, verb, known or None)


def _arn(given: str, kind: str) -> str:
    """The given ARN, or the ARN of this name in the learner's account."""
    return given if given.startswith("arn:") else f"arn:aws:iam::{LEARNER}:{kind}/{given}"


def _print(what: str, issuer: str) -> None:
    click.echo(what)
    if sys.stdout.isatty():
        click.echo(f"The issuer is {issuer}", err=True)


@click.command("token")
@click.option("--sub", required=True, help="The subject: who the token is about.")
@click.option("--aud", required=True, help="The audience: a client id that the provider lists.")
@click.option("--issuer", default="", metavar="URL",
              help="The issuer; else the account's own, https://oidc.stslab.example.")  # fmt: skip
@click.option("--claim", "claims", multiple=True, metavar="NAME=VALUE",
              help="A further claim; the same name again makes a list.")  # fmt: skip
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE",
              help="A session tag, for roles that trust sts:TagSession.")  # fmt: skip
@click.option("--transitive", multiple=True, metavar="KEY",
              help="The key of a session tag that is passed on to the next role.")  # fmt: skip
@_seconds(3600)
def token_command(
    *, sub: str, aud: str, issuer: str, claims: _Many, tags: _Many, transitive: _Many, seconds: int
) -> None:
    """Print an OIDC token for AssumeRoleWithWebIdentity.

    The issuer exists only in the embedded account. Register it in IAM first.
    """
    named = values("--claim", _PAIR, claims).items()
    more = {name: each if len(each) > 1 else each[0] for name, each in named}
    every: dict[str, object] = {**more, "sub": sub, "aud": aud}
    if tags or transitive:
        passed = values("--tag", _PAIR, tags)
        every[_TAGS] = {"principal_tags": passed, "transitive_tag_keys": list(transitive)}
    minted = _ask("oidc/token", claims=every, seconds=seconds, issuer=issuer)
    _print(minted["token"], minted["issuer"])


@click.command("issuer")
@click.argument("url", default="", metavar="[URL]")
@click.option("--certificate", "kind", type=click.Choice(CERTIFICATES),
              help="Make its server show another certificate from now on.")  # fmt: skip
@click.option("--thumbprint", is_flag=True, help="Only the thumbprint, for scripts.")
@click.option("--pem", is_flag=True, help="Only the certificates that its server sends, as PEM.")
@json_option("A JSON object, on stdout.")
def issuer_command(
    *, url: str, kind: str | None, thumbprint: bool, pem: bool, as_json: bool
) -> None:
    """Show an OIDC issuer: its server's certificates and their thumbprint.

    Without URL, the issuer is the account's own. Any other one is made when it is first named.
    If AWS does not trust the CA of the issuer's server, IAM needs the thumbprint.

    --certificate gives the server another certificate: `renewed`, from the same CA; `new-ca`,
    from another CA; `trusted`, from a CA that AWS trusts; `wrong-host`, for another name;
    `forged`, not signed by the CA that it names.
    """
    if thumbprint + pem + as_json > 1:
        raise UsageError("Give one of --thumbprint, --pem and --json.")
    shown = _ask("oidc/issuer", issuer=url, certificate=kind)
    if as_json:
        click.echo(json.dumps(shown, indent=2))
    elif thumbprint:
        click.echo(shown["thumbprint"])
    elif pem:  # a server does not send its root
        sent = [each["pem"] for each in shown["certificates"] if each["role"] != "trusted root"]
        click.echo("".join(sent), nl=False)
    else:
        click.echo(f"issuer        {shown['issuer']}")
        for certificate in shown["certificates"]:
            ends = datetime.fromisoformat(certificate["not_after"])
            click.echo(f"{certificate['role']:<14}{certificate['subject']}")
            click.echo(f"{'':<14}until {ends:%Y-%m-%d}, SHA-1 {certificate['sha1']}")
        click.echo(f"thumbprint    {shown['thumbprint']}")
        trusted = "AWS trusts its CA, so thumbprints in IAM do not matter."
        unknown = "AWS does not trust its CA: IAM must have the thumbprint."
        click.echo(trusted if shown["trusted"] else unknown, err=True)


@click.group("saml", cls=LazyGroup, family="sandbox saml")
def saml_group() -> None:
    """A SAML identity provider, which exists only in the embedded account.

    Register it in IAM first, by its metadata.
    """


@click.command("metadata")
@_issuer
def metadata_command(*, issuer: str) -> None:
    """Print the provider's metadata document, for `aws iam create-saml-provider`."""
    click.echo(_ask("saml/metadata", issuer=issuer)["metadata"])


@click.command("assertion")
@click.option("--role", required=True, help="The role to assume: its ARN, or its name.")
@click.option("--provider", required=True, help="The SAML provider in IAM: its ARN, or its name.")
@click.option("--name", required=True, help="The RoleSessionName, and the subject (NameID).")
@click.option("--attribute", "attributes", multiple=True, metavar="NAME=VALUE",
              help="A further attribute, such as SourceIdentity, PrincipalTag:Team or "
              "eduPersonAffiliation; the same name again adds a value.")  # fmt: skip
@_seconds(300)
@click.option("--recipient", default="", metavar="URL",
              help="The sign-in address that it is for; else the global one.")  # fmt: skip
@_issuer
def assertion_command(
    *, role: str, provider: str, name: str, attributes: _Many, **given: Any
) -> None:
    """Print a signed response for `aws sts assume-role-with-saml`, in base64.

    AWS accepts an assertion for five minutes after it was issued, however long it is valid.
    """
    minted = _ask(
        "saml/assertion",
        role=_arn(role, "role"),
        provider=_arn(provider, "saml-provider"),
        session_name=name,
        attributes=values("--attribute", _PAIR, attributes),
        **given,
    )
    _print(minted["assertion"], minted["issuer"])


@click.command("mfa")
@click.argument("serial")
def mfa_command(*, serial: str) -> None:
    """Print the present code and the next code of the virtual MFA device, one a line.

    SERIAL is its ARN or name. Enabling a device takes both codes, using it only the first.
    """
    named = quote(_arn(serial, "mfa"), safe="", errors="replace")
    click.echo("\n".join(_ask(f"mfa/code?serial={named}", "GET")["codes"]))
