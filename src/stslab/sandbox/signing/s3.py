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
    MAX_SKEW,
    TOKEN,
    Circle,
    Claim,
    bared,
    basic_time,
    credential,
    expired,
    header_time,
    hoisted,
    shown,
    stamp,
)
from stslab.sandbox.signing.query import REGION

UNSIGNED = "UNSIGNED-PAYLOAD"
HASH_HEADER = "x-amz-content-sha256"
_A_WEEK = 604800
_LAST_TIME = datetime(9999, 12, 20, tzinfo=UTC)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_BAD_HASH = (
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or "
    "a valid sha256 value."
)
_COMPONENTS = ("Credential", "SignedHeaders", "Signature")
_PARAMETERS = tuple(
    f"X-Amz-{name}"
    for name in ("Algorithm", "Credential", "Signature", "Date", "SignedHeaders", "Expires")
)
_ALL_PARAMETERS = (
    "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
    "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
)
_STREAMING_HEADERS = {"x-amz-decoded-content-length", "x-amz-trailer", HASH_HEADER}


def verify_header(request: HttpRequest, circle: Circle) -> Authenticated:
    """Hold a request against the signature in its Authorization header.

    Raises:
        ApiFault: it is not as it was signed; in the order in which S3 looks.
    """
    headers = canonical.header_map(request)
    payload_hash = _payload_hash(headers)
    date = headers["x-amz-date"] if "x-amz-date" in headers else headers.get("date", "")
    time = header_time(date)
    if time is None:
        raise no_date()
    require_skew(time, circle.real_clock(), date)
    claim = _header_claim(headers, time)
    return _verified(request, headers, claim, payload_hash, circle)


def verify_query(request: HttpRequest, circle: Circle) -> Authenticated:
    """Hold a request against the signature in its query.

    Raises:
        ApiFault: it has expired or is not as it was signed; in the order in which S3 looks.
    """
    headers = canonical.header_map(request)
    parameters = dict(request.query)
    claim = _query_claim(request, parameters, circle.real_clock())
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
    text = canonical.canonical_request(
        request, canonical.S3, headers, claim.signed_headers, payload_hash, in_query=claim.in_query
    )
    to_sign = canonical.string_to_sign(claim.stamp, named.scope, text)
    key = canonical.signing_key(record.secret_access_key, named.date, named.region, named.service)
    ours = canonical.sign(key, to_sign)
    if not canonical.same(ours, claim.signature.lower()):
        raise mismatch(named.access_key_id, to_sign, claim.signature, text, claim.token)
    plain = hoisted(request, canonical.ALGORITHM) if claim.in_query else request
    signer = chunked.ChunkSigner(key, claim.stamp, named.scope, ours)
    return Authenticated(
        caller=record.caller,
        service=canonical.S3,
        region=named.region,
        request=bared(_with_payload(plain, payload_hash, signer) if circle.with_body else plain),
        auth_type="REST-QUERY-STRING" if claim.in_query else "REST-HEADER",
        version="AWS4-HMAC-SHA256",
        age=max(circle.real_clock() - claim.time, timedelta(0)),
        payload_hash=payload_hash,
    )


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
        raise invalid_argument(_BAD_HASH, HASH_HEADER, sent)
    return sent


def _header_claim(headers: Mapping[str, str], time: datetime) -> Claim:
    _, _, rest = headers["authorization"].partition(" ")
    parts = [part.strip().partition("=") for part in rest.split(",")]
    fields = {name: value for name, _, value in parts}
    if len(fields) != len(parts) or set(fields) != set(_COMPONENTS) or not all(fields.values()):
        raise ApiFault(
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the authorization header requires three "
            "components: Credential, SignedHeaders, and Signature.",
        )
    fault = bad_credential(fields["Credential"], REGION, in_query=False)
    named = credential(fields["Credential"])
    if fault or named is None:
        raise fault or AssertionError
    if named.date != stamp(time)[:8]:
        raise ApiFault(
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; Invalid credential date. "
            "Date is not the same as X-Amz-Date.",
        )
    return Claim(
        credential=named,
        signed_headers=tuple(fields["SignedHeaders"].split(";")),
        signature=fields["Signature"],
        stamp=stamp(time),
        time=time,
        token=headers.get(TOKEN, ""),
        in_query=False,
    )


def _query_claim(request: HttpRequest, parameters: Mapping[str, str], now: datetime) -> Claim:
    if parameters["X-Amz-Algorithm"] != canonical.ALGORITHM:
        raise bad_parameters(
            'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'
        )
    if any(name not in parameters for name in _PARAMETERS) or canonical.doubled(
        request.query, (*_PARAMETERS, "X-Amz-Security-Token", "X-Amz-Content-Sha256")
    ):
        raise bad_parameters(_ALL_PARAMETERS)
    time = basic_time(parameters["X-Amz-Date"])
    if time is None:
        raise bad_parameters(
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
        )
    _require_unexpired(time, parameters["X-Amz-Expires"], now)
    fault = bad_credential(parameters["X-Amz-Credential"], REGION, in_query=True)
    named = credential(parameters["X-Amz-Credential"])
    if fault or named is None:
        raise fault or AssertionError
    if named.date != stamp(time)[:8]:
        raise bad_parameters(
            f'Invalid credential date "{named.date}". This date is not the same as X-Amz-Date: '
            f'"{stamp(time)[:8]}".'
        )
    return Claim(
        credential=named,
        signed_headers=tuple(parameters["X-Amz-SignedHeaders"].split(";")),
        signature=parameters["X-Amz-Signature"],
        stamp=stamp(time),
        time=time,
        token=parameters.get("X-Amz-Security-Token", ""),
        in_query=True,
    )


def _require_unexpired(time: datetime, sent: str, now: datetime) -> None:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", sent):
        raise bad_parameters("X-Amz-Expires should be a number")
    seconds = int(sent)
    if seconds < 0:
        raise bad_parameters("X-Amz-Expires must be non-negative")
    if seconds > _A_WEEK:
        raise bad_parameters(
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
    end = min(time, _LAST_TIME) + timedelta(seconds=seconds)
    expires = shown(end)
    raise access_denied(problem, {**said, "Expires": expires, "ServerTime": shown(now)})


def _require_signed(headers: Mapping[str, str], signed: tuple[str, ...]) -> None:
    left_out = sorted(name for name in headers if _must_be_signed(name) and name not in signed)
    if "host" not in signed and "host" not in left_out:
        left_out.append("host")
    if left_out:
        raise access_denied(
            "There were headers present in the request which were not signed",
            {"HeadersNotSigned": ", ".join(left_out)},
        )


def _must_be_signed(name: str) -> bool:
    return name in {"host", "content-md5"} or (name.startswith("x-amz-") and name != HASH_HEADER)


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

    Raises:
        ApiFault: the body is not what its checksum says.
    """
    if request.method == "POST" and any(name == "uploadId" for name, _ in request.query):
        return
    checksums.verify(canonical.header_map(request), request.body)


def _unframed(request: HttpRequest, mode: str, signer: chunked.ChunkSigner | None) -> HttpRequest:
    headers = canonical.header_map(request)
    payload, trailers = chunked.decode(request.body, mode, signer, headers)
    kept = []
    for name, value in request.headers:
        lower = name.lower()
        if lower in _STREAMING_HEADERS or lower in trailers:
            continue
        if lower == "content-encoding":
            value = ",".join(v for v in map(str.strip, value.split(",")) if v != "aws-chunked")  # noqa: PLW2901 - the header less the framing that is gone
            if not value:
                continue
        kept.append((name, str(len(payload)) if lower == "content-length" else value))
    return replace(request, headers=(*kept, *trailers.items()), body=payload)


_HOME = "us-east-1"
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your key and signing method."
)
_MALFORMED_CREDENTIAL = (
    'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
)
_BAD_DATE = (
    'incorrect date format "{}". This date in the credential must be in the format "yyyyMMdd".'
)
_BAD_SERVICE = 'incorrect service "{}". This endpoint belongs to "s3".'
_BAD_TERMINAL = 'incorrect terminal "{}". This endpoint uses "aws4_request".'
_REMOVED = "(a session token)"
_FORBIDDEN, _BAD = 403, 400


def access_denied(message: str, extra: Mapping[str, str] | None = None) -> ApiFault:
    """AccessDenied for what the request says of itself, not for what a policy says."""
    return ApiFault("AccessDenied", message, _FORBIDDEN, extra=extra)


def no_date() -> ApiFault:
    """There is no time that the signature could be judged by."""
    return access_denied("AWS authentication requires a valid Date or x-amz-date header")


def bad_parameters(message: str, extra: Mapping[str, str] | None = None) -> ApiFault:
    """A presigned URL's parameters are not as they must be."""
    return ApiFault("AuthorizationQueryParametersError", message, _BAD, extra=extra)


def invalid_argument(message: str, name: str, value: str) -> ApiFault:
    """A header has a value that it can't have."""
    extra = {"ArgumentName": name, "ArgumentValue": value}
    return ApiFault("InvalidArgument", message, _BAD, extra=extra)


def unsupported_mechanism() -> ApiFault:
    """A signature of a kind that is not verified here."""
    return ApiFault(
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. "
        "Please use AWS4-HMAC-SHA256.",
        _BAD,
    )


def bad_credential(text: str, regions: re.Pattern[str], *, in_query: bool) -> ApiFault | None:
    """What is wrong with a credential and its scope; None where nothing is."""
    found = _credential_problem(text, regions)
    if found is None:
        return None
    message, extra = found
    if in_query:
        return bad_parameters(f"Error parsing the X-Amz-Credential parameter; {message}", extra)
    return ApiFault(
        "AuthorizationHeaderMalformed",
        f"The authorization header is malformed; {message}",
        _BAD,
        extra=extra,
    )


def _credential_problem(
    text: str, regions: re.Pattern[str]
) -> tuple[str, Mapping[str, str]] | None:
    named = credential(text)
    if named is None:
        return _MALFORMED_CREDENTIAL, {}
    wrong_region = f"the region '{named.region}' is wrong; expecting '{_HOME}'"
    problems: tuple[tuple[bool, str, Mapping[str, str]], ...] = (
        (not basic_time(f"{named.date}T000000Z"), _BAD_DATE.format(named.date), {}),
        (not named.region, "a non-empty region must be provided in the credential.", {}),
        (not regions.fullmatch(named.region), wrong_region, {"Region": _HOME}),
        (named.service != canonical.S3, _BAD_SERVICE.format(named.service), {}),
        (named.terminal != "aws4_request", _BAD_TERMINAL.format(named.terminal), {}),
    )
    return next(((message, extra) for wrong, message, extra in problems if wrong), None)


def require_skew(time: datetime, now: datetime, sent: str) -> None:
    """Refuse a request made more than 15 minutes before or after now.

    Raises:
        ApiFault: RequestTimeTooSkewed.
    """
    if abs(now - time) > MAX_SKEW:
        raise ApiFault(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            _FORBIDDEN,
            extra={
                "RequestTime": sent,
                "ServerTime": shown(now),
                "MaxAllowedSkewMilliseconds": str(int(MAX_SKEW.total_seconds() * 1000)),
            },
        )


def require_key(circle: Circle, access_key_id: str, token: str) -> KeyRecord:
    """The key that signed, with the session token that goes with it and is still good.

    Raises:
        ApiFault: InvalidAccessKeyId, InvalidToken or ExpiredToken.
    """
    record = circle.keys.lookup(access_key_id)
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
    if expired(record, circle.clock()):
        raise ApiFault("ExpiredToken", "The provided token has expired.", _BAD)
    return record


def mismatch(
    access_key_id: str, to_sign: str, signature: str, canonical_text: str = "", token: str = ""
) -> ApiFault:
    """SignatureDoesNotMatch, with what S3 signed, so that one can see where the two differ.

    The canonical request holds the session token, in S3's answer too; here it is taken out.
    """
    extra = {
        "AWSAccessKeyId": access_key_id,
        "StringToSign": to_sign,
        "SignatureProvided": signature,
        "StringToSignBytes": _bytes(to_sign),
    }
    if canonical_text:
        shown_text = canonical_text
        for secret in filter(None, (token, quote(token, safe="-_.~"))):
            shown_text = shown_text.replace(secret, _REMOVED)
        extra |= {"CanonicalRequest": shown_text, "CanonicalRequestBytes": _bytes(shown_text)}
    return ApiFault("SignatureDoesNotMatch", _MISMATCH, _FORBIDDEN, extra=extra)


def _bytes(text: str) -> str:
    return text.encode().hex(" ")


def too_large() -> ApiFault:
    """What an unsigned request gets that brings more than is read of one."""
    return ApiFault("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
