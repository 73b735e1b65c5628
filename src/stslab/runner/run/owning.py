"""Asks whether a call is the run's own; a stack may have made its thing since it was looked at."""

from collections.abc import Mapping
from typing import Any

from stslab.errors import NotOwn
from stslab.runner.calls.work import Work
from stslab.runner.undo.stacks import Stacks


def require_own(
    work: Work, identity: str, service: str, operation: str, params: Mapping[str, Any]
) -> None:
    """Let the call pass.

    Raises:
        NotOwn: it would change what is not the run's own.
    """
    try:
        work.own.require(identity, service, operation, params)
    except NotOwn:
        if not Stacks(work).look_again():
            raise
        work.own.require(identity, service, operation, params)
