"""Signature Version 4 as S3 verifies it, in the header and in the query (presigned URLs).

AWS documentation: "Authenticating Requests (AWS Signature Version 4)" with its pages on the
header, on chunked uploads and on query parameters, and "Error responses" (S3 API Reference).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from stslab.sandbox.api.model import ApiFault, Authenticated, HttpRequest, KeyRecord
from stslab.sandbox.signing import canonical, checksums, chunked
from stslab.sandbox.signing.canonical import (
    HASH_HEADER,
    MAX_SKEW,
    TOKEN,
    Circle,
    Claim,
    Credential,
    shown,
    stamp,
)
from stslab.sandbox.signing.query import REGION

UNSIGNED = "UNSIGNED-PAYLOAD"
_HOME = "us-east-1"
_A_WEEK = 604800
_LAST_TIME = datetime(9999, 12, 20, tzinfo=UTC)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_COMPONENTS = ("Credential", "SignedHeaders", "Signature")
_PARAMETERS = tuple(
    f"X-Amz-{name}"
    for name in ("Algorithm", "Credential", "Signature", "Date", "SignedHeaders", "Expires")
)
_ONCE = (*_PARAMETERS, "X-Amz-Security-Token", "X-Amz-Content-Sha256")
_STREAMING_HEADERS = {"x-amz-decoded-content-length", "x-amz-trailer", HASH_HEADER}
_FORBIDDEN, _BAD = 403, 400


def verify_header(request: HttpRequest, circle: Circle) -> Authenticated:
    """Hold a request against its Authorization header, in the order in which S3 looks."""
    headers = canonical.header_map(request)
    payload_hash = _payload_hash(headers)
    time = sent_at(headers, circle)
    _, _, rest = headers["authorization"].partition(" ")
    parts = [part.strip().partition("=") for part in rest.split(",")]
    fields = {name: value for name, _, value in parts}
    if len(fields) != len(parts) or set(fields) != set(_COMPONENTS) or not all(fields.values()):
        raise _malformed(
            "the authorization header requires three components: Credential, SignedHeaders, and "
            "Signature."
        )
    named = _credential(fields["Credential"], in_query=False)
    if named.date != stamp(time)[:8]:
        raise _malformed("Invalid credential date. Date is not the same as X-Amz-Date.")
    claim = Claim.of(fields, named, time, headers.get(TOKEN, ""), in_query=False)
    return _verified(request, headers, claim, payload_hash, circle)


def verify_query(request: HttpRequest, circle: Circle) -> Authenticated:
    """Hold a request against the signature in its query, in the order in which S3 looks."""
    headers, parameters = canonical.header_map(request), dict(request.query)
    if parameters["X-Amz-Algorithm"] != canonical.ALGORITHM:
        raise _bad_parameters(
            'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'
        )
    lacking = any(name not in parameters for name in _PARAMETERS)
    if lacking or canonical.doubled(request.query, _ONCE):
        raise _bad_parameters(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, "
            "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
            "X-Amz-Expires parameters."
        )
    time = canonical.basic_time(parameters["X-Amz-Date"])
    if time is None:
        raise _bad_parameters(
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
        )
    _require_unexpired(time, parameters["X-Amz-Expires"], circle.real_clock())
    named = _credential(parameters["X-Amz-Credential"], in_query=True)
    if named.date != stamp(time)[:8]:
        raise _bad_parameters(
            f'Invalid credential date "{named.date}". This date is not the same as X-Amz-Date: '
            f'"{stamp(time)[:8]}".'
        )
    fields = {name: parameters[f"X-Amz-{name}"] for name in _COMPONENTS}
    token = parameters.get("X-Amz-Security-Token", "")
    claim = Claim.of(fields, named, time, token, in_query=True)
    payload_hash = headers.get(HASH_HEADER) or parameters.get("X-Amz-Content-Sha256") or UNSIGNED
    return _verified(request, headers, claim, payload_hash, circle)


def _verified(
    request: HttpRequest,
    headers: dict[str, str],
    claim: Claim,
    payload_hash: str,
    circle: Circle,
) -> Authenticated:
    _require_signed(headers, claim.signed_headers)
    named = claim.credential
    record = require_key(circle, named.access_key_id, claim.token)
    signed = claim.sign(request, headers, payload_hash, record.secret_access_key)
    if not canonical.same(signed.signature, claim.signature.lower()):
        texts = signed.to_sign, signed.canonical
        raise mismatch(named.access_key_id, texts, claim.signature, claim.token)
    plain = canonical.hoisted(request, canonical.ALGORITHM) if claim.in_query else request
    if circle.with_body:
        signer = chunked.ChunkSigner(signed.key, stamp(claim.time), named.scope, signed.signature)
        plain = _with_payload(plain, payload_hash, signer)
    return claim.proved(plain, record, circle, payload_hash)


def _payload_hash(headers: Mapping[str, str]) -> str:
    sent = headers.get(HASH_HEADER)
    if sent is None:
        raise ApiFault("InvalidRequest", f"Missing required header for this request: {HASH_HEADER}")
    if sent.startswith("STREAMING-AWS4-ECDSA-"):
        raise ApiFault(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            501,
            extra={"Header": HASH_HEADER},
        )
    if sent != UNSIGNED and sent not in chunked.MODES and not _SHA256.fullmatch(sent):
        message = (
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, "
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
        )
        raise invalid_argument(message, HASH_HEADER, sent)
    return sent


def _require_unexpired(time: datetime, sent: str, now: datetime) -> None:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", sent):
        raise _bad_parameters("X-Amz-Expires should be a number")
    seconds = int(sent)
    if seconds < 0:
        raise _bad_parameters("X-Amz-Expires must be non-negative")
    if seconds > _A_WEEK:
        raise _bad_parameters(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given "
            "X-Amz-Expires must be less than 604800 seconds"
        )
    if time - now > MAX_SKEW:
        said = {"X-Amz-Date": str(int(time.timestamp() * 1000))}
        problem = "Request is not yet valid"
    elif (now - time).total_seconds() > seconds:
        said = {"X-Amz-Expires": sent}
        problem = "Request has expired"
    else:
        return
    # A date at the end of year 9999 plus a week is none.
    expires = shown(min(time, _LAST_TIME) + timedelta(seconds=seconds))
    raise access_denied(problem, {**said, "Expires": expires, "ServerTime": shown(now)})


def _require_signed(headers: Mapping[str, str], signed: tuple[str, ...]) -> None:
    wanted = {"host", *(name for name in headers if name.startswith(("x-amz-", "content-md5")))}
    left_out = sorted(wanted - {HASH_HEADER, *signed})
    if left_out:
        raise access_denied(
            "There were headers present in the request which were not signed",
            {"HeadersNotSigned": ", ".join(left_out)},
        )


def _with_payload(
    request: HttpRequest, payload_hash: str, signer: chunked.ChunkSigner
) -> HttpRequest:
    """The request with its payload as it is to be stored, held against all that vouches for it."""
    if payload_hash in chunked.MODES:
        unsigned = payload_hash == chunked.UNSIGNED_TRAILER
        request = _unframed(request, payload_hash, None if unsigned else signer)
    elif _SHA256.fullmatch(payload_hash):
        actual = hashlib.sha256(request.body).hexdigest()
        if actual != payload_hash.lower():
            raise ApiFault(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
                extra={
                    "ClientComputedContentSHA256": payload_hash,
                    "S3ComputedContentSHA256": actual,
                },
            )
    verify_checksums(request)
    return request


def verify_checksums(request: HttpRequest) -> None:
    """Hold the body against its checksum headers.

    Those of CompleteMultipartUpload (a POST with an uploadId) are of the object, not the body.
    """
    if request.method == "POST" and any(name == "uploadId" for name, _ in request.query):
        return
    checksums.verify(canonical.header_map(request), request.body)


def _unframed(request: HttpRequest, mode: str, signer: chunked.ChunkSigner | None) -> HttpRequest:
    headers = canonical.header_map(request)
    payload, trailers = chunked.decode(request.body, mode, signer, headers)
    gone, kept = _STREAMING_HEADERS | set(trailers), []
    for name, value in request.headers:
        lower = name.lower()
        if lower == "content-encoding":
            value = ",".join(v for v in map(str.strip, value.split(",")) if v != "aws-chunked")  # noqa: PLW2901 - the header less the framing that is gone
        if lower not in gone and (value or lower != "content-encoding"):
            kept.append((name, str(len(payload)) if lower == "content-length" else value))
    return replace(request, headers=(*kept, *trailers.items()), body=payload)


# -- what both of S3's signature versions share: times, keys, refusals ---------------------------


def sent_at(headers: Mapping[str, str], circle: Circle) -> datetime:
    """When a request with an Authorization header says that it was made: 15 minutes off at most."""
    date = headers["x-amz-date"] if "x-amz-date" in headers else headers.get("date", "")
    time, now = canonical.header_time(date), circle.real_clock()
    if time is None:
        raise access_denied("AWS authentication requires a valid Date or x-amz-date header")
    if abs(now - time) > MAX_SKEW:
        raise ApiFault(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            _FORBIDDEN,
            extra={
                "RequestTime": date,
                "ServerTime": shown(now),
                "MaxAllowedSkewMilliseconds": str(int(MAX_SKEW.total_seconds() * 1000)),
            },
        )
    return time


def require_key(circle: Circle, access_key_id: str, token: str) -> KeyRecord:
    """The key that signed, with the session token that goes with it and is still good."""
    record = circle.keys(access_key_id)
    if record is None or not record.active or (record.session_token and not token):
        raise ApiFault(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            _FORBIDDEN,
            extra={"AWSAccessKeyId": access_key_id},
        )
    if not canonical.same(record.session_token, token):
        raise ApiFault(
            "InvalidToken", "The provided token is malformed or otherwise invalid.", _BAD
        )
    if circle.expired(record):
        raise ApiFault("ExpiredToken", "The provided token has expired.", _BAD)
    return record


def _credential(text: str, *, in_query: bool) -> Credential:
    named = Credential.of(text)
    if named is None:
        raise _bad_credential(
            'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/'
            'aws4_request".',
            in_query=in_query,
        )
    bad_date = (
        f'incorrect date format "{named.date}". This date in the credential must be in the '
        'format "yyyyMMdd".'
    )
    bad_region = f"the region '{named.region}' is wrong; expecting '{_HOME}'"
    bad_service = f'incorrect service "{named.service}". This endpoint belongs to "s3".'
    bad_end = f'incorrect terminal "{named.terminal}". This endpoint uses "aws4_request".'
    problems: tuple[tuple[bool, str, Mapping[str, str]], ...] = (
        (not canonical.basic_time(f"{named.date}T000000Z"), bad_date, {}),
        (not named.region, "a non-empty region must be provided in the credential.", {}),
        (not REGION.fullmatch(named.region), bad_region, {"Region": _HOME}),
        (named.service != canonical.S3, bad_service, {}),
        (named.terminal != "aws4_request", bad_end, {}),
    )
    for wrong, message, extra in problems:
        if wrong:
            raise _bad_credential(message, extra, in_query=in_query)
    return named


def _bad_credential(
    message: str, extra: Mapping[str, str] | None = None, *, in_query: bool
) -> ApiFault:
    if in_query:
        return _bad_parameters(f"Error parsing the X-Amz-Credential parameter; {message}", extra)
    return _malformed(message, extra)


def _bad_parameters(message: str, extra: Mapping[str, str] | None = None) -> ApiFault:
    return ApiFault("AuthorizationQueryParametersError", message, _BAD, extra=extra)


def _malformed(message: str, extra: Mapping[str, str] | None = None) -> ApiFault:
    message = f"The authorization header is malformed; {message}"
    return ApiFault("AuthorizationHeaderMalformed", message, _BAD, extra=extra)


def access_denied(message: str, extra: Mapping[str, str] | None = None) -> ApiFault:
    """AccessDenied for what the request says of itself, not for what a policy says."""
    return ApiFault("AccessDenied", message, _FORBIDDEN, extra=extra)


def invalid_argument(message: str, name: str, value: str) -> ApiFault:
    extra = {"ArgumentName": name, "ArgumentValue": value}
    return ApiFault("InvalidArgument", message, _BAD, extra=extra)


def mismatch(
    access_key_id: str, texts: tuple[str, ...], signature: str, token: str = ""
) -> ApiFault:
    """SignatureDoesNotMatch, with what S3 signed, so that one can see where the two differ.

    ``texts`` are the string to sign and the canonical request, where there is one. They may hold
    the session token, in S3's answer too; here it is taken out.
    """
    extra = {"AWSAccessKeyId": access_key_id, "SignatureProvided": signature}
    for name, text in zip(("StringToSign", "CanonicalRequest"), texts, strict=False):
        for secret in filter(None, (token, quote(token, safe="-_.~"))):
            text = text.replace(secret, "(a session token)")  # noqa: PLW2901 - less its secrets
        extra |= {name: text, f"{name}Bytes": text.encode().hex(" ")}
    return ApiFault(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
        _FORBIDDEN,
        extra=extra,
    )
