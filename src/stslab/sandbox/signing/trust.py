"""What all ways to sign share: credentials, claims, times, and a request less its credentials."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache

from stslab.sandbox.api.model import HttpRequest, KeyRecord, KeyStore

Clock = Callable[[], datetime]
MAX_SKEW = timedelta(minutes=15)
TOKEN = "x-amz-security-token"  # noqa: S105 - a header's name


@dataclass(frozen=True, slots=True)
class Circle:
    """Whom to ask: the key store, the sandbox's clock (sessions), and the real one (signatures).

    ``with_body`` is False where the body has not been read yet: S3's signatures are of the head.
    """

    keys: KeyStore
    clock: Clock
    real_clock: Clock
    with_body: bool = True


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential with its scope, as ``Credential=`` and ``X-Amz-Credential`` spell it."""

    access_key_id: str
    date: str
    region: str
    service: str
    terminal: str

    @property
    def scope(self) -> str:
        """What of it goes into the string to sign."""
        return f"{self.date}/{self.region}/{self.service}/{self.terminal}"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a Signature Version 4 says of itself, in a header or a query. ``stamp``: its time."""

    credential: Credential
    signed_headers: tuple[str, ...]
    signature: str
    stamp: str
    time: datetime
    token: str = field(repr=False)
    in_query: bool


_CREDENTIAL_PARTS = 5


def credential(text: str) -> Credential | None:
    """Take a credential apart; None where it does not have five parts."""
    parts = text.split("/")
    return Credential(*parts) if len(parts) == _CREDENTIAL_PARTS else None


@lru_cache(maxsize=64)
def basic_time(text: str) -> datetime | None:
    """A time in ISO 8601's basic format, ``20130524T000000Z``; None where it is none."""
    if len(text) != len("20130524T000000Z") or not (text[:8] + text[9:15]).isascii():
        return None
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


@lru_cache(maxsize=64)
def header_time(text: str) -> datetime | None:
    """A time as ``x-amz-date`` or ``Date`` give it: basic ISO 8601, or an RFC 1123 date."""
    if basic := basic_time(text):
        return basic
    try:
        time = parsedate_to_datetime(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


@lru_cache(maxsize=64)
def stamp(time: datetime) -> str:
    """A time in ISO 8601's basic format."""
    return time.strftime("%Y%m%dT%H%M%SZ")


def shown(time: datetime) -> str:
    """A time as S3's errors show it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def expired(record: KeyRecord, now: datetime) -> bool:
    """Whether the key's session has ended, by the sandbox's clock."""
    return record.expires is not None and record.expires <= now


_CREDENTIAL_HEADERS = {"authorization", TOKEN}
_V4_PARAMETERS = {
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "X-Amz-Content-Sha256",
}
_V2_PARAMETERS = {"AWSAccessKeyId", "Signature", "Expires", TOKEN}
AUTH_PARAMETERS: Mapping[str, frozenset[str]] = {
    "AWS4-HMAC-SHA256": frozenset(_V4_PARAMETERS),
    "AWS": frozenset(_V2_PARAMETERS),
}


def bared(request: HttpRequest) -> HttpRequest:
    """The request less its credentials, which nothing further in has a use for."""
    kept = tuple([pair for pair in request.headers if pair[0].lower() not in _CREDENTIAL_HEADERS])
    return HttpRequest(
        request.method,
        request.path,
        request.query,
        request.raw_query,
        kept,
        request.body,
        request.source_ip,
    )


def hoisted(request: HttpRequest, version: str) -> HttpRequest:
    """A presigned request as the plain one that it stands for.

    S3 takes ``x-amz-*`` query parameters of a presigned URL for the headers of these names,
    except for checksums: those that the JavaScript SDK puts there, of the empty body that it
    knows, are not looked at.
    """
    ours = AUTH_PARAMETERS[version]
    sent = {name.lower() for name, _ in request.headers}
    headers, query = list(request.headers), []
    for name, value in request.query:
        lower = name.lower()
        if name in ours:
            continue
        if lower.startswith("x-amz-") or (version == "AWS" and lower in _V2_HEADERS):
            if lower not in sent and not lower.startswith(_CHECKSUMS):
                headers.append((lower, value))
            continue
        query.append((name, value))
    return replace(request, headers=tuple(headers), query=tuple(query))


_CHECKSUMS = ("x-amz-checksum-", "x-amz-sdk-checksum-")
_V2_HEADERS = {"content-type", "content-md5"}
