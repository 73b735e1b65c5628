"""Signed requests that no SDK would send, as raw bytes."""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.sandbox.cases import Account

SECONDS = 30


@dataclass(frozen=True)
class Said:
    """An answer: its status, the code of its error, and all of its body."""

    status: int
    code: str
    body: bytes


def send(
    account: Account,
    identity: str,
    method: str,
    target: str,
    *,
    service: str = "s3",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    host: str = "",
    unsigned: Sequence[tuple[str, str]] = (),
) -> Said:
    """Send a request with this very target; ``unsigned`` headers are added after signing."""
    port = account.endpoint.port
    name = host or f"127.0.0.1:{port}"
    keys = account.keys[identity]
    request = AWSRequest(method, f"http://{name}{target}", headers=dict(headers or {}), data=body)
    held = Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(held, service, "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        sent = [(k, v) for k, v in request.headers.items() if k.lower() not in _FRAMING]
        for header, value in (("Host", name), *sent, *unsigned):
            connection.putheader(header, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    found = re.search(rb"<Code>(\w+)</Code>", content)
    return Said(answer.status, found[1].decode() if found else "", content)


_FRAMING = {"host", "content-length"}
