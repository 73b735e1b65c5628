"""The doctor's checks of a real account: the network, the clock, the credentials, the account."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from stslab.cli.options import Where
from stslab.errors import StslabError
from stslab.render.checkup import GOOD, NOTE, WARNING, WRONG, Checked

# AWS refuses what was signed more than five minutes ago, or is to be (IAM User Guide,
# "Troubleshoot AWS signed requests").
_TOLERATED = 300.0
_NOTICED = 60.0
_SOON = 900.0


def account_checks(where: Where, endpoint: str) -> Iterator[Checked]:
    """What there is between this machine and an account, from the outside in."""
    from stslab.aws.guard import Source

    source = Source(where.profile, where.region, endpoint)
    from stslab.aws.reach import reach

    reached = reach(source.clients)
    yield _network(reached)
    yield _clock(reached)
    yield from _credentials(source)


def _network(reached: Any) -> Checked:
    if reached.answered:
        return Checked("network", GOOD, f"{reached.url} answers")
    fix = "Look at the network, the proxy (HTTPS_PROXY), the region and AWS_ENDPOINT_URL."
    return Checked("network", WRONG, f"{reached.url} does not answer: {reached.problem}", fix)


def _clock(reached: Any) -> Checked:
    if reached.date is None:
        return Checked("clock", NOTE, "not compared with AWS's: there was no answer (offline?)")
    off = (datetime.now(UTC) - reached.date).total_seconds()
    says = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} AWS's"
    if abs(off) <= _NOTICED:
        return Checked("clock", GOOD, says)
    state = WARNING if abs(off) <= _TOLERATED else WRONG
    return Checked("clock", state, says, "Set it: AWS refuses what is signed five minutes off.")


def _credentials(source: Any) -> Iterator[Checked]:
    from stslab.aws.guard import identify, require

    try:
        yield _found(source)
        identity = identify(source)
        yield Checked("you are", GOOD, f"{identity.arn} in account {identity.account}")
        require(identity, root_may=source.clients.local)
    except StslabError as error:
        yield Checked("credentials", WRONG, error.message, error.hint, error.exit_code)
        return
    yield _alias(source)


def _found(source: Any) -> Checked:
    """Which credentials botocore's chain finds, and how long they last."""
    from stslab.aws.reach import credentials_found

    told = credentials_found(source.clients)
    if told.expires is None:
        return Checked("credentials", GOOD, f"from {told.method}; they do not end by themselves")
    left = (told.expires - datetime.now(UTC)).total_seconds()
    says = f"from {told.method}; until {told.expires:%Y-%m-%d %H:%M} UTC"
    if left > _SOON:
        return Checked("credentials", GOOD, says)
    return Checked("credentials", WARNING, says, "Sign in again soon: a run that stops goes on.")


def _alias(source: Any) -> Checked:
    from stslab.aws.survey import alias, says_production

    found = alias(source.clients)
    if found is None:
        return Checked("account alias", NOTE, "not known: you may not ask")
    if says_production(found):
        fix = "Use an account that is meant for learning."
        return Checked("account alias", WARNING, f"{found}: that says production", fix)
    return Checked("account alias", GOOD, found or "none")
