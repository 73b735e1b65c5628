"""What all modules of the sandbox share: requests, callers, answers, faults, needs, services.

A service has two tables of handlers by operation: ``reads`` get a view of the account and
nothing to change it with, ``writes`` get a transaction, which is committed when the handler
has returned, before the call is answered: without members, where it returned None. Which table
an operation is in decides which it gets; one that is in neither is refused as unsupported. An
ApiFault that a handler raises leaves everything as it was.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

import msgspec

from stslab.policy import Decision, NamedPolicy, Principal
from stslab.sandbox.state.identities import Role, Session, User
from stslab.sandbox.state.snapshot import Transaction, View

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


class Caller(msgspec.Struct, frozen=True):
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


class Authenticated(msgspec.Struct, frozen=True):
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


class ApiRequest(msgspec.Struct, frozen=True):
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


_CODES: Mapping[int, str] = {
    403: """
        AccessDenied ExpiredToken IDPRejectedClaim InvalidAuthenticationCode InvalidClientTokenId
        MissingAuthenticationToken OutboundWebIdentityFederationDisabledException
        SignatureDoesNotMatch
    """,
    404: "ChangeSetNotFound NoSuchEntity",
    409: "BucketAlreadyExists DeleteConflict EntityAlreadyExists LimitExceeded",
    410: "ReportNotPresent",
    500: "InternalError InternalFailure",
    501: "NotImplemented",
    503: "ServiceUnavailable SlowDown",
}
"""The errors whose HTTP status is not 400; S3's own are in ``s3_faults.txt``."""
_STATUSES = {code: status for status, codes in _CODES.items() for code in codes.split()}


class ApiFault(Exception):  # noqa: N818 - AWS's word; it is an answer more than an error
    """An error as AWS answers it; becomes the error body of the service's own protocol.

    ``status`` is the code's own, if it is not given. ``extra`` are further members of the error's
    body, as S3 has them (``{"BucketName": ...}``); they hold no secret key and no session token.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 0,
        *,
        headers: Pairs = (),
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or _STATUSES.get(code, 400)
        self.headers = headers
        self.extra: Mapping[str, Any] = dict(extra or {})


# -- what a service is to the pipeline, and the pipeline to a service -----------------------------

_POLICY_ARN = re.compile(r"arn:aws:iam::(?:\d{12}|aws):policy/\S+")

Read = Callable[[View, ApiRequest], Answer]
Write = Callable[[Transaction, ApiRequest], Answer | None]
Reads = Mapping[str, Read]
Writes = Mapping[str, Write]
Context = Mapping[str, str | Sequence[str]]
Keys = dict[str, str | Sequence[str]]


class Need(msgspec.Struct, frozen=True):
    """One action on one resource, with the condition keys that this action adds.

    IAM must allow it before the request is carried out. ``resource_policy`` is the resource's
    own, where it has one; ``resource_account`` owns the resource. ``shown`` is how the service's
    messages call the resource, where that is not its ARN: IAM says ``user bob``, S3 puts the ARN
    in quotes, and an empty text leaves it out. ``headers`` go with a denial.
    """

    action: str
    resource: str
    context: Context = msgspec.field(default_factory=dict)
    resource_policy: NamedPolicy | None = None
    resource_account: str | None = None
    shown: str | None = None
    headers: Pairs = ()


Needs = Sequence[Need]


class Service(Protocol):
    """A service. What ``needs`` names is decided before the handler is called."""

    reads: Reads
    writes: Writes

    def needs(self, view: View, request: ApiRequest, /) -> Needs: ...


class Judge(Protocol):
    """Decides for services what only they can put into questions, and logs each decision."""

    def decide(
        self, view: View, request: ApiRequest, need: Need, principal: Principal | None = None
    ) -> Decision:
        """Decide ``need`` for the request's caller.

        The caller's own policies and the global condition keys are gathered here; the context
        of the need adds to them and wins. ``principal`` stands in for a caller that the request
        itself identifies (a web identity), and that has no policies of its own.
        """

    def seen(self, view: View) -> View:
        """What the rest of AWS knows of IAM by now: ``view``, but for a rehearsal.

        Trust policies and principals are looked up in it; IAM's own answers come from ``view``.
        """


class Internal(Protocol):
    """Makes calls inside the account, each a request of its own with its own transaction.

    A call that writes can't be made from a handler in ``writes``: its transaction is open.
    """

    def __call__(
        self,
        caller: Caller,
        service: str,
        operation: str,
        params: Params,
        via: tuple[str, ...] = (),
    ) -> Answer:
        """Decide and carry out a call in ``caller``'s name, or raise what the caller would get.

        ``via`` lists the services through which it comes (``aws:CalledVia``); it is empty
        where the service uses a role of its own.
        """


ManagedText = Callable[[View, str, str], str | None]
"""The text of a managed policy's default version, by account and ARN: AWS's own, too."""

SpendMfa = Callable[[Transaction, User | None, str | None, str | None, datetime], None]
"""Spends a code of this user's device (serial number, code) now; ApiFault where it is wrong.

IAM does it, for STS.
"""


# -- needs, and the condition keys in their context ------------------------------------------


def pass_role(view: View, account: str, role_arn: str, service: str) -> Need:
    """What a caller in ``account`` needs who hands a role to ``service``.

    IAM User Guide, "Granting a user permissions to pass a role to an AWS service". Nobody can
    pass another account's role: that is AccessDenied.
    """
    if role_arn.split(":")[4:5] != [account]:
        raise ApiFault("AccessDenied", "Cross-account pass role is not allowed.")
    role = view.get(Role, account, role_arn.rsplit("/", 1)[-1].lower())
    keys: Keys = {"iam:PassedToService": service}
    if role is not None:
        keys |= resource_tags(role.tags, "iam")
    return Need("iam:PassRole", role_arn, keys, resource_account=account)


def iso(moment: datetime) -> str:
    """A time as date condition keys have it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def request_tags(tags: Mapping[str, str]) -> Keys:
    """The keys of tags that a request passes: ``aws:RequestTag/…`` and ``aws:TagKeys``."""
    keys: Keys = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    return keys | {"aws:TagKeys": tuple(tags)} if tags else keys


def resource_tags(tags: Mapping[str, str], *services: str) -> Keys:
    """The keys of a resource's tags: ``aws:ResourceTag/…``, and those of ``services``."""
    return {
        f"{service}:ResourceTag/{key}": value
        for service in ("aws", *services)
        for key, value in tags.items()
    }


# -- refusals --------------------------------------------------------------------------------


def unsupported(service: str, operation: str) -> ApiFault:
    """The refusal of an operation that AWS has and the account has not."""
    message = f"The sandbox does not implement {service}:{operation}."
    return ApiFault("NotImplemented" if service == "s3" else "UnsupportedOperation", message)


def explained(request: ApiRequest, decision: Decision, resource_account: str | None) -> str:
    """AWS's message for a denial. A Deny names its policy, where that has an ARN.

    Only in one account or organization (AWS Security Blog, "Enhanced access denied error messages
    with policy ARNs").
    """
    denying = next((layer for layer in decision.layers if layer.denies), None)
    if denying is None or resource_account not in (None, request.caller.account):
        return decision.message
    names = (
        each.policy.name
        for each in denying.readings
        if any(not one.allows and not each.mismatch(one) for one in each.policy.document.statements)
    )
    named = next(names, "")
    found = _POLICY_ARN.search(named)
    return f"{decision.message}: {found[0]}" if found else decision.message


def denial(request: ApiRequest, need: Need, decision: Decision) -> ApiFault:
    """AWS's AccessDenied for a need that was not allowed.

    S3 explains only requests within one account, others get ``Access Denied`` (S3 User Guide,
    "Troubleshoot access denied (403 Forbidden) errors in Amazon S3").
    """
    message = explained(request, decision, need.resource_account)
    stranger = request.caller.kind == "Anonymous" or need.resource_account != request.caller.account
    if request.service == "s3" and stranger:
        message = "Access Denied"
    elif need.shown is not None:
        named = f" on resource: {need.shown}" if need.shown else ""
        message = message.replace(f" on resource: {need.resource}", named, 1)
    return ApiFault("AccessDenied", message, headers=need.headers)
