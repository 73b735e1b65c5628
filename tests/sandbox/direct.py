"""boto3 clients that call the pipeline directly: everything but the socket is real."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from stslab.sandbox.api.model import ApiResponse, Caller, HttpRequest
from stslab.sandbox.cloudformation.stacks.engine import Engine
from stslab.sandbox.pipeline import accounts
from stslab.sandbox.pipeline.authorization import caller_of
from stslab.sandbox.pipeline.log import DecisionLog
from stslab.sandbox.pipeline.log_file import Event, is_refused
from stslab.sandbox.server.embedded import assemble
from stslab.sandbox.state.identities import User
from stslab.sandbox.state.snapshot import Record, Snapshot
from stslab.sandbox.state.state import State
from stslab.vocabulary import LEARNER, PARTNER

ENDPOINT = "http://127.0.0.1:4566"
_BOTO = boto3.Session(region_name="us-east-1")  # loads AWS's models once for all tests


class Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self._body

    def read(self, *_: Any, **__: Any) -> bytes:
        body, self._body = self._body, b""
        return body


def has_ended(engine: Engine, stack_id: str, seconds: float = 0) -> bool:
    """Whether the work on a stack has ended, for which this waits at most so long."""
    thread = engine._threads.get(stack_id)
    if thread is not None:
        thread.join(seconds)
    return stack_id not in engine._threads


def as_http(prepared: Any) -> HttpRequest:
    """The request, as the server would read it from botocore."""
    parts = urlsplit(prepared.url)
    body = prepared.body or b""
    if hasattr(body, "read"):
        body = body.read()
    headers = [
        (name, value.decode("latin-1") if isinstance(value, bytes) else str(value))
        for name, value in prepared.headers.items()
    ]
    if not any(name.lower() == "host" for name, _ in headers):
        headers.append(("Host", parts.netloc))
    return HttpRequest(
        prepared.method,
        parts.path or "/",
        tuple(parse_qsl(parts.query, keep_blank_values=True)),
        parts.query,
        tuple(headers),
        body if isinstance(body, bytes) else str(body).encode(),
    )


R = TypeVar("R", bound=Record)


class KeptLog(DecisionLog):
    """Keeps events in memory instead of in a file."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Event] = []

    def append(self, event: Event) -> None:
        self.kept.append(event)

    def events(self, *, denied: bool = False) -> list[Event]:
        """All events, oldest first, or only those that were refused."""
        return [one for one in self.kept if is_refused(one) or not denied]


class Direct:
    """A separate state, by default a new account's, and clients for everyone in it."""

    def __init__(self, state: State | None = None, log: DecisionLog | None = None) -> None:
        self.state = state or State(Snapshot.of(accounts.new()))
        self.log = KeptLog()
        self.inside = assemble(self.state, log or self.log)
        self.keys: dict[str, Any] = {}
        self._clients: dict[Any, Any] = {}
        for who, account, user in (
            ("admin", LEARNER, accounts.ADMINISTRATOR),
            ("root", LEARNER, ""),
            ("partner", PARTNER, accounts.ADMINISTRATOR),
            ("partner-root", PARTNER, ""),
        ):
            key = accounts.usable_key(self.state.snapshot, account, user)
            if key is not None:
                self.keys[who] = (key.access_key_id, key.secret_access_key, None)

    def record(self, kind: type[R], key: str, account: str = LEARNER) -> R | None:
        """What the account knows under this key."""
        return self.state.snapshot.get(kind, account, key)

    def caller(self, user: str) -> Caller:
        found = self.record(User, user)
        assert found
        return caller_of(found)

    def stop(self) -> None:
        self.inside.engine.stop()

    def handle(self, http: HttpRequest) -> ApiResponse:
        return self.inside.pipeline.handle(http)

    def client(self, service: str, who: str = "admin") -> Any:
        """A boto3 client of `who`, whose requests go straight into the pipeline."""
        keys = self.keys.get(who, (None, None, None))
        if (service, keys) not in self._clients:
            self._clients[service, keys] = self._made(service, keys)
        return self._clients[service, keys]

    def _made(self, service: str, keys: tuple[str | None, ...]) -> Any:
        client = _BOTO.client(
            service,
            endpoint_url=ENDPOINT,
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            aws_session_token=keys[2],
            config=Config(
                retries={"total_max_attempts": 1},
                parameter_validation=False,
                signature_version=UNSIGNED if keys[0] is None else None,
                s3={"addressing_style": "path"},
            ),
        )
        client.meta.events.register("before-send", self._send)
        return client

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        answered = self.handle(as_http(request))
        headers = dict(answered.headers)
        return AWSResponse(request.url, answered.status, headers, Raw(answered.body))

    def user(self, name: str, policy: str | None = None, **created: Any) -> str:
        """A new user with a key, who is known by this name from now on."""
        iam = self.client("iam")
        arn: str = iam.create_user(UserName=name, **created)["User"]["Arn"]
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.keys[name] = (key["AccessKeyId"], key["SecretAccessKey"], None)
        if policy:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
        return arn
