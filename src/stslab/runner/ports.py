"""The runner's ports: an account to call, profiles, a clock, and the learner's work by hand.

An AWS error is a value, not an exception: a lab may expect it.
"""

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, Self

import msgspec
from msgspec.structs import replace

from stslab.vocabulary import ADMIN

Data = Mapping[str, Any]  # parameters of a call or an answer, with boto3's types of values


class Call(msgspec.Struct, frozen=True, omit_defaults=True):
    identity: str
    service: str
    operation: str  # the API's own name
    params: Data
    lets_in: str = ""  # another account that it may let in, for a derived fault

    @property
    def name(self) -> str:
        return f"{self.service}.{self.operation}"


class Answer(msgspec.Struct, frozen=True):
    """The call succeeded. ``data`` is boto3's output without ResponseMetadata.

    It may hold credentials: they go to a profile, and are redacted everywhere else.
    """

    data: Data
    request_id: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """AWS answered with an error."""

    code: str
    message: str
    status: int = 0
    request_id: str = ""
    transient: bool = False  # a retry may help (throttling, 5xx)
    data: ClassVar[Data] = MappingProxyType({})

    @property
    def text(self) -> str:
        return f"{self.code}: {self.message}"


class Lost(msgspec.Struct, frozen=True):
    """No answer came (timeout, reset connection). The call may have taken effect."""

    text: str
    data: ClassVar[Data] = MappingProxyType({})


Outcome = Answer | Refusal | Lost


Allowing = tuple[tuple[str, str], ...]  # policies, each with its statement that allowed a call


class Reason(msgspec.Struct, frozen=True):
    gates: tuple[str, ...]  # those that refused; if not ``whole``, only those that AWS named
    keys: tuple[str, ...] = ()  # the condition keys that decided
    whole: bool = True  # no other gate refused
    allowing: Allowing = ()  # what allowed it


Tell = Callable[[Answer | Refusal], Reason | None]
"""Returns why a call was refused or allowed, or None if unknown."""


class TargetInfo(msgspec.Struct, frozen=True):
    name: str
    kind: str  # sandbox, aws or endpoint
    account: str
    region: str
    partition: str = "aws"
    instance: str = ""  # changes with each reset; elsewhere the URL that replaces AWS's, if any
    caller: str = ""  # the ARN of ``admin``, if known
    eventually_consistent: bool = False  # IAM's changes take time to spread
    pace: float = 1.0  # seconds between tries
    admin: str = ADMIN  # administers the account
    accounts: Mapping[str, str] = {}  # further accounts, by the identity that administers each
    flags: str = ""  # those that select it in commands

    def of(self, account: str) -> Self:
        """The target for this one of its accounts; unchanged if the account is unknown."""
        for admin, known in self.accounts.items():
            if known == account:
                return replace(self, account=account, admin=admin)
        return self

    @property
    def embedded(self) -> bool:
        return self.kind == "sandbox"


class AwsAccount(Protocol):
    """One AWS account at one target. Each call names the identity that makes it."""

    @property
    def target(self) -> TargetInfo: ...

    def call(self, call: Call) -> Outcome:
        """Make one call; CredentialsError if the identity can't call."""

    def waiter_pace(self, service: str, waiter: str) -> tuple[float, int]:
        """How a botocore waiter polls: the pause in seconds, and the most tries."""

    def probe(self, wait: Call) -> tuple[str, Outcome]:
        """Make a waiter's call once. Return success, retry or failure, and what came.

        The waiter is named in place of the operation.
        """


class Credentials(msgspec.Struct, frozen=True):
    """Only the access key id and the expiration may be shown."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""
    expiration: str = ""  # ISO 8601 in UTC; empty for a long-term key

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("access_key_id", self.access_key_id), ("expiration", self.expiration)]

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({', '.join(shown)})"

    def spoilt(self, part: str | None) -> Self:
        """A copy without its token, or with another secret; ``part`` is AWS's name for it."""
        if part == "SessionToken":
            return replace(self, session_token="")
        if part == "SecretAccessKey":
            return replace(self, secret_access_key=self.secret_access_key[::-1])
        return self

    @classmethod
    def found_in(cls, answer: object) -> Self | None:
        """The credentials in an answer's structure, or None if it holds no secret."""
        if not isinstance(answer, Mapping) or not answer.get("SecretAccessKey"):
            return None
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        return cls(*(str(answer.get(name, "")) for name in names))

    def have_expired(self, now: datetime) -> bool:
        with suppress(ValueError, TypeError):
            return bool(self.expiration) and datetime.fromisoformat(self.expiration) <= now
        return True


class Profiles(Protocol):
    """stslab's own AWS profiles for one target: never the user's ``~/.aws``."""

    def save(self, name: str, credentials: Credentials) -> None:
        """Write the profile atomically, into files that only their owner can read."""

    def get(self, name: str) -> Credentials | None: ...

    def remove(self, name: str) -> None: ...

    def names(self) -> tuple[str, ...]: ...

    @property
    def settings(self) -> Mapping[str, Mapping[str, str]]:
        """By name, how profiles get their credentials, in the keys of ``~/.aws/config``."""

    def configure(self, name: str, settings: Mapping[str, str]) -> None:
        """Write the profile's settings; without settings, remove the profile."""

    @property
    def token_file(self) -> Path: ...

    def token(self) -> str:
        """The OpenID Connect token stored next to the profiles, or ""."""

    def save_token(self, token: str) -> None:
        """Write the token, readable only by its owner; an empty one removes the file."""


class Given(msgspec.Struct, frozen=True):
    """A session that was requested by hand."""

    by: str  # the access key id that requested it
    expires: str
    seconds: int
    mfa: bool
    policies: tuple[str, ...] = ()  # its own session policies: documents, and ARNs

    @property
    def asked(self) -> str:
        """When it was requested (ISO 8601), or "" if that is unknown."""
        ends = datetime.fromisoformat(self.expires) if self.expires else None
        return (ends - timedelta(seconds=self.seconds)).isoformat() if ends else ""


class HandWork(msgspec.Struct, frozen=True):
    """The learner's changes by hand beyond what the run's journal undoes. Things are labels."""

    restored: tuple[str, ...] = ()  # they are (or would be) as before the run
    kept: tuple[str, ...] = ()  # somebody else changed them since: they stay
    made: tuple[str, ...] = ()  # all things made by hand
    sessions: Mapping[str, Given] = {}  # by access key id


class Hand:
    """The learner's changes by hand in an account; here, one that keeps no record of them."""

    def look(self, run: str, own: Collection[str] = ()) -> HandWork:  # noqa: ARG002
        """The changes to undo. ``own`` are names of the things that the run's journal undoes."""
        return HandWork()

    def restore(self, run: str, own: Collection[str]) -> HandWork:
        return self.look(run, own)

    def end(self, run: str) -> None:
        """End the record of changes by hand for this run."""


class Clock:
    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.now(UTC)
