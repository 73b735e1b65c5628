"""Requests signed by botocore's own signers, as the bytes that go over the wire."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import (
    HmacV1Auth,
    HmacV1QueryAuth,
    S3SigV4Auth,
    S3SigV4QueryAuth,
    SigV4Auth,
    SigV4QueryAuth,
)
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from stslab.policy import Principal
from stslab.sandbox.api.http import read_body, read_head
from stslab.sandbox.api.model import Caller, HttpRequest, KeyRecord
from stslab.sandbox.signing.signature import Authenticator

HOST = "127.0.0.1:4566"
REGION = "us-east-1"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//token+of=a&session=="


def _record(key: str, **more: Any) -> KeyRecord:
    user = Principal.from_arn("arn:aws:iam::111122223333:user/u")
    return KeyRecord(Caller(user, key), SECRET, **more)


def records(now: datetime) -> dict[str, KeyRecord]:
    hour = timedelta(hours=1)
    return {
        record.caller.access_key_id: record
        for record in (
            _record("AKIAIOSFODNN7EXAMPLE"),
            _record("AKIAINACTIVE7EXAMPLE", active=False),
            _record("ASIASESSION7EXAMPLE", session_token=TOKEN, expires=now + hour),
            _record("ASIAEXPIRED7EXAMPLE", session_token=TOKEN, expires=now),
        )
    }


def authenticator(
    clock_offset: timedelta = timedelta(0), at: datetime | None = None
) -> Authenticator:
    """An authenticator by the real time with an offset, or always by the time ``at``."""
    now = at or datetime.now(UTC)
    return Authenticator(
        records(now).get, lambda: now, lambda: (at or datetime.now(UTC)) + clock_offset
    )


def _presigner(credentials: Any, service: str) -> Any:
    """Signs the payload hash in a header, if there is one."""
    signer = S3SigV4QueryAuth(credentials, service, REGION, 60)
    usual = signer.payload
    signer.payload = lambda request: request.headers.get("x-amz-content-sha256") or usual(request)
    return signer


SIGNERS = {
    "query-header": lambda c, s: SigV4Auth(c, s, REGION),
    "query-presigned": lambda c, s: SigV4QueryAuth(c, s, REGION, 60),
    "s3-header": lambda c, s: S3SigV4Auth(c, s, REGION),
    "s3-presigned": _presigner,
    "s3-v2-header": lambda c, _: HmacV1Auth(c),
    "s3-v2-presigned": lambda c, _: HmacV1QueryAuth(c, 60),
}


def signed(
    how: str,
    *,
    method: str = "GET",
    path: str = "/",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    service: str = "",
    key: str = "AKIAIOSFODNN7EXAMPLE",
    secret: str = SECRET,
    token: str | None = None,
    host: str = HOST,
) -> HttpRequest:
    """What a botocore client would send."""
    request = AWSRequest(method, f"http://{host}{path}", headers=headers, data=body)
    credentials = Credentials(key, secret, token)
    service = service or ("s3" if how.startswith("s3") else "sts")
    if how == "s3-header" and "x-amz-trailer" in request.headers:
        # As botocore does if the body is sent in chunks: their content is not signed.
        request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
    if how.endswith("presigned"):
        # As botocore's presigning does: the body is not signed.
        request.context["client_config"] = None
    SIGNERS[how](credentials, service).add_auth(request)
    return over_the_wire(request, host)


def over_the_wire(request: AWSRequest, host: str = HOST) -> HttpRequest:
    """The request as the server reads it from the bytes that are sent."""
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    sent = dict(prepared.headers)
    sent.setdefault("Host", host)
    body = prepared.body or b""
    body = body if isinstance(body, bytes) else bytes(body, "utf-8")
    sent["Content-Length"] = str(len(body))
    lines = [f"{request.method} {target} HTTP/1.1"]
    lines += [f"{name}: {_text(value)}" for name, value in sent.items()]
    return read(("\r\n".join(lines) + "\r\n\r\n").encode() + body)


def read(sent: bytes) -> HttpRequest:
    """The caller that the server finds for these bytes."""
    stream = io.BytesIO(sent)
    head = read_head(stream)
    assert head is not None
    body = read_body(stream, head.length)
    return replace(head.request, body=body)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def with_header(request: HttpRequest, name: str, value: str | None) -> HttpRequest:
    """The request with another value of a header, or without it."""
    kept = [(n, v) for n, v in request.headers if n.lower() != name.lower()]
    return replace(request, headers=(*kept, *([(name, value)] if value is not None else [])))


def with_target(request: HttpRequest, path: str, raw_query: str) -> HttpRequest:
    """The request with another path and query."""
    from stslab.sandbox.api.http import parse_query

    return replace(request, path=path, raw_query=raw_query, query=parse_query(raw_query))
