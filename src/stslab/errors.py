"""The errors that stslab raises, each with its exit code.

The message says what is wrong, with the place; the hint says what to do. Outer frames may add
context with :meth:`BaseException.add_note`. Only ``stslab.cli`` formats errors and exits.
"""

from collections.abc import Sequence
from typing import ClassVar


class StslabError(Exception):
    """Base class: stops a command, with a message for people and a hint about the fix.

    ``message`` and ``hint`` never contain a secret key or a session token.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(StslabError):
    """A flag, an argument or an environment variable is not valid."""

    exit_code = 2


class LabError(StslabError):
    """A lab, or something that it refers to, can't be used."""

    exit_code = 2


class InvalidLab(LabError):
    """A lab file with ``problems``, in order: ``stslab.lab.reading.problems.Problem``."""

    def __init__(self, message: str, problems: Sequence[object] = (), hint: str = "") -> None:
        super().__init__(message, hint)
        self.problems = tuple(problems)


class UnresolvedReference(LabError):
    """An expression uses a name that the run does not know (yet)."""


class NotOwn(LabError):
    """A call was not sent, since it would change what is not the run's own."""


class RunError(StslabError):
    """A run can't go on, since a call failed that must succeed."""


class CheckFailed(StslabError):
    """A checkpoint did not hold."""

    exit_code = 3


class JournalError(StslabError):
    """The journal can't be read or written, is damaged, or is in use by another process."""


class StateFolderError(StslabError):
    """The state folder can't be created, read or written."""


class UndoIncomplete(StslabError):
    """Things are left over."""

    exit_code = 5


class PolicyError(StslabError):
    """A policy document or a request for a decision is not valid."""

    exit_code = 2


class MalformedPolicy(PolicyError):
    """A policy document that IAM would refuse with ``MalformedPolicyDocument``."""


class SandboxError(StslabError):
    """The embedded account can't be started, reached or restored."""


class CredentialsError(StslabError):
    """Credentials are missing, expired, or refused by the guard."""

    exit_code = 4
