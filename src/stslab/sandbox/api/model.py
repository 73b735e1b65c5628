"""The types that the whole account shares: requests, callers, answers, faults, needs, services."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial, reduce
from types import FunctionType, ModuleType
from typing import Any, Literal, Protocol

import msgspec

from stslab.policy import Decision, NamedPolicy, Principal, PrincipalKind
from stslab.sandbox.api import identifiers
from stslab.sandbox.state.identities import Role, Session, User
from stslab.sandbox.state.snapshot import Record, Transaction, View
from stslab.structures import beside

Pairs = tuple[tuple[str, str], ...]
Params = Mapping[str, Any]  # the members of an operation's input, as boto3 takes them
Answer = dict[str, Any]
"""The members of an operation's output, as boto3 has them; those that are None are left out."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request as it was received; nothing in it is verified yet.

    ``path`` is still percent-encoded. ``query`` holds the decoded pairs of ``raw_query`` in order.
    ``headers`` are as sent, with their values as Latin-1 text.
    """

    method: str
    path: str
    query: Pairs = field(repr=False)  # a presigned URL holds a session token
    raw_query: str = field(repr=False)
    headers: Pairs = field(repr=False)
    body: bytes = field(repr=False)
    source_ip: str = "127.0.0.1"
    wrong: "ApiFault | None" = None  # why DeleteObjects may not take the body

    def header(self, name: str, default: str = "") -> str:
        """The value of the first header with this name, in any case, or ``default``."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), default)

    def has_header(self, name: str) -> bool:
        return any(key.lower() == name.lower() for key, _ in self.headers)

    def argument(self, name: str) -> str:
        """The value of the first query parameter with exactly this name, or ""."""
        return next((value for key, value in self.query if key == name), "")

    def without(self, names: Collection[str]) -> "HttpRequest":
        """The request without the headers with these names (in lower case)."""
        kept = tuple([pair for pair in self.headers if pair[0].lower() not in names])
        return self if len(kept) == len(self.headers) else replace(self, headers=kept)


_WITHOUT_SESSION: Mapping[PrincipalKind, str] = {
    PrincipalKind.ROOT: "Root",
    PrincipalKind.USER: "IAMUser",
    PrincipalKind.SERVICE: "AWSService",
    PrincipalKind.ANONYMOUS: "Anonymous",
}


class Caller(msgspec.Struct, frozen=True):
    """Who makes a call, as the request's signature proves."""

    principal: Principal
    access_key_id: str = ""
    session: Session | None = None

    @property
    def kind(self) -> str:
        """Root, IAMUser, AssumedRole, FederatedUser, SessionToken, Anonymous or AWSService."""
        return self.session.kind if self.session else _WITHOUT_SESSION[self.principal.kind]

    @property
    def account(self) -> str:
        return self.principal.account

    @property
    def user_id(self) -> str:
        return self.principal.user_id

    @property
    def user_name(self) -> str:
        """The name of the user who calls, also with the keys of GetSessionToken; else empty."""
        return self.principal.name if self.principal.kind is PrincipalKind.USER else ""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An access key; a temporary one has a token, and ``expires`` by the account's clock."""

    caller: Caller
    secret_access_key: str = field(repr=False)
    active: bool = True
    session_token: str = field(default="", repr=False)
    expires: datetime | None = None


KeyLookup = Callable[[str], KeyRecord | None]
"""Finds the access key with an id, active or not, expired or not; None if it does not exist."""


class Authenticated(msgspec.Struct, frozen=True):
    """A request whose signature was verified.

    ``request`` is the signed request without the credentials: an aws-chunked body is decoded;
    its verified trailers, and the ``x-amz-*`` parameters of a presigned URL, become headers, as
    in S3. ``auth_type`` and ``version`` are empty for an unsigned request, ``region`` where the
    signature has none. ``age`` is the time since it was signed. ``payload_hash`` is the
    x-amz-content-sha256 header of S3's Version 4.
    """

    caller: Caller
    service: str
    region: str
    request: HttpRequest
    auth_type: Literal["REST-HEADER", "REST-QUERY-STRING", ""] = ""
    version: Literal["AWS4-HMAC-SHA256", "AWS", ""] = ""
    age: timedelta = timedelta(0)
    payload_hash: str = ""


class ApiRequest(msgspec.Struct, frozen=True):
    """One API call: the operation and its parameters, the caller, the place and the time.

    ``account`` is the one that the call acts on. ``now`` is aware, UTC. ``via`` lists the services
    that make the call in the caller's name (``aws:CalledVia``), first to last. ``authenticated`` is
    None for a call that a service makes. ``decisions`` are those made so far, for the log.
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
    decisions: list[Decision] = []


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """The HTTP response, without the headers that the server adds: Date, Server and framing."""

    status: int
    headers: Pairs = field(repr=False)
    body: bytes = field(default=b"", repr=False)


class Dropped(Exception):  # noqa: N818 - it is planned, not an error
    """The server must reset the connection instead of answering."""


_CODES: Mapping[int, list[str]] = beside(__file__, "faults.yaml")
_STATUSES = {code: status for status, codes in _CODES.items() for code in codes}


class ApiFault(Exception):  # noqa: N818 - AWS's word; it is an answer more than an error
    """An error that AWS answers with. ``status`` defaults to the HTTP status of the code.

    ``extra`` are members of the error's body, ``log`` of the event in the log; no secrets.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        status: int = 0,
        *,
        headers: Pairs = (),
        extra: Mapping[str, Any] | None = None,
        log: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or _STATUSES.get(code, 400)
        self.headers = headers
        self.extra: Mapping[str, Any] = dict(extra or {})
        self.log = log or {}


_SPELLED = {"id": "ID", "mfa": "MFA", "saml": "SAML"}

Reads = Mapping[str, Callable[[View, ApiRequest], Answer]]
Writes = Mapping[str, Callable[[Transaction, ApiRequest], Answer | None]]
Keys = dict[str, str | Sequence[str]]
TagList = Iterable[Mapping[str, str]]  # tags as the APIs have them: ``{"Key": …, "Value": …}``


class Need(msgspec.Struct, frozen=True):
    """One action on one resource that IAM must allow before the request is carried out.

    ``context`` has the condition keys that the action adds. ``shown`` replaces the ARN in messages:
    IAM writes ``user bob``, and an empty text leaves it out. ``headers`` are sent with a denial.
    """

    action: str
    resource: str
    context: Keys = msgspec.field(default_factory=dict)
    resource_policy: NamedPolicy | None = None
    resource_account: str | None = None
    shown: str | None = None
    headers: Pairs = ()


Needs = Sequence[Need]


_FURTHER = {"view": "READS", "tx": "WRITES"}
"""A module's tables of the operations that exist for several kinds of things."""


def handlers(modules: Iterable[ModuleType], *parameters: str, **first: object) -> dict[str, Any]:
    """The handlers in some modules that take these parameters, by operation.

    Before them a handler may take those in ``first``, which it gets here. The handler of CreateUser
    is the function ``create_user``. A parameter that it has no use for begins with an underscore.
    Helpers have other parameters, or a name that begins with an underscore.
    """
    found: dict[str, Any] = {}
    for module in modules:
        found |= getattr(module, _FURTHER.get(parameters[0], ""), {})
        for name, function in vars(module).items():
            own = isinstance(function, FunctionType) and function.__module__ == module.__name__
            if own and not name.startswith("_"):
                code = function.__code__
                taken = code.co_varnames[: code.co_argcount]
                known = [first[one] for one in taken if one in first]
                if tuple(one.lstrip("_") for one in taken[len(known) :]) == parameters:
                    words = (_SPELLED.get(word, word.title()) for word in name.split("_"))
                    found["".join(words)] = partial(function, *known) if known else function
    return found


class Service(Protocol):
    """A service with its handlers by operation; an operation in neither table is unsupported.

    IAM decides ``needs`` before the handler is called. One in ``reads`` gets a view of the account.
    One in ``writes`` gets a transaction, which is committed before the call is answered, and may
    return None for an answer without members.
    """

    reads: Reads
    writes: Writes

    def needs(self, view: View, request: ApiRequest, /) -> Needs: ...


class Judge(Protocol):
    """Decides what a service asks while it carries out a request, and logs each decision."""

    def decide(
        self, view: View, request: ApiRequest, need: Need, principal: Principal | None = None
    ) -> Decision:
        """``principal`` replaces a caller that the request itself identifies (a web identity)."""

    def seen(self, view: View) -> View:
        """The account as services other than IAM see it, in a rehearsal perhaps an older one."""


class Internal(Protocol):
    """Makes calls inside the account, each as a request with its own transaction.

    A call passes through the service (``aws:CalledVia``), unless that is the caller. ``here``: it
    comes from the caller's address; with a service's role it does not. Raises the ApiFault that the
    caller would get. A handler in ``writes`` can't make one that writes: its transaction is open.
    """

    def __call__(
        self, caller: Caller, service: str, operation: str, params: Params, here: bool = False
    ) -> Answer: ...


ManagedText = Callable[[View, str, str], str | None]
"""Finds the text of a managed policy's default version by account and ARN, AWS's included."""
SpendMfa = Callable[[Transaction, User | None, str | None, str | None, datetime], None]
"""Verifies an MFA code of this user (serial number, code, time), which works only once."""


def pass_role(view: View, account: str, role_arn: str, service: str, resource: str) -> Need:
    """IAM User Guide, "Granting a user permissions to pass a role to an AWS service"."""
    if role_arn.split(":")[4:5] != [account]:
        raise ApiFault("AccessDenied", "Cross-account pass role is not allowed.")
    role = view.get(Role, account, role_arn.rsplit("/", 1)[-1].lower())
    keys: Keys = {"iam:PassedToService": service, "iam:AssociatedResourceArn": resource}
    if role is not None:
        keys |= resource_tags(role.tags, "iam")
    return Need("iam:PassRole", role_arn, keys, resource_account=account)


def iso(moment: datetime, precision: str = "seconds") -> str:
    """A time in UTC in ISO 8601, as condition keys, attributes and S3's errors have it."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec=precision)}Z"


def moment(text: str) -> datetime:
    """A time in ISO 8601, in UTC; without a zone it is in UTC already. Raises ValueError."""
    time = datetime.fromisoformat(text)
    try:
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def request_tags(params: Params) -> Keys:
    """The condition keys for a request's tags: ``aws:RequestTag/…`` and ``aws:TagKeys``."""
    tags = tags_in(params.get("Tags"))
    keys: Keys = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    names = (*tags, *(params.get("TagKeys") or ()))
    return keys | {"aws:TagKeys": names} if names else keys


def resource_tags(tags: Mapping[str, str], *services: str) -> Keys:
    """The condition keys for a resource's tags: ``aws:ResourceTag/…`` and ``SERVICE:…``."""
    return {
        f"{service}:ResourceTag/{key}": value
        for service in ("aws", *services)
        for key, value in tags.items()
    }


def tags_in(listed: TagList | None) -> dict[str, str]:
    return {tag.get("Key", ""): tag.get("Value", "") for tag in listed or ()}


def shown(record: Record, **more: object) -> Answer:
    """The members of an answer that shown.yaml takes from the record, and more."""
    names = beside(__file__, "shown.yaml")[record.table]
    taken = {name: getattr(record, at) if isinstance(at, str) else at for name, at in names.items()}
    return taken | more


def tag_list(tags: Mapping[str, str]) -> list[Mapping[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def place(name: str, size: int = 16) -> int:
    """Where a ``HashMap`` of Java has a name. Public records show its order in AWS's answers."""
    units = memoryview(name.encode("utf-16-le", "surrogatepass")).cast("H")
    code = reduce(lambda before, unit: (31 * before + unit) % 2**32, units, 0)
    return (code ^ code >> 16) % size


def hashed(values: Mapping[str, Any], size: int = 16) -> dict[str, Any]:
    """The values in the order of a ``HashMap`` of Java, which had the size when it was made."""
    while len(values) > size * 3 // 4:
        size *= 2
    return {name: values[name] for name in sorted(values, key=lambda name: place(name, size))}


def unsupported(service: str, operation: str) -> ApiFault:
    """The error for an operation of AWS that the embedded account lacks."""
    message = f"The embedded account does not implement {service}:{operation}."
    return ApiFault("NotImplemented" if service == "s3" else "UnsupportedOperation", message)


_WITHOUT_ID = frozenset({"CreateRole", "ListInstanceProfiles"})
"""IAM's operations whose denials have no authorization id; from public records of AWS's answers."""
_DETAILS: str = beside(__file__, "answers.yaml")["details"]


def denial(request: ApiRequest, need: Need, decision: Decision) -> ApiFault:
    """AWS's AccessDenied for a need that is not allowed.

    S3 gives a reason only within one account, and otherwise says ``Access Denied`` (S3 User
    Guide, "Troubleshoot access denied (403 Forbidden) errors in Amazon S3"). In IAM, only calls
    of services lack an id (IAM User Guide, "Troubleshoot access denied ... with authorization ID"),
    and refusals that no policy decides, which are sentences.
    """
    message = decision.message
    stranger = request.caller.kind == "Anonymous" or need.resource_account != request.caller.account
    if request.service == "s3" and stranger:
        message = "Access Denied"
    elif need.shown is not None:
        resource = f" on resource: {need.shown}" if need.shown else ""
        message = message.replace(decision.on_resource, resource, 1)
    with_id = request.authenticated and request.operation not in _WITHOUT_ID
    if request.service == "iam" and with_id and not message.endswith("."):
        message += _DETAILS.format(identifiers.authorization_id())
    return ApiFault("AccessDenied", message, headers=need.headers)
