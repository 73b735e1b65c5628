"""Options that several commands share."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import click

_Decorated = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Where:
    """Which account is meant: the target, and for a real one the learner's own settings."""

    target: str = "sandbox"
    profile: str = ""
    region: str = ""
    account: str = ""
    yes: bool = False
    force: bool = False
    services: tuple[str, ...] = ()

    @property
    def flags(self) -> str:
        """What leads another command to the same account."""
        pairs = (("--target", self.target), ("--profile", self.profile))
        return " ".join(f"{flag} {shlex.quote(value)}" for flag, value in pairs if value)

    def at(self, region: str) -> "Where":
        """The same in this region, unless a flag names one."""
        return self if self.region or not region else replace(self, region=region)


def where_options(command: _Decorated) -> _Decorated:
    """``--target``, ``--profile`` and ``--region``."""
    for option in (
        click.option(
            "--region", envvar="STSLAB_REGION", default="", help="AWS region, for a real account."
        ),
        click.option(
            "--profile",
            envvar="STSLAB_PROFILE",
            default="",
            help="Your own AWS profile, for a real account.",
        ),
        click.option(
            "--target",
            envvar="STSLAB_TARGET",
            default="sandbox",
            show_default=True,
            metavar="sandbox|aws|URL",
            help="The account to work on.",
        ),
    ):
        command = option(command)
    return command


def consent_options(command: _Decorated) -> _Decorated:
    """``--yes`` and ``--account``."""
    account = click.option(
        "--account",
        envvar="STSLAB_ACCOUNT",
        default="",
        metavar="ID",
        help="The real account's id, which --yes needs there.",
    )
    yes = click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
    return yes(account(command))


def guard_options(command: _Decorated) -> _Decorated:
    """``--force`` and ``--allow-service``."""
    allow = click.option(
        "--allow-service",
        "services",
        multiple=True,
        metavar="NAME",
        help="Let the lab use this service, besides IAM, STS, S3 and CloudFormation.",
    )
    force = click.option("--force", is_flag=True, help="Go on although permissions seem to lack.")
    return force(allow(command))


def json_option(command: _Decorated) -> _Decorated:
    """``--json``."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Events as JSON lines on stdout; what is said to people goes to stderr.",
    )(command)
