"""A run is pinned to the account that it began on: nothing is called on another one."""

from enum import StrEnum

from stslab.errors import CredentialsError
from stslab.runner.journal.records import RunRecord
from stslab.runner.ports import TargetInfo


class Pin(StrEnum):
    """How a target stands to a run."""

    SAME = "same"
    """It is the account that the run began on."""
    GONE = "gone"
    """It is a newer embedded account: the run's own is gone, and all in it."""


def pinned(run: RunRecord, target: TargetInfo) -> Pin:
    """Compare the target with what the run remembers."""
    there = run.kind == target.kind == "sandbox" and run.target == target.name
    if there and run.instance != target.instance:
        return Pin.GONE
    if (run.target, run.account) != (target.name, target.account):
        raise CredentialsError(
            f"The run {run.id} began on account {run.account} ({run.target}); the credentials"
            f" are now for account {target.account} ({target.name}). Nothing was called.",
            "Use the credentials (--profile) and the --target (for the embedded account,"
            " STSLAB_SANDBOX) that the run began with.",
        )
    _require_same_place(run, target)
    for name, account in run.accounts.items():
        if target.accounts.get(name) != account:
            raise CredentialsError(
                f"The run {run.id} began with {account} as its second account, and that is now"
                f" {target.accounts.get(name, 'none')}. Nothing was called.",
                f"Name your AWS profile for account {account}: --partner-profile NAME.",
            )
    return Pin.SAME


def _require_same_place(run: RunRecord, target: TargetInfo) -> None:
    """Elsewhere a stack would seem to be gone that is not."""
    if run.region != target.region:
        raise CredentialsError(
            f"The run {run.id} began in the region {run.region}, and this is {target.region}."
            " Nothing was called.",
            f"Name the region that it began in: --region {run.region}",
        )
    if run.kind != "sandbox" and run.instance != target.instance:
        began, now = run.instance or "AWS itself", target.instance or "AWS itself"
        raise CredentialsError(
            f"The run {run.id} began at {began}, and calls now go to {now}. Nothing was called.",
            "Set AWS_ENDPOINT_URL as it was when the run began.",
        )
