"""Verifies S3's Signature Version 4, in the header and in the query (presigned URLs).

S3 API Reference, "Authenticating Requests (AWS Signature Version 4)" with its pages on the header
and on query parameters, and "Error responses".
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from stslab.sandbox.api.faults import SAYS, fault, invalid_argument
from stslab.sandbox.api.identifiers import TOKEN_PREFIX
from stslab.sandbox.api.model import ApiFault, Authenticated, HttpRequest, KeyRecord, iso
from stslab.sandbox.signing import canonical, checksums, chunks
from stslab.sandbox.signing.canonical import HASH_HEADER, Claim, Context, Headers, same, stamp
from stslab.sandbox.signing.chunks import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, ChunkSigner
from stslab.vocabulary import REGION

UNSIGNED = "UNSIGNED-PAYLOAD"
NO_SUCH_MECHANISM = (
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
)
_A_WEEK = 604800
HEADER, QUERY = "AuthorizationHeaderMalformed", "AuthorizationQueryParametersError"
IN = {
    HEADER: "The authorization header is malformed; ",
    QUERY: "Error parsing the X-Amz-Credential parameter; ",
}
"""By error code: the beginning of the message."""
_LAST_TIME = datetime(9999, 12, 20, tzinfo=UTC)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_COMPONENTS = ("Credential", "SignedHeaders", "Signature")
_ONCE = canonical.PARAMETERS[canonical.ALGORITHM]
_REQUIRED = _ONCE - {"X-Amz-Security-Token", "X-Amz-Content-Sha256"}
_OWNER = "x-amz-expected-bucket-owner"
_FRAMING = {"content-length", "transfer-encoding"}
_STREAMING_HEADERS = {"x-amz-decoded-content-length", "x-amz-trailer", HASH_HEADER}


def verify_header(request: HttpRequest, headers: Headers, context: Context) -> Authenticated:
    """Verify the signature in the Authorization header, with S3's order of checks."""
    payload_hash = _payload_hash(headers)
    time = sent_at(headers, context)
    _, _, rest = headers["authorization"].partition(" ")
    parts = [part.strip().partition("=") for part in rest.split(",")]
    fields = {name: value for name, _, value in parts}
    if len(fields) != len(parts) or set(fields) != set(_COMPONENTS) or not all(fields.values()):
        what = "the authorization header requires three components: Credential, SignedHeaders, "
        raise fault(HEADER, f"{IN[HEADER]}{what}and Signature.")
    credential = _credential(fields["Credential"], HEADER)
    if credential.date != stamp(time)[:8]:
        what = "Invalid credential date. Date is not the same as X-Amz-Date."
        raise fault(HEADER, IN[HEADER] + what)
    token = headers.get(canonical.TOKEN, "")
    signed = tuple(sorted({*fields["SignedHeaders"].lower().split(";")}))
    claim = Claim(credential, signed, fields["Signature"], time, token, in_query=False)
    return _verified(request, headers, claim, payload_hash, context)


def verify_query(request: HttpRequest, headers: Headers, context: Context) -> Authenticated:
    """Verify the signature in the query, with S3's order of checks."""
    parameters = dict(request.query)
    if parameters["X-Amz-Algorithm"] != canonical.ALGORITHM:
        what = 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'
        raise fault(QUERY, what)
    if _REQUIRED - parameters.keys() or canonical.repeated(
        [name for name, _ in request.query], _ONCE
    ):
        raise fault(
            QUERY,
            "Query-string authentication version 4 requires the X-Amz-Algorithm, "
            "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
            "X-Amz-Expires parameters.",
        )
    time = canonical.basic_time(parameters["X-Amz-Date"])
    if time is None:
        what = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
        raise fault(QUERY, what)
    _require_unexpired(time, parameters["X-Amz-Expires"], context.real_clock())
    credential = _credential(parameters["X-Amz-Credential"], QUERY)
    if credential.date != (date := stamp(time)[:8]):
        what = f'Invalid credential date "{credential.date}". This date is not the same as '
        raise fault(QUERY, f'{what}X-Amz-Date: "{date}".')
    signed = tuple(parameters["X-Amz-SignedHeaders"].split(";"))
    token = headers.get(canonical.TOKEN) or parameters.get("X-Amz-Security-Token", "")
    claim = Claim(credential, signed, parameters["X-Amz-Signature"], time, token, in_query=True)
    payload_hash = headers.get(HASH_HEADER) or parameters.get("X-Amz-Content-Sha256") or UNSIGNED
    return _verified(request, headers, claim, payload_hash, context)


def _verified(
    request: HttpRequest, headers: Headers, claim: Claim, payload_hash: str, context: Context
) -> Authenticated:
    required = {"host", *(name for name in headers if name.startswith(("x-amz-", "content-md5")))}
    # Nor may what is not signed replace a condition that is in the query.
    asked = {name.lower(): value for name, value in request.query if name in canonical.CONDITIONS}
    required |= {name for name in asked.keys() & headers.keys() if headers[name] != asked[name]}
    if missing := sorted(required - {HASH_HEADER, *claim.signed_headers}):
        raise fault("AccessDenied", SAYS["not signed"], HeadersNotSigned=", ".join(missing))
    if claim.in_query and _OWNER in headers and _OWNER in dict(request.query):
        raise fault("InvalidBucketOwnerAWSAccountID", SAYS["owner twice"])
    plain = canonical.plain_request(request, canonical.ALGORITHM) if claim.in_query else request
    values = canonical.header_map(plain) if claim.in_query else headers  # some are in the query
    credential = claim.credential
    record = require_key(context, credential.access_key_id, claim.token)
    signature, key, *texts = claim.sign(request, values, payload_hash, record.secret_access_key)
    if not same(signature, claim.signature.lower()):
        raise mismatch(credential.access_key_id, texts, claim.signature, claim.token)
    if context.with_body:
        signer = ChunkSigner(key, stamp(claim.time), "/".join(credential[1:]), signature)
        plain = _with_payload(plain, payload_hash, signer)
    return claim.authenticated(plain, record, context, headers.get(HASH_HEADER, ""))


def _payload_hash(headers: Headers) -> str:
    sent = headers.get(HASH_HEADER)
    if sent is None:
        raise fault("InvalidRequest", f"Missing required header for this request: {HASH_HEADER}")
    if sent.startswith("STREAMING-AWS4-ECDSA-"):
        raise fault("NotImplemented", Header=HASH_HEADER)
    if sent != UNSIGNED and sent not in chunks.MODES and not _SHA256.fullmatch(sent):
        asymmetric = [mode.replace("HMAC", "ECDSA-P256") for mode in (SIGNED, SIGNED_TRAILER)]
        known = ", ".join((UNSIGNED, UNSIGNED_TRAILER, SIGNED, SIGNED_TRAILER, *asymmetric))
        message = f"{HASH_HEADER} must be {known} or a valid sha256 value."
        raise invalid_argument(message, HASH_HEADER, sent)
    return sent


def _require_unexpired(time: datetime, sent: str, now: datetime) -> None:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", sent):
        raise fault(QUERY, "X-Amz-Expires should be a number")
    seconds = int(sent)
    if seconds < 0:
        raise fault(QUERY, "X-Amz-Expires must be non-negative")
    if seconds > _A_WEEK:
        what = "X-Amz-Expires must be less than a week (in seconds); that is, the given "
        raise fault(QUERY, f"{what}X-Amz-Expires must be less than {_A_WEEK} seconds")
    # A week after the end of the year 9999 there is no date.
    expires = min(time, _LAST_TIME) + timedelta(seconds=seconds)
    times = {"Expires": iso(expires), "ServerTime": iso(now)}
    if time - now > canonical.MAX_SKEW:
        sent = str(int(time.timestamp() * 1000))
        raise fault("AccessDenied", "Request is not yet valid", {"X-Amz-Date": sent} | times)
    if expires < now:
        raise fault("AccessDenied", "Request has expired", {"X-Amz-Expires": sent} | times)


def _with_payload(request: HttpRequest, payload_hash: str, signer: ChunkSigner) -> HttpRequest:
    if payload_hash in chunks.MODES:
        headers = canonical.header_map(request)
        checked = None if payload_hash == UNSIGNED_TRAILER else signer
        payload, trailers = chunks.decode(request.body, payload_hash, checked, headers)
        kept = request.without(_FRAMING | _STREAMING_HEADERS | trailers.keys()).headers
        length = ("Content-Length", str(len(payload)))
        request = replace(request, headers=(*kept, length, *trailers.items()), body=payload)
    elif _SHA256.fullmatch(payload_hash) and request.method in ("PUT", "POST"):
        actual = hashlib.sha256(request.body).hexdigest()
        if actual != payload_hash.lower():
            extra = {"ClientComputedContentSHA256": payload_hash, "S3ComputedContentSHA256": actual}
            raise fault("XAmzContentSHA256Mismatch", extra=extra)
    verify_checksums(request)
    return request


def verify_checksums(request: HttpRequest) -> None:
    """With an uploadId (CompleteMultipartUpload) they are the object's, not the body's."""
    if request.method != "POST" or "uploadId" not in dict(request.query):
        checksums.verify(canonical.header_map(request), request.body)


# -- for both of S3's signature versions: times, keys, refusals ---------------------------------


def sent_at(headers: Headers, context: Context) -> datetime:
    """The time in a request with an Authorization header: within 15 minutes of now."""
    date = headers["x-amz-date"] if "x-amz-date" in headers else headers.get("date", "")
    time, now = canonical.header_time(date), context.real_clock()
    if time is None:
        raise fault("AccessDenied", SAYS["no date"])
    if abs(now - time) > canonical.MAX_SKEW:
        most = {"MaxAllowedSkewMilliseconds": str(int(canonical.MAX_SKEW.total_seconds() * 1000))}
        raise fault("RequestTimeTooSkewed", extra=most, RequestTime=date, ServerTime=iso(now))
    return time


def require_key(context: Context, access_key_id: str, token: str) -> KeyRecord:
    """The access key that signed. ApiFault: it is unknown, its token is wrong, or it expired."""
    record = context.keys(access_key_id)
    unknown = fault("InvalidAccessKeyId", AWSAccessKeyId=access_key_id)
    if record is None or not record.active:
        raise unknown
    if not canonical.same(record.session_token, token):
        of_another = record.session_token and (not token or token.startswith(TOKEN_PREFIX))
        raise unknown if of_another else fault("InvalidToken")
    if context.expired(record):
        raise fault("ExpiredToken")
    return record


def _credential(text: str, code: str) -> canonical.Credential:
    credential, extra, problem = canonical.Credential.of(text), {}, ""
    if credential is None:
        expected = '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
        raise fault(code, f"{IN[code]}the Credential is mal-formed; expecting {expected}")
    _, date, region, service, terminal = credential
    if not canonical.basic_time(f"{date}T000000Z"):
        problem = f'incorrect date format "{date}". This date in the credential must be in the '
        problem += 'format "yyyyMMdd".'
    elif not region:
        problem = "a non-empty region must be provided in the credential."
    elif not canonical.REGION_FORM.fullmatch(region):
        problem, extra = f"the region '{region}' is wrong; expecting '{REGION}'", {"Region": REGION}
    elif service != canonical.S3:
        problem = f'incorrect service "{service}". This endpoint belongs to "s3".'
    elif terminal != "aws4_request":
        problem = f'incorrect terminal "{terminal}". This endpoint uses "aws4_request".'
    if problem:
        raise fault(code, IN[code] + problem, extra)
    return credential


def mismatch(access_key_id: str, texts: Sequence[str], signature: str, token: str) -> ApiFault:
    """SignatureDoesNotMatch, with the texts that S3 signed, to compare with the client's.

    ``texts`` are the string to sign and perhaps the canonical request. Unlike S3's answer, this
    one does not show the session token in them.
    """
    extra = {"AWSAccessKeyId": access_key_id, "SignatureProvided": signature}
    for name, text in zip(("StringToSign", "CanonicalRequest"), texts, strict=False):  # V2: one
        for secret in filter(None, (token, quote(token, safe="-_.~"))):
            text = text.replace(secret, "(a session token)")  # noqa: PLW2901 - without its secrets
        extra |= {name: text, f"{name}Bytes": text.encode().hex(" ")}
    return fault("SignatureDoesNotMatch", extra=extra)
