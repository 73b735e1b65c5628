"""Who the aws CLI may be: stslab's profiles, and those that the embedded account lends."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from stslab.errors import SandboxError, UsageError
from stslab.home import Home, home
from stslab.sandbox.api.identifiers import LEARNER, PARTNER

if TYPE_CHECKING:
    from stslab.cli.accounts import Open

_Decorated = Any


class _Key(NamedTuple):
    """The control verb that gives a key, and whose account it is of."""

    verb: str
    account: str


LENT: Mapping[str, _Key] = {
    "root": _Key("root-key", LEARNER),
    "partner": _Key("admin-key", PARTNER),
    "partner-root": _Key("root-key", PARTNER),
}
"""Further users of the embedded account: root users, and the other account's administrator."""

_ADMIN = "admin"


def as_option(command: _Decorated) -> _Decorated:
    return click.option(
        "--as",
        "name",
        default=_ADMIN,
        show_default=True,
        metavar="NAME",
        shell_complete=_complete,
        help="The profile to use: admin, or one of the lab's; in the embedded account also "
        "root, partner, partner-root.",
    )(command)


def become(opened: "Open", name: str) -> dict[str, str | None]:
    """The variables that make this profile the aws CLI's default; the others are there too."""
    from stslab.aws import environment

    if opened.kind == "sandbox":
        _lend(home(), opened, name)
    known = dict.fromkeys([_ADMIN, *opened.profiles.names()])
    if name not in known:
        more = " `stslab run` makes sts and assumed." if name in ("sts", "assumed") else ""
        raise UsageError(f"There is no profile {name!r}.", f"There are {', '.join(known)}.{more}")
    changes = environment.variables(opened.profiles, opened.target.info.region)
    return {**changes, "AWS_PROFILE": name}


def _lend(place: Home, opened: "Open", wanted: str) -> None:
    """Write a profile for each further user that has a key."""
    from stslab.runner.ports import Credentials
    from stslab.sandbox.server import client

    for name, (verb, account) in LENT.items():
        try:
            key = client.control(place.sandbox, "POST", verb, {"account": account})
        except SandboxError:
            opened.profiles.remove(name)
            if name == wanted:
                raise
            continue
        credentials = Credentials(key["access_key_id"], key["secret_access_key"])
        opened.profiles.save(name, credentials)


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in (_ADMIN, "sts", "assumed", *LENT) if name.startswith(incomplete)]
