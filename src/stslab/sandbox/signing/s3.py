"""Verifies S3's Signature Version 4, in the header and in the query (presigned URLs).

S3 API Reference, "Authenticating Requests (AWS Signature Version 4)" with its pages on the header
and on query parameters, and "Error responses".
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import quote

from stslab.redaction import HIDDEN
from stslab.sandbox.api.faults import SAYS, fault, invalid_argument
from stslab.sandbox.api.http import MAX_HEADERS
from stslab.sandbox.api.identifiers import is_session_token
from stslab.sandbox.api.model import ApiFault, Authenticated, HttpRequest, KeyRecord, iso
from stslab.sandbox.signing import canonical, checksums, chunks
from stslab.sandbox.signing.canonical import HASH_HEADER, Claim, Context, Headers, same, stamp
from stslab.sandbox.signing.chunks import ChunkSigner
from stslab.vocabulary import REGION

UNSIGNED = "UNSIGNED-PAYLOAD"
_A_WEEK = 604800
HEADER, QUERY = "AuthorizationHeaderMalformed", "AuthorizationQueryParametersError"
_LAST_TIME = datetime(9999, 12, 20, tzinfo=UTC)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_COMPONENTS = ("Credential", "SignedHeaders", "Signature")
_COMPONENT = re.compile(r"[^=]*=[^=]*[^=\s]\s*")
_ONCE = canonical.PARAMETERS[canonical.ALGORITHM]
_REQUIRED = _ONCE - {"X-Amz-Security-Token", "X-Amz-Content-Sha256"}
_OWNER = "x-amz-expected-bucket-owner"
_LENGTH = "x-amz-decoded-content-length"
_OF_CHUNKS = {"content-encoding", "transfer-encoding", "x-amz-trailer", _LENGTH, HASH_HEADER}


def verify_header(request: HttpRequest, headers: Headers, context: Context) -> Authenticated:
    """Verify the signature in the Authorization header, with S3's order of checks."""
    payload_hash = _payload_hash(headers)
    time = sent_at(headers, context)
    parts = headers["authorization"].partition(" ")[2].split(",")
    if len(parts) != len(_COMPONENTS):
        raise fault(HEADER, SAYS[HEADER] + SAYS["credential components"])
    if wrong := next((part for part in parts if not _COMPONENT.fullmatch(part)), ""):
        said = f'{SAYS[HEADER]}the authorization component "{{}}" is malformed.'
        raise unlogged(HEADER, said, wrong)
    fields = {name: value for name, _, value in (part.strip().partition("=") for part in parts)}
    if missing := next((name for name in _COMPONENTS if name not in fields), ""):
        raise fault(HEADER, f"{SAYS[HEADER]}missing {missing}.")
    credential = _credential(fields["Credential"], HEADER)
    if credential.date != stamp(time)[:8]:
        raise fault(HEADER, SAYS[HEADER] + SAYS["credential of another day"])
    token = headers.get(canonical.TOKEN, "")
    signed = tuple(sorted({*fields["SignedHeaders"].lower().split(";")}))
    claim = Claim(credential, signed, fields["Signature"], time, token, in_query=False)
    return _verified(request, headers, claim, payload_hash, context)


def unlogged(code: str, said: str, value: str) -> ApiFault:
    """A fault that repeats a value, which the log does not: it may be a secret."""
    return ApiFault(code, said.format(value), log={"errorMessage": said.format(HIDDEN)})


def verify_query(request: HttpRequest, headers: Headers, context: Context) -> Authenticated:
    """Verify the signature in the query, with S3's order of checks."""
    parameters = dict(request.query)
    if parameters["X-Amz-Algorithm"] != canonical.ALGORITHM:
        raise fault(QUERY, SAYS["query algorithm"])
    names = [name for name, _ in request.query]
    if _REQUIRED - parameters.keys() or canonical.repeated(names, _ONCE):
        raise fault(QUERY, SAYS["query parameters"])
    time = canonical.basic_time(parameters["X-Amz-Date"])
    if time is None:
        raise fault(QUERY, SAYS["query date"])
    _require_unexpired(time, parameters["X-Amz-Expires"], context.real_clock())
    credential = _credential(parameters["X-Amz-Credential"], QUERY)
    if credential.date != (date := stamp(time)[:8]):
        raise fault(QUERY, SAYS["query of another day"].format(credential.date, date))
    signed = tuple(parameters["X-Amz-SignedHeaders"].split(";", MAX_HEADERS))
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
    unsigned = required - {HASH_HEADER, *claim.signed_headers}
    if missing := sorted(unsigned, key=lambda name: (not name.startswith("x-amz-"), name)):
        raise fault("AccessDenied", SAYS["not signed"], HeadersNotSigned=", ".join(missing))
    if claim.in_query and _OWNER in headers and _OWNER in dict(request.query):
        raise fault("InvalidBucketOwnerAWSAccountID", SAYS["owner twice"])
    plain = canonical.plain_request(request, canonical.ALGORITHM) if claim.in_query else request
    values = canonical.header_map(plain) if claim.in_query else headers  # some are in the query
    credential = claim.credential
    record = require_key(context, credential.access_key_id, claim.token)
    signature, key, *texts = claim.sign(request, values, payload_hash, record.secret_access_key)
    if not same(signature, claim.signature.lower()):
        raise mismatch(claim, texts[1:], texts[0], claim.signature)
    if context.with_body:
        scope, refusal = "/".join(credential[1:]), partial(mismatch, claim, texts[1:])
        signer = ChunkSigner(key, stamp(claim.time), scope, signature, refusal)
        plain = with_payload(plain, payload_hash, () if claim.in_query else chunks.MODES, signer)
    return claim.authenticated(plain, record, context, headers.get(HASH_HEADER, ""))


def _payload_hash(headers: Headers) -> str:
    sent = headers.get(HASH_HEADER)
    if sent is None:
        raise fault("InvalidRequest", f"Missing required header for this request: {HASH_HEADER}")
    if sent.startswith("STREAMING-AWS4-ECDSA-"):
        raise fault("NotImplemented", Header=HASH_HEADER)
    if sent != UNSIGNED and sent not in chunks.MODES and not _SHA256.fullmatch(sent):
        raise invalid_argument(SAYS["payload hash"], HASH_HEADER, sent)
    return sent


def _require_unexpired(time: datetime, sent: str, now: datetime) -> None:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", sent):
        raise fault(QUERY, "X-Amz-Expires should be a number")
    seconds = int(sent)
    if seconds < 0:
        raise fault(QUERY, "X-Amz-Expires must be non-negative")
    if seconds > _A_WEEK:
        raise fault(QUERY, SAYS["query life"].format(_A_WEEK))
    # A week after the end of the year 9999 there is no date.
    expires = min(time, _LAST_TIME) + timedelta(seconds=seconds)
    times = {"Expires": iso(expires), "ServerTime": iso(now)}
    if time - now > canonical.MAX_SKEW:
        sent = str(int(time.timestamp() * 1000))
        raise fault("AccessDenied", "Request is not yet valid", {"X-Amz-Date": sent} | times)
    if expires < now:
        raise fault("AccessDenied", "Request has expired", {"X-Amz-Expires": sent} | times)


def with_payload(
    request: HttpRequest,
    payload_hash: str,
    modes: Collection[str] = (),
    signer: ChunkSigner | None = None,
) -> HttpRequest:
    """The request with its content, which is verified, and in chunks only in these ``modes``."""
    if request.method not in ("PUT", "POST"):
        return request
    headers = canonical.header_map(request)
    length = headers.get(_LENGTH, "") if payload_hash in chunks.MODES else str(len(request.body))
    promised = checksums.trailing(headers)
    checksums.check(request, headers)
    if not re.fullmatch(r"[0-9]{1,19}", length):
        raise fault("MissingContentLength")
    if payload_hash in modes:
        payload, trailers = chunks.decode(request.body, payload_hash, signer, promised)
        further = {"content-length": str(len(payload)), **trailers, **_encoding(headers)}
        kept = request.without(_OF_CHUNKS | further.keys()).headers
        request = replace(request, headers=(*kept, *further.items()), body=payload)
        headers, payload_hash = headers | trailers, UNSIGNED
    elif promised:
        raise fault("MalformedTrailerError")
    encoding = headers.get("content-encoding", "")
    if "aws-chunked" in re.split(r"\s*,\s*", encoding) and headers.get(HASH_HEADER) == UNSIGNED:
        raise invalid_argument(SAYS["unsigned chunks"], "Content-Encoding", encoding)
    if len(request.body) != int(length):
        sizes = {"NumberBytesExpected": length, "NumberBytesProvided": len(request.body)}
        raise fault("IncompleteBody", SAYS["too few bytes"], sizes)
    try:
        checksums.verify(request, headers, "" if payload_hash == UNSIGNED else payload_hash)
    except ApiFault as wrong:
        if request.method != "POST" or "delete" not in dict(request.query):
            raise
        return replace(request, wrong=wrong)  # which S3 tells after what is wrong in the body
    return request


def _encoding(headers: Headers) -> Headers:
    """The encodings of the content without that of its chunks, if there are others."""
    encodings = headers.get("content-encoding", "").split(",")
    kept = ",".join(one for one in encodings if one.strip() != "aws-chunked").strip()
    return {"content-encoding": kept} if kept else {}


# -- for both of S3's signature versions: times, keys, refusals ---------------------------------


def sent_at(headers: Headers, context: Context) -> datetime:
    """The time in a request with an Authorization header: within 15 minutes of now."""
    date = headers["x-amz-date"] if "x-amz-date" in headers else headers.get("date", "")
    time, now = canonical.header_time(date), context.real_clock()
    if time is None or time.timestamp() < 0:  # there is none before 1970
        raise fault("AccessDenied", SAYS["no date"])
    if abs(now - time) > canonical.MAX_SKEW:
        most = canonical.MAX_SKEW // timedelta(milliseconds=1)
        told = {"RequestTime": date, "ServerTime": iso(now), "MaxAllowedSkewMilliseconds": most}
        raise fault("RequestTimeTooSkewed", extra=told)
    return time


def require_key(context: Context, access_key_id: str, token: str) -> KeyRecord:
    """The access key that signed. ApiFault: it is unknown, its token is wrong, or it expired."""
    record = context.keys(access_key_id)
    unknown = fault("InvalidAccessKeyId", AWSAccessKeyId=access_key_id)
    if record is None or not record.active:
        raise unknown
    if not canonical.same(record.session_token, token):
        of_another = record.session_token and (not token or is_session_token(token))
        raise unknown if of_another else fault("InvalidToken")
    if context.expired(record):
        raise fault("ExpiredToken")
    return record


def _credential(text: str, code: str) -> canonical.Credential:
    credential, extra, problem = canonical.Credential.of(text), {}, ""
    if credential is None:
        raise fault(code, SAYS[code] + SAYS["credential"])
    key, date, region, service, terminal = credential
    if not key:
        problem = "a non-empty Access Key (AKID) must be provided in the credential."
    elif not canonical.basic_time(f"{date}T000000Z"):
        problem = SAYS["credential date"].format(date)
    elif not region:
        problem = "a non-empty region must be provided in the credential."
    elif region not in canonical.REGIONS:
        problem, extra = f"the region '{region}' is wrong; expecting '{REGION}'", {"Region": REGION}
    elif service != canonical.S3:
        problem = f'incorrect service "{service}". This endpoint belongs to "s3".'
    elif terminal != "aws4_request":
        problem = f'incorrect terminal "{terminal}". This endpoint uses "aws4_request".'
    if problem:
        raise fault(code, SAYS[code] + problem, extra)
    return credential


def mismatch(claim: Claim, further: Sequence[str], to_sign: str, signature: str) -> ApiFault:
    """SignatureDoesNotMatch, with the texts that S3 signed, to compare with the client's.

    ``further`` is the canonical request, which Version 2 lacks. The members have S3's order;
    but unlike S3's answer, they do not show the session token.
    """
    key_id, texts = claim.credential.access_key_id, [to_sign, *further]
    for secret in {claim.token, quote(claim.token, safe="-_.~")} - {""}:
        texts = [text.replace(secret, "(a session token)") for text in texts]
    extra = {"AWSAccessKeyId": key_id, "StringToSign": texts[0], "SignatureProvided": signature}
    for name, text in zip(("StringToSign", "CanonicalRequest"), texts, strict=False):
        extra |= {name: text, f"{name}Bytes": text.encode().hex(" ")}
    return fault("SignatureDoesNotMatch", extra=extra)
