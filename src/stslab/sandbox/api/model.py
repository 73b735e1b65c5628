"""The words that all modules of the sandbox share: requests, callers, answers, faults."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from stslab.policy import Principal
from stslab.sandbox.state.identities import Session

Pairs = tuple[tuple[str, str], ...]
Params = Mapping[str, Any]
"""The members of an operation's input, as boto3 takes them."""
Answer = Mapping[str, Any]
"""The members of an operation's output, as boto3 has them; those that are None are left out."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request as it came, before anything about it is believed.

    ``path`` is still percent-encoded. ``query`` holds the decoded pairs in their order,
    ``raw_query`` the text they came from. ``headers`` are as sent, values as Latin-1 text.
    ``body`` is whole; after authentication, without the framing of an aws-chunked upload.
    """

    method: str
    path: str
    query: Pairs = field(repr=False)  # a presigned URL holds a session token
    raw_query: str = field(repr=False)
    headers: Pairs = field(repr=False)
    body: bytes = field(repr=False)
    source_ip: str = "127.0.0.1"

    def header(self, name: str, default: str = "") -> str:
        """The value of the first header of this name, whatever its case, or ``default``."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), default)

    def has_header(self, name: str) -> bool:
        wanted = name.lower()
        return any(key.lower() == wanted for key, _ in self.headers)

    def argument(self, name: str, default: str = "") -> str:
        """The first query parameter of exactly this name, or ``default``."""
        return next((value for key, value in self.query if key == name), default)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call, as its signature proved.

    ``kind`` is Root, IAMUser, AssumedRole, FederatedUser, SessionToken, Anonymous or
    AWSService. ``session`` is the STS session where the key is temporary.
    """

    principal: Principal
    account: str
    access_key_id: str
    kind: str
    user_id: str = ""
    user_name: str = ""
    session: Session | None = None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An access key as whoever keeps it knows it.

    ``active`` is False for a key that its owner made Inactive. ``session_token`` is empty
    for a long-term key, and must otherwise be the request's own. ``expires`` (aware) is
    judged by the sandbox's clock.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    caller: Caller
    active: bool = True
    session_token: str = field(default="", repr=False)
    expires: datetime | None = None


KeyLookup = Callable[[str], KeyRecord | None]
"""The key of an id, active or not, expired or not; None where there is none.

Users' and root's keys are from IAM, sessions' from STS.
"""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A request that is what its caller sent.

    ``service`` and ``region`` are of the verified credential scope (``s3`` where there is
    none). ``request`` is what was signed, less the credentials: an aws-chunked body is
    decoded, its verified trailers are headers, and ``x-amz-*`` parameters of a presigned URL
    are headers too, as S3 takes them. ``auth_type`` and ``version`` are what the condition keys
    s3:authType and s3:signatureversion say, empty for an unsigned request; ``age`` is how long
    ago the signature was made; ``payload_hash`` is x-amz-content-sha256 as it was sent.
    """

    caller: Caller
    service: str
    region: str
    request: HttpRequest
    auth_type: Literal["REST-HEADER", "REST-QUERY-STRING", ""] = ""
    version: Literal["AWS4-HMAC-SHA256", "AWS", ""] = ""
    age: timedelta = timedelta(0)
    payload_hash: str = ""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One API call, named: what is asked for, by whom, where and when.

    ``params`` has botocore's input shape, as boto3 takes it. ``account`` owns what is asked
    for. ``now`` is the sandbox's clock, aware, UTC. ``via`` lists the services that make the
    call in the caller's name (``aws:CalledVia``), first to last. ``authenticated`` is None for
    the calls that a service makes.
    """

    service: str
    operation: str
    params: Params
    http: HttpRequest
    caller: Caller
    account: str
    region: str
    request_id: str
    now: datetime
    via: tuple[str, ...] = ()
    authenticated: Authenticated | None = None


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """What goes back over HTTP, except for the server's own Date, Server and framing."""

    status: int
    headers: Pairs = field(repr=False)
    body: bytes = field(default=b"", repr=False)


class Dropped(Exception):  # noqa: N818 - what happens to the connection; nobody made an error
    """The connection is to be reset instead of an answer."""


class ApiFault(Exception):  # noqa: N818 - AWS's word; it is an answer more than an error
    """An error as AWS answers it; becomes the error body of the service's own protocol.

    ``fault`` is Sender or Receiver. ``extra`` are further members of the error's body, as S3
    has them (``{"BucketName": ...}``). Neither holds a secret key or a session token.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        *,
        headers: Pairs = (),
        fault: str = "Sender",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.headers = headers
        self.fault = fault
        self.extra: Mapping[str, Any] = dict(extra or {})
