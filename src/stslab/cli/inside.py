"""An embedded account inside this process: a lab is played there many times, in little time.

Nothing but the network and the files are left out: calls are signed, decided and answered as ever.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from urllib3 import HTTPResponse

from stslab.aws.account import Boto3Account
from stslab.aws.clients import Clients
from stslab.aws.target import Target
from stslab.cli.accounts import credentials
from stslab.lab.model import Lab
from stslab.lesson import verdict
from stslab.lesson.faults import Faults
from stslab.lesson.ports import Verdict
from stslab.policy import Decision
from stslab.policy.decision import refusal
from stslab.runner.events import Event
from stslab.runner.journal.records import Fault, How
from stslab.runner.journal.store import IN_MEMORY, Journal
from stslab.runner.ports import ADMIN, Clock, Credentials, Hand, Reason, Refusal, TargetInfo
from stslab.runner.run.run import Runner
from stslab.sandbox.api.identifiers import LEARNER, PARTNER, REGION
from stslab.sandbox.api.model import ApiFault, HttpRequest
from stslab.sandbox.pipeline import accounts
from stslab.sandbox.pipeline.decisions import DecisionLog, Seen
from stslab.sandbox.rehearsal.rehearsal import Rehearsal
from stslab.sandbox.server import verbs
from stslab.sandbox.server.control import ControlRequest
from stslab.sandbox.server.embedded import Inside, assemble
from stslab.sandbox.state.snapshot import Snapshot
from stslab.sandbox.state.state import State

_URL = "http://127.0.0.1:4566"
_PACE = 0.002
TARGET: Final = TargetInfo(
    "inside", "sandbox", LEARNER, REGION, pace=_PACE, accounts={"partner": PARTNER}
)


class InsideAccount(Boto3Account):
    """The account, and the profiles of a run in it. ``begin`` makes both anew."""

    inside: Inside
    rehearsal: Rehearsal | None = None
    marked: Snapshot | None = None

    def __init__(self) -> None:
        self.files = MemoryProfiles()
        super().__init__(Target(TARGET, control=self.control), self.files)
        self._clients = _Shared(self._answer)
        self._log = _Reasons()
        self._verbs = verbs.of(self)
        self.begin()

    def begin(self, *, keeps: str = "") -> None:
        """Have a new account. The profile that is named ``keeps`` can't be removed."""
        state = State(Snapshot.of(accounts.new()))
        self.inside = assemble(state, self._log, step_seconds=0.0)
        self._log.reasons.clear()
        self._assumed.forget()
        self.files.begin(credentials(self.control("POST", "admin-key")), keeps)
        self.control("POST", "mark")

    def lend(self, lab: Lab) -> None:
        for name in lab.accounts:
            key = self.control("POST", "admin-key", {"account": PARTNER})
            self.files.save(name, credentials(key))

    @contextmanager
    def running(
        self, lab: Lab, hear: Callable[[Event], None], hand: Hand | None = None
    ) -> Iterator[Runner]:
        """A run of the lab that has begun, in memory."""
        self.lend(lab)
        with Journal(IN_MEMORY) as journal:
            runner = Runner(
                lab,
                self,
                self.files,
                journal,
                hear,
                QuickClock(),
                describe=lambda _: "",
                how=How.ALONE,
                tell=self.tell,
                hand=hand,
            )
            runner.start_or_resume()
            try:
                yield runner
            finally:
                self.inside.cloudformation.engine.stop()

    def back_to(self, snapshot: Snapshot, profiles: Mapping[str, Credentials]) -> None:
        self.files.held = profiles
        state = self.inside.state
        with state.transaction() as tx:
            for one in state.snapshot.differences(snapshot):
                if one.after:
                    tx.put(one.after)
                elif one.before:
                    tx.delete(one.before)

    def control(
        self, method: str, verb: str, body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """Ask something of the account itself; see :mod:`stslab.sandbox.server.verbs`."""
        name, _, query = verb.partition("?")
        asked = ControlRequest(method, dict(parse_qsl(query)), body or {})
        return dict(self._verbs[name](asked))

    def rehearse(self, text: str | None) -> None:
        """Nothing is rehearsed here."""

    def tell(self, refused: Refusal) -> Reason | None:
        return self._log.reasons.get(refused.request_id, Reason(()))

    def decide(
        self, identity: str, service: str, operation: str, params: Mapping[str, object]
    ) -> Verdict:
        would = partial(self.control, "POST", "would")
        return verdict.decided(would, self.credentials_now(identity), service, operation, params)

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        answer = self.inside.pipeline.handle(_http(request))
        raw = HTTPResponse(io.BytesIO(answer.body), preload_content=False)
        headers = dict(answer.headers)
        return AWSResponse(request.url, answer.status, headers, raw)


def served() -> frozenset[str]:
    """The calls that the embedded account has: ``iam.CreateUser``."""
    services = assemble(State(Snapshot.of(accounts.new()))).services
    return frozenset(
        f"{name}.{operation}"
        for name, service in services.items()
        for operation in (*service.reads, *service.writes)
    )


def proofs(lab: Lab) -> Iterator[tuple[Fault, Fault | str]]:
    """Each fault of the lab, declared or derived, and the same once it is proved, or why it is not.

    Raises:
        RunError, CheckFailed: the lab itself can't be played.
    """
    account = InsideAccount()
    with account.running(lab, lambda _: None) as runner:
        faults = Faults(lab, runner, account, account.files, account.decide, account.control)
        for stage in (one for one in lab.stages if not one.cleanup):
            runner.run_stage(stage.id)
            for fault in tuple(faults.there(stage.id, PARTNER)):
                as_it_was = account.inside.state.snapshot, account.files.held
                yield fault, faults.proved(fault)
                account.back_to(*as_it_was)


class MemoryProfiles:
    """Profiles that no file holds."""

    def begin(self, admin: Credentials, keeps: str) -> None:
        """Have none but ``admin``; never remove ``keeps``."""
        self.held: Mapping[str, Credentials] = {ADMIN: admin}
        self._keeps = keeps
        self._token = ""
        self._configured: dict[str, Mapping[str, str]] = {}

    def settings(self, name: str) -> Mapping[str, str]:
        return self._configured.get(name, {})

    def configured(self) -> tuple[str, ...]:
        return tuple(self._configured)

    def configure(self, name: str, settings: Mapping[str, str]) -> None:
        self._configured = {**self._configured, name: settings}
        if not settings and name != self._keeps:
            del self._configured[name]

    @property
    def token_file(self) -> Path:
        return Path("token")

    def token(self) -> str:
        return self._token

    def save_token(self, token: str) -> None:
        self._token = token

    def save(self, name: str, credentials: Credentials) -> None:
        self.held = {**self.held, name: credentials}

    def get(self, name: str) -> Credentials | None:
        return self.held.get(name)

    def remove(self, name: str) -> bool:
        if name == self._keeps or name not in self.held:
            return False
        self.held = {other: one for other, one in self.held.items() if other != name}
        return True

    def names(self) -> tuple[str, ...]:
        return tuple(self.held)


class QuickClock(Clock):
    """Time that passes at once: to wait is to move the clock on."""

    def __init__(self) -> None:
        self._passed = 0.0

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        self._passed += seconds

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._passed)


class _Shared(Clients):
    """One client a service, which signs as whoever calls; to make one takes long."""

    def __init__(self, answer: Callable[..., AWSResponse]) -> None:
        super().__init__(REGION, _URL)
        self._answer = answer
        self._session(own=False).set_credentials("none", "none")

    def with_keys(self, service: str, credentials: Credentials, *, patient: bool) -> Any:
        signs = self._session(own=False).get_credentials()
        signs.access_key = credentials.access_key_id
        signs.secret_key = credentials.secret_access_key
        signs.token = credentials.session_token or None
        return self._kept(service, None, patient=patient)

    def make(self, service: str, **how: Any) -> Any:
        client = super().make(service, **how)
        client.meta.events.register("before-send", self._answer)
        return client


class _Reasons(DecisionLog):
    """Remembers why requests were refused, by their ids."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[str, Reason] = {}

    def record(
        self,
        now: datetime,  # noqa: ARG002 - the log's own signature
        seen: Seen,
        decisions: Sequence[Decision],
        fault: ApiFault | None,  # noqa: ARG002
    ) -> None:
        refusals = [refusal(one) for one in decisions if not one.allowed]
        gates = dict.fromkeys(gate for one in refusals for gate in one.gates)
        keys = dict.fromkeys(key for one in refusals for key in one.keys)
        self.reasons[seen.request_id] = Reason(tuple(gates), tuple(keys))


def _http(request: AWSPreparedRequest) -> HttpRequest:
    parts = urlsplit(request.url)
    body = request.body or b""
    content = body.read() if hasattr(body, "read") else body
    headers = {
        name: value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    headers.setdefault("Host", parts.netloc)
    return HttpRequest(
        request.method,
        parts.path or "/",
        tuple(parse_qsl(parts.query, keep_blank_values=True)),
        parts.query,
        tuple(headers.items()),
        content if isinstance(content, bytes) else str(content).encode(),
    )
