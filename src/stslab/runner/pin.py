"""A run is pinned to the account that it began on: nothing is called on another one."""

from enum import StrEnum

from stslab.errors import CredentialsError
from stslab.runner.ports import TargetInfo
from stslab.runner.records import RunRecord


class Pin(StrEnum):
    """How a target stands to a run."""

    SAME = "same"
    """It is the account that the run began on."""
    GONE = "gone"
    """It is a newer embedded account: the run's own is gone, and all in it."""


def pinned(run: RunRecord, target: TargetInfo) -> Pin:
    """Compare the target with what the run remembers.

    Raises:
        CredentialsError: it is another account, which the run must not touch.
    """
    if run.kind == target.kind == "sandbox" and run.instance != target.instance:
        return Pin.GONE
    if (run.target, run.account) != (target.name, target.account):
        raise CredentialsError(
            f"The run {run.id} began on account {run.account} ({run.target}); the credentials"
            f" are now for account {target.account} ({target.name}). Nothing was called.",
            "Use the credentials (--profile) and the --target that the run began with.",
        )
    return Pin.SAME
