"""Who sent a request: the one door through which every request's signature goes.

SigV4 in the header and in the query, S3's Signature Version 2 in both, and unsigned requests
where AWS takes them: S3's anonymous ones, and the two calls of STS that exchange a token of
somebody else's for credentials.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from stslab.policy import Principal
from stslab.sandbox.api.http import Malformed, parse_query
from stslab.sandbox.api.model import Authenticated, Caller, HttpRequest, KeyLookup
from stslab.sandbox.api.s3_faults import fault, invalid_argument
from stslab.sandbox.signing import canonical, query, s3, v2
from stslab.sandbox.signing.canonical import HASH_HEADER, TOKEN, Circle, Clock

_SCOPED = re.compile(r"Credential=[^/,\s]*/[^/,\s]*/[^/,\s]*/([a-z0-9-]{1,40})/")
_SERVICE = re.compile(r"[a-z0-9-]{1,40}")
_FORM = "application/x-www-form-urlencoded"
# AWS documentation: AssumeRoleWithWebIdentity and AssumeRoleWithSAML (STS API Reference):
# "Calling ... does not require the use of AWS security credentials."
UNSIGNED_ACTIONS = frozenset({"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})
_ONCE = ("authorization", "x-amz-date", "date", TOKEN, HASH_HEADER)
_STS = "sts"
# Signature Version 4 asymmetric, which is not verified here.
_ASYMMETRIC = "AWS4-ECDSA-P256-SHA256"
_S3_HEADERS: dict[str, Callable[[HttpRequest, Circle], Authenticated]] = {
    canonical.ALGORITHM: s3.verify_header,
    "AWS": v2.verify_header,
}


def real_time() -> datetime:
    """The machine's clock, aware, UTC: what signatures are judged by."""
    return datetime.now(UTC)


class Authenticator:
    """Finds out who signed a request.

    ``clock`` is the sandbox's own, by which sessions end; ``real_clock`` judges signatures.
    """

    def __init__(self, keys: KeyLookup, clock: Clock, real_clock: Clock = real_time) -> None:
        self._circle = Circle(keys, clock, real_clock)

    def authenticate(self, request: HttpRequest) -> Authenticated:
        """Verify the request's signature, or find that it may come without one.

        A refusal is in the words of the service that the request addresses; it holds neither a
        secret key nor a session token.
        """
        if addressed_service(request) == canonical.S3:
            return self._s3(request, self._circle)
        if request.header("authorization") or request.argument("X-Amz-Algorithm"):
            return query.verify(request, self._circle)
        actions = [value for name, value in _parameters(request) if name == "Action"]
        if len(actions) != 1 or actions[0] not in UNSIGNED_ACTIONS:
            raise query.missing_token()
        return _anonymous(request, _STS)

    def expect(self, head: HttpRequest) -> None:
        """Hold the head of a request with a large body against what vouches for it.

        S3's signatures are of the head. Those of other services are of the body too, so that there
        the key has to be known.
        """
        if addressed_service(head) != canonical.S3:
            query.require_known(head, self._circle)
        elif self._s3(head, replace(self._circle, with_body=False)).caller.kind == "Anonymous":
            raise fault("EntityTooLarge")

    def _s3(self, request: HttpRequest, circle: Circle) -> Authenticated:
        names = {name for name, _ in request.query}
        v4_query, v2_query = "X-Amz-Algorithm" in names, "Signature" in names
        headers = canonical.header_map(request)
        text = headers.get("authorization", "")
        if ("authorization" in headers) + v4_query + v2_query > 1:
            message = (
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
                "Signature query string parameter or the Authorization header should be specified"
            )
            raise invalid_argument(message, "Authorization", text)
        if name := canonical.doubled_header(request, headers, _ONCE):
            raise invalid_argument("The header was sent more than once.", name, "")
        if v4_query:
            return s3.verify_query(request, circle)
        if v2_query:
            return v2.verify_query(request, circle)
        if text:
            return _s3_header(request, text, circle)
        if circle.with_body:
            s3.verify_checksums(request)
        return _anonymous(request, canonical.S3)


def _s3_header(request: HttpRequest, text: str, circle: Circle) -> Authenticated:
    scheme, space, _ = text.partition(" ")
    if not space:
        message = "Authorization header is invalid -- one and only one ' ' (space) required"
        raise invalid_argument(message, "Authorization", text)
    if scheme == _ASYMMETRIC:
        raise fault(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. "
            "Please use AWS4-HMAC-SHA256.",
        )
    verifier = _S3_HEADERS.get(scheme)
    if verifier is None:
        raise invalid_argument("Unsupported Authorization Type", "Authorization", text)
    return verifier(request, circle)


def _anonymous(request: HttpRequest, service: str) -> Authenticated:
    caller = Caller(Principal.anonymous(), "", "", "Anonymous")
    return Authenticated(caller, service, "us-east-1", request)


def addressed_service(request: HttpRequest) -> str:
    """Which service a request addresses, by its own word: what its errors are to look like.

    It is the service of its credential scope. Without one it is S3, or STS where it looks like
    a call of the Query protocol.
    """
    found = _SCOPED.search(request.header("authorization"))
    if found:
        return found[1]
    parts = request.argument("X-Amz-Credential").split("/")
    if len(parts) == 5 and _SERVICE.fullmatch(parts[3]):  # noqa: PLR2004 - key, date, region, service, end
        return parts[3]
    if request.path != "/":
        return canonical.S3
    if request.method == "POST":
        is_query = request.header("content-type").partition(";")[0].strip().lower() == _FORM
    else:
        is_query = bool(request.argument("Action"))
    return _STS if is_query else canonical.S3


def _parameters(request: HttpRequest) -> tuple[tuple[str, str], ...]:
    try:
        return (*request.query, *parse_query(request.body.decode("ascii", "strict")))
    except (Malformed, UnicodeDecodeError):
        return ()
