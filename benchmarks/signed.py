"""Requests that boto3 signed once and that are sent many times: without what a client costs."""

import json
import socket
import threading
from collections.abc import Sequence
from urllib.parse import urlsplit

import boto3

from benchmarks.accounts import Account, fresh

_ONE_KB = b"x" * 1024
Requests = dict[str, bytes]


def prepared(account: Account) -> Requests:
    """The four calls by name, as bytes, for a user and a bucket that are made here."""
    user, bucket = fresh("bench-user"), fresh("bench-bucket")
    caught: list[bytes] = []
    iam, sts, s3 = (client(account, name, caught) for name in ("iam", "sts", "s3"))
    iam.create_user(UserName=user)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="first", Body=_ONE_KB)
    calls = {
        "GetCallerIdentity": sts.get_caller_identity,
        "GetUser": lambda: iam.get_user(UserName=user),
        "ListObjectsV2": lambda: s3.list_objects_v2(Bucket=bucket),
        "PutObject 1 KB": lambda: s3.put_object(Bucket=bucket, Key="first", Body=_ONE_KB),
    }
    return {name: _caught(call, caught) for name, call in calls.items()}


def one_write(account: Account) -> bytes:
    """A call that changes one thing, and may be made again and again: PutUserPolicy."""
    user, caught = fresh("bench-user"), list[bytes]()
    iam = client(account, "iam", caught)
    iam.create_user(UserName=user)
    allowed = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    iam.put_user_policy(UserName=user, PolicyName="bench", PolicyDocument=document)
    return caught[-1]


def client(account: Account, service: str, caught: list[bytes] | None = None):
    """A boto3 client; what it sends is put into ``caught``."""
    caught = [] if caught is None else caught
    made = boto3.client(
        service,
        endpoint_url=account.url,
        region_name="us-east-1",
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=account.secret_access_key,
    )
    made.meta.events.register("before-send", lambda request, **_: caught.append(_raw(request)))
    return made


def _caught(call, caught: list[bytes]) -> bytes:
    call()
    return caught[-1]


def _raw(request) -> bytes:
    parts = urlsplit(request.url)
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    body = request.body or b""
    if hasattr(body, "read"):
        body = body.read()
        request.body.seek(0)
    body = body.encode() if isinstance(body, str) else body
    left_out = {"expect", "content-length", "host"}
    text = {k: v.decode() if isinstance(v, bytes) else v for k, v in request.headers.items()}
    headers = [f"{k}: {v}" for k, v in text.items() if k.lower() not in left_out]
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {parts.netloc}", *headers]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Connection:
    """A connection that stays open, and costs its caller next to nothing."""

    def __init__(self, account: Account) -> None:
        parts = urlsplit(account.url)
        self._socket = socket.create_connection((parts.hostname, parts.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> None:
        """Send a request and take its answer; raises where it is an error."""
        self._socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        length = _length(head)
        got = len(body)
        while got < length:
            got += len(self._more())
        if head[9:12] != b"200":
            raise RuntimeError(f"answered {head[:40]!r} {body[:200]!r}")

    def send_many(self, request: bytes, times: int) -> None:
        """Send the same request so many times, one after the other."""
        for _ in range(times):
            self.send(request)

    def close(self) -> None:
        self._socket.close()

    def _more(self) -> bytes:
        more = self._socket.recv(65536)
        if not more:
            raise ConnectionError("the server closed the connection")
        return more


def _length(head: bytes) -> int:
    marker = b"content-length:"
    lowered = head.lower()
    start = lowered.index(marker) + len(marker)
    return int(lowered[start:].split(b"\r\n", 1)[0])


def storm(account: Account, requests: Sequence[bytes], clients: int, each: int) -> None:
    """``clients`` connections at once, each sending ``each`` requests; any error is raised."""
    failed: list[BaseException] = []
    workers = [
        threading.Thread(target=_send_all, args=(account, requests, each, failed))
        for _ in range(clients)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failed:
        raise failed[0]


def _send_all(
    account: Account, requests: Sequence[bytes], each: int, failed: list[BaseException]
) -> None:
    try:
        connection = Connection(account)
        for number in range(each):
            connection.send(requests[number % len(requests)])
        connection.close()
    except Exception as error:  # noqa: BLE001 - the thread that waits gets it
        failed.append(error)
