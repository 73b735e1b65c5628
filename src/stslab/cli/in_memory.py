"""An embedded account in memory, in this process, in which a lab is run many times quickly.

It uses no network and no files; calls are signed, decided and answered as always.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from urllib3 import HTTPResponse

from stslab.aws.account import Boto3Account
from stslab.aws.clients import Clients, Signer
from stslab.aws.profiles import ProfileFiles
from stslab.aws.target import Target
from stslab.cli.accounts import Emit, credentials, decider, lend_partner
from stslab.lab.model import Lab
from stslab.lesson.faults import Faults
from stslab.policy.decision import refusal
from stslab.runner.calls.calls import Calls
from stslab.runner.journal.records import How, RunFault
from stslab.runner.journal.store import IN_MEMORY, Journal
from stslab.runner.ports import Answer, Clock, Credentials, Hand, Reason, Refusal, TargetInfo
from stslab.runner.run.run import Runner
from stslab.sandbox.api.model import ApiFault, HttpRequest
from stslab.sandbox.pipeline import accounts
from stslab.sandbox.pipeline.log import DecisionLog, Received
from stslab.sandbox.rehearsal.rehearsal import Rehearsal
from stslab.sandbox.server import verbs
from stslab.sandbox.server.control import ControlRequest
from stslab.sandbox.server.embedded import Inside, assemble
from stslab.sandbox.state.snapshot import Snapshot
from stslab.sandbox.state.state import State
from stslab.vocabulary import ADMIN, LEARNER, PARTNER, REGION

TARGET: Final = TargetInfo(
    "inside", "sandbox", LEARNER, REGION, pace=0.002, accounts={"partner": PARTNER}
)


class InMemoryAccount(Boto3Account):
    """The account, and the profiles of a run in it. ``begin`` replaces both."""

    inside: Inside
    rehearsal: Rehearsal | None = None
    marked: Snapshot | None = None

    def __init__(self) -> None:
        self.files = MemoryProfiles(Path())
        super().__init__(Target(TARGET, control=self.control), self.files)
        self._clients = _Shared(self._answer)
        self._log = _Reasons()
        self._verbs = verbs.of(self)
        self.decide = decider(self.control, self.credentials_now)
        self.begin()

    def begin(self, *, keeps: str = "") -> None:
        """Begin with a new account. The profile ``keeps`` can't be removed."""
        self.inside = assemble(State(Snapshot.of(accounts.new())), self._log, step_seconds=0.0)
        self._log.reasons.clear()
        self._assumed.kept.clear()
        self.files.begin(credentials(self.control("POST", "admin-key")), keeps)
        self.control("POST", "mark")

    @contextmanager
    def running(self, lab: Lab, hear: Emit, hand: Hand | None = None) -> Iterator[Runner]:
        """A runner with a new run of the lab, in memory."""
        if lab.accounts:
            lend_partner(self.control, self.files)
        with Journal(IN_MEMORY) as journal:
            calls = Calls(self, self.files, hear, QuickClock(), hand or Hand())
            runner = Runner(
                lab, calls, journal, describe=lambda _: "", how=How.ALONE, tell=self.tell
            )
            runner.start_or_resume()
            try:
                yield runner
            finally:
                self.inside.engine.stop()

    def back_to(self, snapshot: Snapshot, profiles: Mapping[str, Credentials]) -> None:
        self.files.held = profiles
        state = self.inside.state
        with state.transaction() as tx:
            for difference in state.snapshot.differences(snapshot):
                if difference.after:
                    tx.put(difference.after)
                elif difference.before:
                    tx.delete(difference.before)

    def control(
        self, method: str, verb: str, body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """Call a control verb; see :mod:`stslab.sandbox.server.verbs`."""
        name, _, query = verb.partition("?")
        return dict(self._verbs[name](ControlRequest(method, dict(parse_qsl(query)), body or {})))

    def rehearse(self, _text: str | None) -> None:
        """Do nothing."""

    def tell(self, outcome: Answer | Refusal) -> Reason | None:
        return self._log.reasons.get(outcome.request_id, Reason(()))

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        answer = self.inside.pipeline.handle(_http(request))
        raw = HTTPResponse(io.BytesIO(answer.body), preload_content=False)
        return AWSResponse(request.url, answer.status, dict(answer.headers), raw)


def served() -> frozenset[str]:
    """The calls that the embedded account supports, as in ``iam.CreateUser``."""
    return frozenset(
        f"{name}.{operation}"
        for name, service in assemble(State(Snapshot.of(accounts.new()))).services.items()
        for operation in (*service.reads, *service.writes)
    )


def proofs(lab: Lab) -> Iterator[tuple[RunFault, RunFault | str]]:
    """Each fault and its proof, or why it has none; RunError or CheckFailed if the lab fails."""
    account = InMemoryAccount()
    with account.running(lab, lambda _: None) as runner:
        faults = Faults(runner, account.files, account.decide, account.control)
        for stage in (each for each in lab.stages if not each.cleanup):
            runner.run_stage(stage.id)
            for fault in tuple(faults.there(stage.id)):
                as_it_was = account.inside.state.snapshot, account.files.held
                yield fault, faults.proved(fault)
                account.back_to(*as_it_was)


class MemoryProfiles(ProfileFiles):
    def begin(self, admin: Credentials, keeps: str) -> None:
        """Begin with the profile ``admin`` alone. ``keeps`` can't be removed."""
        self.held: Mapping[str, Credentials] = {ADMIN: admin}
        self._known, self._keeps, self._token = {}, keeps, ""

    def remove(self, name: str) -> None:
        if name != self._keeps:
            super().remove(name)

    def configure(self, name: str, settings: Mapping[str, str]) -> None:
        if settings or name != self._keeps:
            super().configure(name, settings)

    def token(self) -> str:
        return self._token

    def save_token(self, token: str) -> None:
        self._token = token

    def _read(self) -> dict[str, Credentials]:
        return dict(self.held)

    def _write(self, profiles: Mapping[str, Credentials], _more: Iterable[str] = ()) -> None:
        self.held = profiles


class QuickClock(Clock):
    """A clock whose ``sleep`` only moves it on."""

    _passed = 0.0

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        self._passed += seconds

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._passed)


class _Shared(Clients):
    """One client for each service, since making one is slow; each call sets its credentials."""

    def __init__(self, answer: Callable[..., AWSResponse]) -> None:
        super().__init__(REGION, "http://127.0.0.1:4566")
        self._answer = answer
        self._session(own=False).set_credentials("none", "none")

    def client(self, service: str, signer: Signer, *, patient: bool = False) -> Any:
        if isinstance(signer, Credentials):
            signs = self._session(own=False).get_credentials()
            signs.access_key = signer.access_key_id
            signs.secret_key = signer.secret_access_key
            signs.token = signer.session_token or None
            signer = "shared"
        return super().client(service, signer, patient=patient)

    def _made(self, service: str, signer: Signer, *, patient: bool) -> Any:
        client = super()._made(service, signer, patient=patient)
        client.meta.events.register("before-send", self._answer)
        return client


class _Reasons(DecisionLog):
    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[str, Reason] = {}  # of refusals, by request id

    def record(self, _now: datetime, received: Received, _fault: ApiFault | None) -> None:
        decisions = received.api.decisions if received.api else ()
        refusals = [refusal(decision) for decision in decisions if not decision.allowed]
        gates = dict.fromkeys(gate for each in refusals for gate in each.gates)
        keys = dict.fromkeys(key for each in refusals for key in each.keys)
        self.reasons[received.request_id] = Reason(tuple(gates), tuple(keys))


def _http(request: AWSPreparedRequest) -> HttpRequest:
    parts, body = urlsplit(request.url), request.body or b""
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
