"""What a run needs of the world outside: an account to call, a place for profiles.

``stslab.aws`` provides both; tests provide their own. An AWS error is a value here,
not an exception: a lab may expect it.
"""

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, Self

import msgspec
from msgspec.structs import replace

Data = Mapping[str, Any]
"""Parameters of a call, or an answer: with the values that boto3 takes and gives."""
ADMIN = "admin"
"""The identity that looks things up, and that undoes where the step's own can't."""


class Call(msgspec.Struct, frozen=True):
    """A call: who makes it, and with what. ``operation`` is the API's own name.

    ``lets_in`` is another account that it may let in, on the embedded account: a derived fault's.
    """

    identity: str
    service: str
    operation: str
    params: Data
    lets_in: str = ""

    @property
    def name(self) -> str:
        return f"{self.service}.{self.operation}"


class Answer(msgspec.Struct, frozen=True):
    """The call succeeded. ``data`` is the output as boto3 returns it, less ResponseMetadata.

    It may hold credentials: they go to a profile, and are redacted from all else.
    """

    data: Data
    request_id: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """AWS answered with an error. ``transient``: AWS says to try again (throttling, 5xx)."""

    code: str
    message: str
    status: int = 0
    request_id: str = ""
    transient: bool = False
    data: ClassVar[Data] = MappingProxyType({})

    @property
    def said(self) -> str:
        return f"{self.code}: {self.message}"


class Lost(msgspec.Struct, frozen=True):
    """No answer was seen (timeout, reset connection): the call has perhaps taken effect."""

    reason: str
    data: ClassVar[Data] = MappingProxyType({})

    @property
    def said(self) -> str:
        return self.reason


Outcome = Answer | Refusal | Lost


class Reason(msgspec.Struct, frozen=True):
    """Why a call was refused: the gates that refused, and the condition keys that decided.

    ``whole``: no other gate refused. Where it is not known, ``gates`` is what AWS named.
    """

    gates: tuple[str, ...]
    keys: tuple[str, ...] = ()
    whole: bool = True


Tell = Callable[[Refusal], Reason | None]
"""Tells why a call was refused; None where that is not told."""


class TargetInfo(msgspec.Struct, frozen=True):
    """Where calls go.

    ``kind`` is sandbox, aws or endpoint. ``instance`` tells one embedded account from the
    next; elsewhere it is the URL that stands for AWS itself, or empty. ``caller`` is the ARN
    of who ``admin`` is, or empty. ``eventually_consistent``: IAM's changes take time to
    spread. ``pace`` is the pause between tries, in seconds. ``admin`` administers the account;
    ``accounts`` are the further ones, by the identities that administer them.
    """

    name: str
    kind: str
    account: str
    region: str
    partition: str = "aws"
    instance: str = ""
    caller: str = ""
    eventually_consistent: bool = False
    pace: float = 1.0
    admin: str = ADMIN
    accounts: Mapping[str, str] = msgspec.field(default_factory=dict)

    def of(self, account: str) -> Self:
        """The same in another of the accounts, or as it is for one that is not known."""
        for admin, known in self.accounts.items():
            if known == account:
                return replace(self, account=account, admin=admin)
        return self

    @property
    def embedded(self) -> bool:
        return self.kind == "sandbox"


class WaiterProbe(msgspec.Struct, frozen=True):
    """One look at what a botocore waiter waits for. ``state``: success, retry or failure."""

    state: str
    outcome: Outcome


class WaiterPace(msgspec.Struct, frozen=True):
    """How a botocore waiter polls: pause in seconds between tries, and tries at most."""

    delay: float
    max_attempts: int


class Account(Protocol):
    """One AWS account at one target, called by named identities."""

    @property
    def target(self) -> TargetInfo:
        """Where calls go."""

    def call(self, identity: str, service: str, operation: str, params: Data) -> Outcome:
        """Make one call, by the API's own names. Raises CredentialsError for the identity."""

    def waiter_pace(self, service: str, waiter: str) -> WaiterPace:
        """How the waiter of this name polls."""

    def probe(self, identity: str, service: str, waiter: str, params: Data) -> WaiterProbe:
        """Look once at what the waiter waits for."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What signs a call. Only the access key id and the expiration may be shown.

    ``expiration`` is ISO 8601 in UTC, empty for a long-term key.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    expiration: str = ""

    def spoilt(self, part: str | None) -> Self:
        """The same, but for this part (AWS's name): the token is left out, the secret another."""
        if part == "SessionToken":
            return dataclasses.replace(self, session_token="")
        if part == "SecretAccessKey":
            return dataclasses.replace(self, secret_access_key=self.secret_access_key[::-1])
        return self

    @classmethod
    def found_in(cls, answer: object) -> Self | None:
        """The credentials in an answer's structure, or None where its secret is not there."""
        if not isinstance(answer, Mapping) or not answer.get("SecretAccessKey"):
            return None
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        return cls(*(str(answer.get(name, "")) for name in names))

    def have_expired(self, now: datetime) -> bool:
        """Whether they are of no use any more."""
        try:
            return bool(self.expiration) and datetime.fromisoformat(self.expiration) <= now
        except (ValueError, TypeError):
            return True


class Profiles(Protocol):
    """stslab's own AWS profiles for one target: never the user's ``~/.aws``."""

    def save(self, name: str, credentials: Credentials) -> None:
        """Write the profile, at once and whole, in files that only their owner reads."""

    def get(self, name: str) -> Credentials | None:
        """The profile's credentials, or None where there is no such profile."""

    def remove(self, name: str) -> bool:
        """Take the profile out of the files; False where it was not in them."""

    def names(self) -> tuple[str, ...]:
        """The names of all profiles."""

    def settings(self, name: str) -> Mapping[str, str]:
        """How a profile gets its credentials, as ``~/.aws/config`` has it; else nothing."""

    def configured(self) -> tuple[str, ...]:
        """The names of the profiles that say how they get their credentials."""

    def configure(self, name: str, settings: Mapping[str, str]) -> None:
        """Say how a profile gets its credentials; nothing: it is there no more."""

    @property
    def token_file(self) -> Path:
        """The file of the token."""

    def token(self) -> str:
        """The OpenID Connect token beside them, or nothing."""

    def save_token(self, token: str) -> None:
        """Write the token, which only its owner reads; nothing: take it away."""


class Given(msgspec.Struct, frozen=True):
    """A session that was asked for by hand: with the key ``by``, and with a code or none."""

    by: str
    expires: str
    seconds: int
    mfa: bool


class HandWork(msgspec.Struct, frozen=True):
    """What the learner changed by hand in a run, beside what the run's journal undoes.

    ``restored`` is (or would be) as before the run again. ``kept`` was changed since by somebody
    else, and stays. ``made`` is all that was made by hand. Each is what people call the thing.
    ``sessions`` go by their access key ids.
    """

    restored: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    sessions: Mapping[str, Given] = msgspec.field(default_factory=dict)


class Hand:
    """What knows, of an account, what learners did in it by hand.

    This one is of an account that does not tell: what is done there is left to who did it.
    """

    def look(self, run: str, own: Collection[str] = ()) -> HandWork:  # noqa: ARG002
        """What there is to undo. ``own`` names what the run's journal undoes."""
        return HandWork()

    def restore(self, run: str, own: Collection[str]) -> HandWork:
        """Undo it."""
        return self.look(run, own)

    def end(self, run: str) -> None:
        """Nothing more will be done by hand in this run."""


class Clock:
    """Tells the time and lets it pass: by the machine's own clock."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def now(self) -> datetime:
        """The time of day, in UTC and aware of it."""
        return datetime.now(UTC)
