"""The doctor's checks of a real account: the network, the clock, the credentials, the account."""

from collections.abc import Iterator
from datetime import UTC, datetime

from stslab.aws.guard import Source, identify, require
from stslab.aws.reach import Reach, credentials_found, reach
from stslab.aws.survey import alias, says_production
from stslab.cli.options import Where
from stslab.render.checkup import NOTE, WARNING, WRONG, Checked, checked

# AWS refuses what was signed more than five minutes ago, or is to be (IAM User Guide,
# "Troubleshoot AWS signed requests").
_TOLERATED = 300.0
_NOTICED = 60.0
_SOON = 900.0


def account_checks(where: Where, endpoint: str) -> Iterator[Checked]:
    """What there is between this machine and an account, from the outside in.

    Raises:
        CredentialsError: they are missing, or the guard refuses them.
    """
    source = Source(where.profile, where.region, endpoint)
    reached = reach(source.clients)
    yield _network(reached)
    yield _clock(reached)
    yield _found(source)
    identity = identify(source)
    yield checked("you are", f"{identity.arn} in account {identity.account}")
    require(identity, root_may=source.clients.local)
    yield _alias(source)


def _network(reached: Reach) -> Checked:
    if reached.answered:
        return checked("network", f"{reached.url} answers")
    fix = "Check the network, the proxy (HTTPS_PROXY), the region and AWS_ENDPOINT_URL."
    return checked("network", f"{reached.url} does not answer: {reached.problem}", fix)


def _clock(reached: Reach) -> Checked:
    if reached.date is None:
        return Checked("clock", NOTE, "not compared with AWS's: there was no answer (offline?)")
    off = (datetime.now(UTC) - reached.date).total_seconds()
    says = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} AWS's"
    fix = "Set it: AWS refuses what is signed five minutes off." if abs(off) > _NOTICED else ""
    return checked("clock", says, fix, WARNING if abs(off) <= _TOLERATED else WRONG)


def _found(source: Source) -> Checked:
    """Which credentials botocore's chain finds, and how long they last."""
    told = credentials_found(source.clients)
    if told.expires is None:
        return checked("credentials", f"from {told.method}; they do not expire")
    left = (told.expires - datetime.now(UTC)).total_seconds()
    says = f"from {told.method}; until {told.expires:%Y-%m-%d %H:%M} UTC"
    fix = "" if left > _SOON else "Sign in again soon. A run that stops can go on."
    return checked("credentials", says, fix, WARNING)


def _alias(source: Source) -> Checked:
    found = alias(source.clients)
    if found is None:
        return Checked("account alias", NOTE, "not known: you may not ask")
    if says_production(found):
        fix = "Use an account that is meant for learning."
        return checked("account alias", f"{found}: that says production", fix, WARNING)
    return checked("account alias", found or "none")
