"""Verifies S3's Signature Version 2: boto3 and ``aws s3 presign`` make such URLs by default.

S3 User Guide, "Signing and authenticating REST requests".
"""

import base64
import functools
import hmac
import re
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import unquote

from stslab.sandbox.api import operations
from stslab.sandbox.api.faults import SAYS, fault, invalid_argument
from stslab.sandbox.api.http import bucket_in_host
from stslab.sandbox.api.model import Authenticated, HttpRequest, iso
from stslab.sandbox.signing import canonical, s3
from stslab.sandbox.signing.canonical import HASH_HEADER, TOKEN, Claim, Context, Credential, Headers

_LAST = 2**31 - 1
# Those that the service model lacks, or that select no operation.
_FURTHER = ("defaultObjectAcl", "partNumber", "storageClass", "uploadId", "versionId")
_NOT_SIGNED = {"list-type", "renameObject", "session"}  # the last two: of directory buckets only
# The headers of an answer that a request may override.
_ANSWER = "cache-control content-disposition content-encoding content-language content-type expires"


@functools.cache
def sub_resources() -> frozenset[str]:
    """What selects an operation must be signed, also what is newer than Signature Version 2."""
    models = [operations.operation("s3", name) for name in operations.names("s3")]
    selecting = frozenset().union(_FURTHER, *(operations.uri(model)[1] for model in models))
    return selecting - _NOT_SIGNED | {f"response-{name}" for name in _ANSWER.split()}


def verify_header(request: HttpRequest, _: Headers, context: Context) -> Authenticated:
    """Verify the signature in ``Authorization: AWS AccessKeyId:Signature``."""
    headers = canonical.header_map(request, collapsed=False)
    text = headers["authorization"]
    if text.count(" ") != 1:
        raise invalid_argument(SAYS["authorization space"], "Authorization", text)
    key_id, colon, signature = text.removeprefix("AWS ").partition(":")
    if not colon or not signature or ":" in signature:
        raise invalid_argument(SAYS["authorization"], "Authorization", text)
    time = s3.sent_at(headers, context)
    claim = Claim(Credential(key_id), (), signature, time, headers.get(TOKEN, ""), False, "AWS")
    date = "" if "x-amz-date" in headers else request.header("date").strip()
    return _verified(request, headers, context, claim, date)


def verify_query(request: HttpRequest, context: Context) -> Authenticated:
    """Verify the signature in ``?AWSAccessKeyId=...&Expires=...&Signature=...``."""
    parameters = dict(reversed(request.query))
    names = [name for name, _ in request.query]
    if any(names.count(name) != 1 for name in ("AWSAccessKeyId", "Expires", "Signature")):
        raise fault("AccessDenied", SAYS["query parameters of Version 2"])
    expires, now = parameters["Expires"], context.real_clock()
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", expires) or int(expires) > _LAST:
        raise fault("AccessDenied", f"Invalid date (should be seconds since epoch): {expires}")
    end = datetime.fromtimestamp(max(int(expires), 0), tz=UTC)
    if now > end:
        raise fault("AccessDenied", "Request has expired", Expires=iso(end), ServerTime=iso(now))
    plain = canonical.plain_request(request, "AWS", to_sign=True)
    headers = canonical.header_map(plain, collapsed=False)
    if token := parameters.get(TOKEN, ""):
        headers[TOKEN] = token
    key_id, signature = parameters["AWSAccessKeyId"], parameters["Signature"]
    # It does not say when it was signed: with its end as the time, its age is 0.
    claim = Claim(Credential(key_id), (), signature, end, headers.get(TOKEN, ""), True, "AWS")
    return _verified(request, headers, context, claim, expires)


def _verified(
    request: HttpRequest, headers: Headers, context: Context, claim: Claim, date: str
) -> Authenticated:
    record = s3.require_key(context, claim.credential.access_key_id, claim.token)
    # A sub-resource without a value may be sent with an equals sign and signed without it.
    bare = replace(request, raw_query=re.sub(r"=(?=&|$)", "", request.raw_query))
    # The path has the bucket even if the Host names it. boto3 signs /bucket/ for /bucket.
    bucket = bucket_in_host(request)
    path = f"/{bucket}{request.path}" if bucket else request.path
    paths = (path, f"{path}/") if path.count("/") == 1 and path != "/" else (path,)
    candidates = [_to_sign(one, headers, date, path) for one in (request, bare) for path in paths]
    key = record.secret_access_key.encode()
    digests = (hmac.digest(key, text.encode(), "sha1") for text in candidates)
    if not any(canonical.same(base64.b64encode(one).decode(), claim.signature) for one in digests):
        raise s3.mismatch(claim, (), candidates[0], claim.signature)
    plain = canonical.plain_request(request, "AWS") if claim.in_query else request
    if context.with_body:
        plain = s3.with_payload(plain, headers.get(HASH_HEADER, s3.UNSIGNED))
    return claim.authenticated(plain, record, context)


def _to_sign(request: HttpRequest, headers: Headers, date: str, path: str) -> str:
    """The string to sign; ``date`` is the Date header's value, or Expires."""
    ours = sorted(name for name in headers if name.startswith("x-amz-"))
    amz = "".join(f"{name}:{headers[name]}\n" for name in ours)
    standard = "\n".join(headers.get(name, "") for name in ("content-md5", "content-type"))
    parts = [part.partition("=") for part in request.raw_query.split("&")]
    given = sorted((unquote(name), equals + unquote(value)) for name, equals, value in parts)
    chosen = "&".join(name + text for name, text in given if name in sub_resources())
    resource = f"{path}?{chosen}" if chosen else path
    return f"{request.method}\n{standard}\n{date}\n{amz}{resource}"
