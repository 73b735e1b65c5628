"""Options that several commands share, and their shell completion."""

import re
import shlex
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial, wraps
from pathlib import Path
from typing import NamedTuple

import click

from stslab.errors import StslabError, UsageError
from stslab.home import home
from stslab.resources import labs_by_id, text_of

Command = Callable[..., object]
SANDBOX = "sandbox"
USUAL_LAB = "assume-role"
_WHERE = (
    click.option("--target", envvar="STSLAB_TARGET", default=SANDBOX, show_default=True,
                 metavar="sandbox|aws|URL", help="The account to work on.",
                 shell_complete=lambda _ctx, _param, begun: [
                     each for each in (SANDBOX, "aws") if each.startswith(begun)]),
    click.option("--profile", envvar="STSLAB_PROFILE", default="",
                 help="Your own AWS profile, for a real account."),
    click.option("--partner-profile", "partner", envvar="STSLAB_PARTNER_PROFILE", default="",
                 help="Your AWS profile for a second real account, which some labs need."),
    click.option("--region", envvar="STSLAB_REGION", default="",
                 help="AWS region, for a real account."),
)  # fmt: skip
_CONSENT = (
    click.option("-y", "--yes", is_flag=True, help="Ask nothing."),
    click.option("--account", envvar="STSLAB_ACCOUNT", default="", metavar="ID",
                 help="The id of the real account; --yes needs it."),
    click.option("--partner-account", envvar="STSLAB_PARTNER_ACCOUNT", default="", metavar="ID",
                 help="The same for the second real account."),
)  # fmt: skip
_GUARD = (
    click.option("--force", is_flag=True, help="Continue although permissions seem to be missing."),
    click.option("--allow-service", "services", multiple=True, metavar="NAME",
                 help="Let the lab use this service, besides IAM, STS, S3 and CloudFormation."),
)  # fmt: skip


class Where(NamedTuple):
    """The selected account: the target, and for a real one the learner's settings."""

    target: str = SANDBOX
    profile: str = ""
    partner: str = ""
    region: str = ""
    account: str = ""
    partner_account: str = ""
    yes: bool = False
    force: bool = False
    services: tuple[str, ...] = ()

    @property
    def flags(self) -> str:
        """The flags that select the same account in another command."""
        given = {"--target": self.target, "--profile": self.profile}
        given["--partner-profile"] = self.partner
        return " ".join(f"{flag} {shlex.quote(value)}" for flag, value in given.items() if value)

    def at(self, region: str) -> "Where":
        """A copy with this region, unless a flag names one."""
        return self if self.region or not region else self._replace(region=region)


def on_account(*, consent: bool = False, guard: bool = False) -> Callable[[Command], Command]:
    """Add the options that select the account, agree in advance, and guide the guard."""
    options = (*(_CONSENT if consent else ()), *(_GUARD if guard else ()), *_WHERE)

    def decorated(command: Command) -> Command:
        @wraps(command)
        def gathered(**given: object) -> object:
            names = given.keys() & Where._fields
            where = Where(**{name: given.pop(name) for name in names})  # type: ignore[arg-type]
            return command(**given, where=where)

        for option in reversed(options):
            gathered = option(gathered)
        return gathered

    return decorated


def values(option: str, form: str, given: Iterable[str]) -> dict[str, list[str]]:
    """Parse ``NAME=VALUE`` texts into the values of each name. ``form`` is for the error."""
    values: dict[str, list[str]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise UsageError(f"{option} {each!r} does not have the form {form}.")
        values.setdefault(name, []).append(value)
    return values


def json_option(
    help: str = "Events as JSON lines on stdout; messages for people go to stderr.",  # noqa: A002
) -> Callable[[Command], Command]:
    return click.option("--json", "as_json", is_flag=True, help=help)


# -- the ids of labs, stages, faults and runs, for a shell that completes them -------------------
# Their parts are found with patterns too: it must be instant, and a miss does no harm.

_ID = re.compile(r"^\s+-\s+id:\s*['\"]?([a-z][a-z0-9-]*)", re.MULTILINE)


def complete_lab(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The matching labs; for `stslab run` also `next`."""
    names = [*labs_by_id(), *(["next"] if ctx.command.name == "run" else [])]
    return [name for name in names if name.startswith(incomplete)]


def _ids(part: str, ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    # Behind an option without its value, arguments are not parsed.
    lab = str(ctx.params.get("lab") or next(iter(ctx.args), USUAL_LAB))
    text = text_of(labs_by_id().get(lab, Path(lab)))
    found = re.search(rf"^{part}:.*?(?=^[a-z]|\Z)", text, re.MULTILINE | re.DOTALL)
    ids: list[str] = _ID.findall(found[0]) if found else []
    return [each for each in ids if each.startswith(begun)]


complete_stage, complete_fault = partial(_ids, "stages"), partial(_ids, "faults")


def complete_run(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from stslab.runner.journal.store import Journal

    with suppress(StslabError), Journal.of(home()) as journal:
        return [run.id for run in journal.runs() if run.id.startswith(incomplete)]
    return []
