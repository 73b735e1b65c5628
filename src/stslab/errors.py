"""The errors that stslab raises, each with the exit code that the command line answers.

An error says what is wrong, and its hint says what to do. It carries its place
(a file and line, a stage, a step, an operation); outer frames may add to it with
:meth:`BaseException.add_note`. Only ``stslab.cli`` formats errors and exits.
"""

from collections.abc import Sequence
from typing import ClassVar


class StslabError(Exception):
    """Anything that stops a command: a message for people, and what to do about it.

    ``message`` and ``hint`` never hold a secret key or a session token.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(StslabError):
    """Flags, an argument or the environment ask for something that does not exist."""

    exit_code = 2


class LabError(StslabError):
    """A lab, or what it refers to, can't be used."""

    exit_code = 2


class InvalidLab(LabError):
    """``problems`` are all of a lab file, in order: ``stslab.lab.reading.problems.Problem``."""

    def __init__(self, message: str, problems: Sequence[object] = (), hint: str = "") -> None:
        super().__init__(message, hint)
        self.problems = tuple(problems)


class UnresolvedReference(LabError):
    """An expression names something that the run does not know (yet)."""


class NotOwn(LabError):
    """A call would change what is not the run's own. It was not sent."""


class RunError(StslabError):
    """A run can't go on: a call failed that the lab needs to succeed."""


class CheckFailed(StslabError):
    """A checkpoint did not hold."""

    exit_code = 3


class JournalError(StslabError):
    """The run's memory can't be read or written."""


class JournalCorrupt(JournalError):
    """The journal is damaged, or is no journal."""


class JournalOfAnotherVersion(JournalError):
    """The journal has another format than this stslab's."""


class RunInProgress(JournalError):
    """Another process works on this state folder."""


class StateFolderError(StslabError):
    """The state folder can't be made, read or written."""


class UndoIncomplete(StslabError):
    """Something is left over: each ``remaining`` thing, and the command that removes it."""

    exit_code = 5

    def __init__(
        self, message: str, remaining: Sequence[tuple[str, str]] = (), hint: str = ""
    ) -> None:
        super().__init__(message, hint)
        self.remaining = tuple(remaining)


class PolicyError(StslabError):
    """A policy document, or a request for a decision, can't be used."""

    exit_code = 2


class MalformedPolicy(PolicyError):
    """A policy document that IAM would refuse with ``MalformedPolicyDocument``."""


class SandboxError(StslabError):
    """The embedded account can't be started, reached or restored."""


class CredentialsError(StslabError):
    """Credentials are missing, expired, or refused by the guard."""

    exit_code = 4
