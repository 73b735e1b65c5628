"""Small fakes of the runner's ports: an account, profiles, a clock."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace
from tests.runner.fake_world import ACCOUNT, Refused, World, operation

from stslab.errors import CredentialsError
from stslab.runner.journal.store import Journal
from stslab.runner.ports import (
    Answer,
    Call,
    Clock,
    Credentials,
    Lost,
    Outcome,
    Refusal,
    TargetInfo,
)

REFUSE, LOST_BEFORE, LOST_AFTER, THROTTLE, SERVER_ERROR = (
    "refuse",
    "lost before",
    "lost after",
    "throttle",
    "server error",
)
ADMIN_KEY = "AKIAADMIN00000000000"


class Killed(BaseException):
    """The process ends here, as by SIGKILL. The runner must not catch it."""


@dataclass
class FakeClock(Clock):
    """A clock that only sleeping moves."""

    elapsed: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.elapsed += seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.elapsed)


@dataclass
class FakeProfiles:
    """Profiles in memory, which outlive processes."""

    kept: dict[str, Credentials] = field(
        default_factory=lambda: {"admin": Credentials(ADMIN_KEY, "ADMINSECRET0123456789")}
    )

    kept_token: str = ""
    kept_settings: dict[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def settings(self) -> Mapping[str, Mapping[str, str]]:
        return self.kept_settings

    def configure(self, name: str, settings: Mapping[str, str]) -> None:
        self.kept_settings = {**self.kept_settings, name: settings}
        if not settings:
            del self.kept_settings[name]

    @property
    def token_file(self) -> Path:
        return Path("token")

    def token(self) -> str:
        return self.kept_token

    def save_token(self, token: str) -> None:
        self.kept_token = token

    def save(self, name: str, credentials: Credentials) -> None:
        self.kept[name] = credentials

    def get(self, name: str) -> Credentials | None:
        return self.kept.get(name)

    def remove(self, name: str) -> None:
        self.kept.pop(name, None)

    def names(self) -> tuple[str, ...]:
        return tuple(self.kept)


# What the lab's session may do beyond asking who it is.
_SESSION_MAY = {"s3.PutObject", "s3.GetObject", "s3.ListObjectsV2"}
_WAITERS = {
    "stack_create_complete": {"CREATE_COMPLETE": "success", "ROLLBACK_COMPLETE": "failure"},
    "stack_delete_complete": {"DELETE_FAILED": "failure"},
}


@dataclass
class FakeAccount:
    """The world, called by profiles. ``fault`` is asked before each call; ``kill_at`` counts.

    ``kill_at`` n ends the process before the n-th call takes effect, or, ``after``, right
    after it did.
    """

    world: World
    profiles: FakeProfiles
    consistent: bool = True
    instance: str = "one"
    account_id: str = ACCOUNT
    kind: str = "sandbox"
    fault: Callable[[int, str], str | None] = lambda _number, _call: None
    calls: int = 0
    tick: Callable[[str], None] = lambda _what: None

    @property
    def target(self) -> TargetInfo:
        return TargetInfo(
            name=self.kind,
            kind=self.kind,
            account=self.account_id,
            region="us-east-1",
            instance=self.instance,
            eventually_consistent=not self.consistent,
            pace=0.5,
        )

    def call(self, call: Call) -> Outcome:
        self.calls += 1
        self.tick(f"before {call.name}")
        outcome = self._with_fault(self.fault(self.calls, call.name), call)
        self.tick(f"after {call.name}")
        return outcome

    def _with_fault(self, fault, call: Call) -> Outcome:
        at_once: dict[str, Outcome] = {
            REFUSE: Refusal("AccessDenied", "not authorized", 403),
            LOST_BEFORE: Lost("connection reset"),
            THROTTLE: Refusal("Throttling", "Rate exceeded", 400, transient=True),
            SERVER_ERROR: Refusal("InternalFailure", "try later", 500, transient=True),
        }
        if fault in at_once:
            return at_once[fault]
        outcome = self._really(call)
        return Lost("no answer in time") if fault == LOST_AFTER else outcome

    def _really(self, call: Call) -> Outcome:
        self.world.log.append(f"{call.identity} {call.name} {dict(call.params)}")
        try:
            arn = self._caller(call.identity)
            self._authorize(arn, call.name)
            made = operation(self.world, call.service, call.operation)
            if made is None:
                return Refusal("AccessDenied", f"{call.name} is not known here", 403)
            extra = {"caller": arn} if call.service == "sts" else {}
            return Answer(made(**extra, **call.params), f"request-{self.calls}")
        except Refused as refused:
            return Refusal(refused.code, refused.message, refused.status, f"request-{self.calls}")

    def _caller(self, identity: str) -> str:
        credentials, said = self.profiles.get(identity), self.profiles.settings.get(identity)
        if credentials is None and said:
            self._authorize(self._caller(said["source_profile"]), "sts.AssumeRole")
            role, session = said["role_arn"].rpartition("/")[2], said["role_session_name"]
            return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"
        if credentials is None:
            raise CredentialsError(f"There is no profile {identity}.")
        key = credentials.access_key_id
        if key == ADMIN_KEY:
            return f"arn:aws:iam::{ACCOUNT}:user/admin"
        if key in self.world.keys:
            return f"arn:aws:iam::{ACCOUNT}:user/{self.world.keys[key]}"
        if key in self.world.ended:
            raise Refused("ExpiredToken", "The security token included is expired.", 403)
        role = self.world.sessions.get(key, "").partition("/")[0]
        if role in self.world.roles:
            return f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.world.sessions[key]}"
        raise Refused("InvalidClientTokenId", "The security token included is invalid.", 403)

    def _authorize(self, arn: str, call: str) -> None:
        may = {"sts.GetCallerIdentity", *(_SESSION_MAY if ":assumed-role/" in arn else ())}
        may |= {"sts.AssumeRole"} if ":user/" in arn else set()
        if not arn.endswith("user/admin") and call not in may:
            raise Refused("AccessDenied", f"User: {arn} is not authorized to perform: {call}", 403)

    def waiter_pace(self, _service: str, _waiter: str) -> tuple[float, int]:
        return 5.0, 10

    def probe(self, wait: Call) -> tuple[str, Outcome]:
        waiter = wait.operation
        outcome = self.call(replace(wait, operation="DescribeStacks"))
        if isinstance(outcome, Answer):
            status = outcome.data["Stacks"][0]["StackStatus"]
            return _WAITERS[waiter].get(status, "retry"), outcome
        gone = isinstance(outcome, Refusal) and outcome.code == "ValidationError"
        if gone:
            deleting = waiter == "stack_delete_complete"
            return "success" if deleting else "failure", outcome
        return "retry", outcome


class TickingJournal(Journal):
    """A journal that reports before and after each write."""

    def __init__(self, path, clock, tick) -> None:
        self._tick = tick
        super().__init__(path, clock)

    def write(self, *statements) -> int:
        self._tick("before a write")
        number = super().write(*statements)
        self._tick("after a write")
        return number
