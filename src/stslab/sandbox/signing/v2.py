"""Signature Version 2, which S3 takes in presigned URLs and in the Authorization header.

boto3 and ``aws s3 presign`` make such URLs unless they are told otherwise.
AWS documentation: "Signing and authenticating REST requests" (S3 User Guide, Appendix).
"""

import base64
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from stslab.sandbox.api.model import Authenticated, HttpRequest
from stslab.sandbox.signing import canonical
from stslab.sandbox.signing.canonical import (
    TOKEN,
    Circle,
    bared,
    header_time,
    hoisted,
    shown,
)
from stslab.sandbox.signing.s3 import (
    access_denied,
    invalid_argument,
    mismatch,
    no_date,
    require_key,
    require_skew,
    verify_checksums,
)

_REGION = "us-east-1"
_LAST = 2**31 - 1
_STANDARD = ("content-md5", "content-type")
# Each sub-resource that S3 knows, also those younger than Signature Version 2: what selects an
# operation must be signed.
SUB_RESOURCES = frozenset(
    re.findall(
        r"\S+",
        """
        abac accelerate acl analytics annotation attributes cors defaultObjectAcl delete
        encryption intelligent-tiering inventory legal-hold lifecycle location logging
        metadataAnnotationTable metadataConfiguration metadataInventoryTable
        metadataJournalTable metadataTable metrics notification object-lock ownershipControls
        partNumber policy policyStatus publicAccessBlock renameObject replication
        requestPayment response-cache-control response-content-disposition
        response-content-encoding response-content-language response-content-type
        response-expires restore retention select select-type session storageClass tagging
        torrent uploadId uploads versionId versioning versions website
        """,
    )
)


def verify_header(request: HttpRequest, circle: Circle) -> Authenticated:
    """Hold a request against ``Authorization: AWS AccessKeyId:Signature``.

    Raises:
        ApiFault: it is not as it was signed; in the order in which S3 looks.
    """
    headers = canonical.header_map(request)
    text = headers["authorization"]
    access_key_id, colon, signature = text.removeprefix("AWS ").partition(":")
    if not colon or not signature or ":" in signature:
        raise invalid_argument(
            "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
            "Authorization",
            text,
        )
    date = headers["x-amz-date"] if "x-amz-date" in headers else headers.get("date", "")
    time = header_time(date)
    if time is None:
        raise no_date()
    now = circle.real_clock()
    require_skew(time, now, date)
    line = "" if "x-amz-date" in headers else _sent(request, "date")
    return _verified(request, headers, circle, (access_key_id, signature, line), now - time)


def verify_query(request: HttpRequest, circle: Circle) -> Authenticated:
    """Hold a request against ``?AWSAccessKeyId=...&Expires=...&Signature=...``.

    Raises:
        ApiFault: it has expired or is not as it was signed; in the order in which S3 looks.
    """
    parameters = dict(reversed(request.query))
    names = [name for name, _ in request.query]
    if any(names.count(name) != 1 for name in ("AWSAccessKeyId", "Expires", "Signature")):
        raise access_denied(
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId "
            "parameters"
        )
    expires = parameters["Expires"]
    now = circle.real_clock()
    _require_unexpired(expires, now)
    hoisted_headers = canonical.header_map(hoisted(request, "AWS"))
    token = parameters.get(TOKEN, "")
    headers = {**hoisted_headers, **({TOKEN: token} if token else {})}
    claim = (parameters["AWSAccessKeyId"], parameters["Signature"], expires)
    return _verified(request, headers, circle, claim, None)


def _require_unexpired(expires: str, now: datetime) -> None:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", expires) or int(expires) > _LAST:
        raise access_denied(f"Invalid date (should be seconds since epoch): {expires}")
    if now.timestamp() > int(expires):
        end = datetime.fromtimestamp(max(int(expires), 0), tz=UTC)
        raise access_denied(
            "Request has expired", {"Expires": shown(end), "ServerTime": shown(now)}
        )


def _verified(
    request: HttpRequest,
    headers: Mapping[str, str],
    circle: Circle,
    claim: tuple[str, str, str],
    age: timedelta | None,
) -> Authenticated:
    access_key_id, signature, date = claim
    record = require_key(circle, access_key_id, headers.get(TOKEN, ""))
    candidates = [string_to_sign(request, headers, date, path) for path in _resource_paths(request)]
    secret = record.secret_access_key
    if not any(canonical.same(sign(secret, text), signature) for text in candidates):
        token = headers.get(TOKEN, "")
        shown_text = candidates[0].replace(token, "(a session token)") if token else candidates[0]
        raise mismatch(access_key_id, shown_text, signature)
    plain = request if age is not None else hoisted(request, "AWS")
    if circle.with_body:
        verify_checksums(plain)
    return Authenticated(
        caller=record.caller,
        service=canonical.S3,
        region=_REGION,
        request=bared(plain),
        auth_type="REST-HEADER" if age is not None else "REST-QUERY-STRING",
        version="AWS",
        age=max(age or timedelta(0), timedelta(0)),
    )


def sign(secret: str, text: str) -> str:
    """The signature of a string to sign, in Base64."""
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()


def string_to_sign(request: HttpRequest, headers: Mapping[str, str], date: str, path: str) -> str:
    """What the secret key signs; ``date`` is the Date header's line, or Expires."""
    amz = "".join(
        f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-amz-")
    )
    standard = "\n".join(headers.get(name, "") for name in _STANDARD)
    resource = path + _sub_resources(request)
    return f"{request.method}\n{standard}\n{date}\n{amz}{resource}"


def _sub_resources(request: HttpRequest) -> str:
    signed = []
    for part in filter(None, request.raw_query.split("&")):
        name, equals, value = part.partition("=")
        if unquote(name) in SUB_RESOURCES:
            signed.append((unquote(name), equals + unquote(value)))
    return "?" + "&".join(name + value for name, value in sorted(signed)) if signed else ""


def _resource_paths(request: HttpRequest) -> tuple[str, ...]:
    """The resource's path as it is signed: with the bucket, also where the Host names that.

    boto3 signs a bucket as ``/bucket/`` and addresses it as ``/bucket``, which is the same.
    """
    bucket, dot, _ = request.header("host").rpartition(".localhost")
    path = f"/{bucket}{request.path}" if dot else request.path
    return (path, f"{path}/") if path.count("/") == 1 and path != "/" else (path,)


def _sent(request: HttpRequest, name: str) -> str:
    return request.header(name).strip()
