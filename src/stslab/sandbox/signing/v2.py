"""Verifies S3's Signature Version 2: boto3 and ``aws s3 presign`` make such URLs by default.

S3 User Guide, "Signing and authenticating REST requests".
"""

import base64
import functools
import hmac
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import unquote

from stslab.sandbox.api import operations
from stslab.sandbox.api.faults import SAYS, fault, invalid_argument
from stslab.sandbox.api.model import Authenticated, HttpRequest, iso
from stslab.sandbox.signing import canonical, s3
from stslab.sandbox.signing.canonical import TOKEN, Context, Headers
from stslab.vocabulary import REGION

_LAST = 2**31 - 1
# Those that the service model lacks, or that select no operation.
_FURTHER = ("defaultObjectAcl", "partNumber", "storageClass", "uploadId", "versionId")
# The headers of an answer that a request may override.
_ANSWER = "cache-control content-disposition content-encoding content-language content-type expires"


@functools.cache
def sub_resources() -> frozenset[str]:
    """What selects an operation must be signed, also what is newer than Signature Version 2."""
    models = [operations.operation("s3", name) for name in operations.names("s3")]
    selecting = frozenset().union(_FURTHER, *(operations.uri(model)[1] for model in models))
    return selecting - {"list-type"} | {f"response-{name}" for name in _ANSWER.split()}


class _Claim(NamedTuple):
    """A signature in a request; ``date`` is the Date header, or Expires in a query."""

    access_key_id: str
    signature: str
    date: str
    age: timedelta = timedelta(0)
    in_query: bool = False


def verify_header(request: HttpRequest, headers: Headers, context: Context) -> Authenticated:
    """Verify the signature in ``Authorization: AWS AccessKeyId:Signature``."""
    text = headers["authorization"]
    access_key_id, colon, signature = text.removeprefix("AWS ").partition(":")
    if not colon or not signature or ":" in signature:
        raise invalid_argument(SAYS["authorization"], "Authorization", text)
    age = context.real_clock() - s3.sent_at(headers, context)
    date = "" if "x-amz-date" in headers else request.header("date").strip()
    return _verified(request, headers, context, _Claim(access_key_id, signature, date, age))


def verify_query(request: HttpRequest, context: Context) -> Authenticated:
    """Verify the signature in ``?AWSAccessKeyId=...&Expires=...&Signature=...``."""
    parameters = dict(reversed(request.query))
    names = [name for name, _ in request.query]
    if any(names.count(name) != 1 for name in ("AWSAccessKeyId", "Expires", "Signature")):
        needed = "the Signature, Expires and AWSAccessKeyId parameters"
        raise fault("AccessDenied", f"Query-string authentication requires {needed}")
    expires, now = parameters["Expires"], context.real_clock()
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", expires) or int(expires) > _LAST:
        raise fault("AccessDenied", f"Invalid date (should be seconds since epoch): {expires}")
    if now.timestamp() > int(expires):
        end = datetime.fromtimestamp(max(int(expires), 0), tz=UTC)
        times = {"Expires": iso(end), "ServerTime": iso(now)}
        raise fault("AccessDenied", "Request has expired", times)
    headers = canonical.header_map(canonical.plain_request(request, "AWS"))
    if token := parameters.get(TOKEN, ""):
        headers[TOKEN] = token
    key_id, signature = parameters["AWSAccessKeyId"], parameters["Signature"]
    return _verified(request, headers, context, _Claim(key_id, signature, expires, in_query=True))


def _verified(
    request: HttpRequest, headers: Headers, context: Context, claim: _Claim
) -> Authenticated:
    token = headers.get(TOKEN, "")
    record = s3.require_key(context, claim.access_key_id, token)
    # A sub-resource without a value may be sent with an equals sign and signed without it.
    bare = replace(request, raw_query=re.sub(r"=(?=&|$)", "", request.raw_query))
    # The path has the bucket even if the Host names it. boto3 signs /bucket/ for /bucket.
    bucket, dot, _ = request.header("host").rpartition(".localhost")
    path = f"/{bucket}{request.path}" if dot else request.path
    paths = (path, f"{path}/") if path.count("/") == 1 and path != "/" else (path,)
    candidates = [
        _to_sign(one, headers, claim.date, path) for one in (request, bare) for path in paths
    ]
    key = record.secret_access_key.encode()
    digests = (hmac.digest(key, text.encode(), "sha1") for text in candidates)
    if not any(canonical.same(base64.b64encode(one).decode(), claim.signature) for one in digests):
        raise s3.mismatch(claim.access_key_id, candidates[:1], claim.signature, token)
    plain = canonical.plain_request(request, "AWS") if claim.in_query else request
    if context.with_body:
        s3.verify_checksums(plain)
    return Authenticated(
        caller=record.caller,
        service=canonical.S3,
        region=REGION,
        request=plain.without(canonical.CREDENTIALS),
        auth_type="REST-QUERY-STRING" if claim.in_query else "REST-HEADER",
        version="AWS",
        age=max(claim.age, timedelta(0)),
    )


def _to_sign(request: HttpRequest, headers: Headers, date: str, path: str) -> str:
    """The string to sign; ``date`` is the Date header's value, or Expires."""
    ours = sorted(name for name in headers if name.startswith("x-amz-"))
    amz = "".join(f"{name}:{headers[name]}\n" for name in ours)
    standard = "\n".join(headers.get(name, "") for name in ("content-md5", "content-type"))
    signed = []
    for part in filter(None, request.raw_query.split("&")):
        name, equals, value = part.partition("=")
        name = unquote(name)
        if name in sub_resources():
            signed.append((name, equals + unquote(value)))
    chosen = "&".join(name + text for name, text in sorted(signed))
    resource = f"{path}?{chosen}" if signed else path
    return f"{request.method}\n{standard}\n{date}\n{amz}{resource}"
