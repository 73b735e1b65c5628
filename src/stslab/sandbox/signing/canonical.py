"""The canonical forms that AWS's signatures are made over, and the keys that make them.

AWS documentation: "Create a signed AWS API request" and "Elements of an AWS API request
signature" (IAM User Guide), "Authenticating Requests (AWS Signature Version 4)" (S3 API).
"""

import hashlib
import hmac
import posixpath
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from stslab.sandbox.api.model import HttpRequest, Pairs

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
S3 = "s3"

Headers = Mapping[str, str]


def header_map(request: HttpRequest) -> dict[str, str]:
    """Each header by its lower-case name: values joined by commas, runs of blanks collapsed."""
    headers: dict[str, str] = {}
    for name, value in request.headers:
        lower, collapsed = name.lower(), " ".join(value.split())
        headers[lower] = f"{headers[lower]},{collapsed}" if lower in headers else collapsed
    return headers


def doubled(pairs: Pairs, once: Iterable[str]) -> str:
    """The first name of ``once`` that several of the pairs have; empty where there is none."""
    names = [name for name, _ in pairs]
    if len(set(names)) == len(names):
        return ""
    return next((name for name in once if names.count(name) > 1), "")


def doubled_header(request: HttpRequest, headers: Headers, once: Iterable[str]) -> str:
    """The first header of ``once`` that was sent more than once; empty where there is none."""
    if len(headers) == len(request.headers):
        return ""
    return doubled(tuple((name.lower(), value) for name, value in request.headers), once)


def canonical_path(path: str, service: str) -> str:
    """The canonical URI. S3 encodes once and keeps the path; the others normalise and encode
    again what the client has encoded.
    """  # noqa: D205 - one thought
    if path == "/":
        return path
    if service == S3:
        return quote(unquote_to_bytes(path), safe="/-_.~")
    normal = posixpath.normpath(path)
    slash = "/" if path.endswith("/") and normal != "/" else ""
    return quote("/" + normal.lstrip("/") + slash, safe="/-_.~")


def canonical_query(pairs: Pairs, without: str = "") -> str:
    """The query's pairs, encoded and sorted, less those named ``without``."""
    if not pairs:
        return ""
    encoded = sorted(
        (_encoded(name), _encoded(value)) for name, value in pairs if not without or name != without
    )
    return "&".join(f"{name}={value}" for name, value in encoded)


def canonical_request(
    request: HttpRequest,
    service: str,
    headers: Headers,
    signed_headers: Iterable[str],
    payload_hash: str,
    *,
    in_query: bool,
) -> str:
    """The canonical request that a Signature Version 4, which may be in the query, is made over."""
    names = tuple(signed_headers)
    lines = [f"{name}:{headers.get(name, '')}\n" for name in names]
    return "\n".join(
        (
            request.method,
            canonical_path(request.path, service),
            canonical_query(request.query, without="X-Amz-Signature" if in_query else ""),
            "".join(lines),
            ";".join(names),
            payload_hash,
        )
    )


def string_to_sign(stamp: str, scope: str, canonical: str) -> str:
    """What the signing key signs."""
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}"


@lru_cache(maxsize=1024)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key that is derived from a secret key for one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def sign(key: bytes, text: str) -> str:
    """The hexadecimal signature of a string to sign."""
    return hmac.digest(key, text.encode(), "sha256").hex()


def same(ours: str, theirs: str) -> bool:
    """Whether two signatures or tokens are equal, in time that does not tell how far."""
    return hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "surrogateescape"))


def _encoded(text: str) -> str:
    return text if text.isalnum() and text.isascii() else quote(text, safe="-_.~")
