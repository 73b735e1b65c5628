"""Canonical requests, claims, times, and requests without credentials, for all signatures.

IAM User Guide, "Create a signed AWS API request" and "Elements of an AWS API request signature";
S3 API Reference, "Authenticating Requests (AWS Signature Version 4)".
"""

import hashlib
import hmac
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from urllib.parse import quote, unquote_to_bytes

import msgspec

from stslab.sandbox.api.model import Authenticated, HttpRequest, KeyLookup, KeyRecord
from stslab.structures import beside

ALGORITHM: Final = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
S3 = "s3"
TOKEN = "x-amz-security-token"  # noqa: S105 - a header's name
HASH_HEADER = "x-amz-content-sha256"
MAX_SKEW = timedelta(minutes=15)
_REGIONS: Mapping[str, list[str]] = beside(__file__, "regions.yaml")
OLDEST_REGIONS = frozenset(_REGIONS["oldest"])
DEFAULT_REGIONS = OLDEST_REGIONS.union(_REGIONS["default"])
REGIONS = DEFAULT_REGIONS.union(_REGIONS["opt-in"])

Headers = Mapping[str, str]
Clock = Callable[[], datetime]


class Context(msgspec.Struct, frozen=True):
    """The access keys, the account's clock (for sessions) and the real one (for signatures).

    ``with_body`` is False before the body is read: S3's signatures only cover the head.
    """

    keys: KeyLookup
    clock: Clock
    real_clock: Clock = lambda: datetime.now(UTC)
    with_body: bool = True

    def expired(self, record: KeyRecord) -> bool:
        return record.expires is not None and record.expires <= self.clock()


class Credential(NamedTuple):
    """A credential with its scope, which Signature Version 2 does not name."""

    access_key_id: str
    date: str = ""
    region: str = ""
    service: str = S3
    terminal: str = ""

    @classmethod
    def of(cls, text: str) -> "Credential | None":
        """The credential in this text; None unless it has five parts."""
        parts = text.split("/")
        return cls(*parts) if len(parts) == len(cls._fields) else None


@dataclass(frozen=True, slots=True)
class Claim:
    """The parts of a signature, from a header or a query; Version 2 covers no list of headers."""

    credential: Credential
    signed_headers: tuple[str, ...]
    signature: str
    time: datetime
    token: str = field(repr=False)
    in_query: bool
    version: Literal["AWS4-HMAC-SHA256", "AWS"] = ALGORITHM

    def sign(
        self, request: HttpRequest, headers: Headers, payload_hash: str, secret: str
    ) -> tuple[str, bytes, str, str]:
        """The signature with ``secret``, its key, the string to sign, the canonical request."""
        _, date, region, service, _ = self.credential
        without = "X-Amz-Signature" if self.in_query else ""
        query = sorted((_encoded(k), _encoded(v)) for k, v in request.query if k != without)
        canonical = "\n".join(
            (
                request.method,
                _path(request.path, service),
                "&".join(f"{name}={value}" for name, value in query),
                "".join(f"{name}:{headers.get(name, '')}\n" for name in self.signed_headers),
                ";".join(self.signed_headers),
                payload_hash,
            )
        )
        # Headers are read as Latin-1; what was signed are their bytes. The rest is ASCII.
        digest = hashlib.sha256(canonical.encode("latin-1", "replace")).hexdigest()
        to_sign = f"{ALGORITHM}\n{stamp(self.time)}\n{'/'.join(self.credential[1:])}\n{digest}"
        key = _signing_key(secret, date, region, service)
        return hmac.digest(key, to_sign.encode(), "sha256").hex(), key, to_sign, canonical

    def authenticated(
        self, request: HttpRequest, record: KeyRecord, context: Context, payload_hash: str = ""
    ) -> Authenticated:
        return Authenticated(
            caller=record.caller,
            service=self.credential.service,
            region=self.credential.region,
            request=request.without(CREDENTIALS),
            auth_type="REST-QUERY-STRING" if self.in_query else "REST-HEADER",
            version=self.version,
            age=max(context.real_clock() - self.time, timedelta(0)),
            payload_hash=payload_hash,
        )


def header_map(request: HttpRequest, *, collapsed: bool = True) -> dict[str, str]:
    """Headers by lower-case name, values joined by commas; ``collapsed``: with single blanks."""
    headers: dict[str, str] = {}
    for name, value in request.headers:
        lower, text = name.lower(), value.replace("\n", " ")  # a query's value may have lines
        words = text.replace("\t", " ").split(" ")  # not split(), whose spaces may be of UTF-8
        text = " ".join(filter(None, words)) if collapsed else text.strip(" \t")
        headers[lower] = f"{headers[lower]},{text}" if lower in headers else text
    return headers


def repeated(names: Sequence[str], once: Iterable[str]) -> str:
    """The first of ``once`` that occurs more than once in the names; empty if none does."""
    if len(set(names)) == len(names):  # as nearly always
        return ""
    return next((name for name in once if names.count(name) > 1), "")


def _path(path: str, service: str) -> str:
    """The canonical URI: S3 encodes the path once; others normalise it and encode it again."""
    if path == "/":
        return path
    if service == S3:
        return quote(unquote_to_bytes(path.replace("+", " ")), safe="/-_.~")
    normal = posixpath.normpath(path).lstrip("/")  # which keeps two slashes at the start
    slash = "/" if path.endswith("/") and normal else ""
    return quote(f"/{normal}{slash}", safe="/-_.~")


def _encoded(text: str) -> str:
    return text if text.isalnum() and text.isascii() else quote(text, safe="-_.~")


@lru_cache(maxsize=1024)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def same(ours: str, theirs: str) -> bool:
    """Whether two signatures or tokens are equal; takes the same time either way."""
    return hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "surrogateescape"))


# -- times -------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def basic_time(text: str) -> datetime | None:
    """A time in ISO 8601's basic format, ``20130524T000000Z``; None if it is not one."""
    if len(text) != len("20130524T000000Z") or not (text[:8] + text[9:15]).isascii():
        return None
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


_HTTP_DATE = re.compile(
    r"(?i)(mon|tue|wed|thu|fri|sat|sun)\w*"
    r"(, +\d+( \w+ \d{4,5}|-\w+-\d+) \d+:\d+:\d+ +(\w{3}|[+-]\d{4})| \w+ +\d+ \d+:\d+:\d+ +\d{4})"
)


def header_time(text: str) -> datetime | None:
    """The time in ``x-amz-date`` or ``Date``: basic ISO 8601 or a date of RFC 9110; else None."""
    if basic := basic_time(text):
        return basic
    text = re.sub(r"GMT([+-]\d\d):(?=\d\d$)", r"\1", text)
    try:
        time = parsedate_to_datetime(text if _HTTP_DATE.fullmatch(text) else "")
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


@lru_cache(maxsize=64)
def stamp(time: datetime) -> str:
    """A time in ISO 8601's basic format."""
    return time.strftime("%Y%m%dT%H%M%SZ")


CREDENTIALS = {"authorization", TOKEN}
_TABLES: Mapping[str, Mapping[str, list[str]]] = beside(__file__, "presigned.yaml")
PARAMETERS = {version: frozenset(names) for version, names in _TABLES["parameters"].items()}
_ONLY_HEADERS = {version: tuple(names) for version, names in _TABLES["only headers"].items()}
_MORE_HEADERS = _TABLES["more headers"]
CONDITIONS = frozenset(_MORE_HEADERS[ALGORITHM])


def plain_request(
    request: HttpRequest, version: Literal["AWS4-HMAC-SHA256", "AWS"], *, to_sign: bool = False
) -> HttpRequest:
    """A presigned request as a plain one.

    S3 treats ``x-amz-*`` and conditions in a presigned query as headers, but ignores checksums
    (the JavaScript SDK puts there that of an empty body), encryption, and with Version 2 the ACL
    and tags, which Version 2 signs (``to_sign``) all the same. A header with another value than
    in the query fits no signature: both are there then.
    """
    sent = {name.lower(): value for name, value in request.headers}
    headers, query = list(request.headers), []
    for name, value in request.query:
        lower = name.lower()
        if name in PARAMETERS[version]:
            continue
        own = lower.startswith("x-amz-")
        if not own and name not in _MORE_HEADERS[version]:
            query.append((name, value))
            continue
        contradicts = own and sent.get(lower, value) != value
        counts = to_sign or not lower.startswith(_ONLY_HEADERS[version])
        if contradicts or (counts and lower not in sent):
            headers.append((lower, value))
    return replace(request, headers=tuple(headers), query=tuple(query))
