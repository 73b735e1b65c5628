"""Where a command can be ended: before and after each API call and each write of its state.

Installed in a process that runs a command: everything is real but for a count, and a signal
that the process sends to itself when the count is reached.
"""

import os
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any


class Points:
    """Counts moments, writes each down in ``story``, and sends ``number`` at the ``at``-th."""

    def __init__(self, story: Path, at: int, number: int) -> None:
        self._story = os.open(story, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._at = at
        self._number = number
        self._count = 0
        self._stage = "outside"

    def moment(self, what: str) -> None:
        self._count += 1
        os.write(self._story, f"{self._stage}\t{what}\n".encode())
        if self._count == self._at:
            os.kill(os.getpid(), self._number)

    def around(self, owner: type, name: str, say: Callable[..., str]) -> None:
        """Let each call of a method be two moments."""
        method = getattr(owner, name)

        @wraps(method)
        def counted(*args: Any, **kwargs: Any) -> Any:
            said = say(*args, **kwargs)
            self.moment(f"before\t{said}")
            result = method(*args, **kwargs)
            self.moment(f"after\t{said}")
            return result

        setattr(owner, name, counted)

    def follow_stages(self, runner: type) -> None:
        """Know in which stage each moment is."""
        method = vars(runner)["run_stage"]

        @wraps(method)
        def followed(this: Any, stage_id: str) -> Any:
            self._stage = stage_id
            try:
                return method(this, stage_id)
            finally:
                self._stage = "outside"

        setattr(runner, "run_stage", followed)  # noqa: B010 - a method that mypy knows


def hasten(times: int) -> None:
    """Let the runner's own time pass so many times as fast: what it waits a minute for, too."""
    from stslab.runner.ports import Clock

    setattr(Clock, "monotonic", lambda _: time.monotonic() * times)  # noqa: B010
    setattr(Clock, "sleep", lambda _, seconds: time.sleep(seconds / times))  # noqa: B010


def install(story: Path, at: int, number: int) -> None:
    """Count in this process from now on."""
    from stslab.aws.account import Boto3Account
    from stslab.aws.profiles import ProfileFiles
    from stslab.runner.journal.store import Journal
    from stslab.runner.run.run import Runner

    points = Points(story, at, number)
    points.follow_stages(Runner)
    for name in ("call", "probe"):
        points.around(Boto3Account, name, lambda _, call: f"call\t{call.name}")
    points.around(Journal, "write", lambda _, __, *bodies: f"journal\t{type(bodies[0]).__name__}")
    for name in ("save", "remove"):
        points.around(ProfileFiles, name, lambda *_, said=name: f"profiles\t{said}")
