"""An HTTP endpoint on the loopback with scripted answers and faults."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USER = b"""<GetUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetUserResult><User>
<UserName>u</UserName><UserId>AIDA</UserId><Path>/</Path><Arn>arn:aws:iam::111122223333:user/u</Arn>
<CreateDate>2026-01-02T03:04:05Z</CreateDate></User></GetUserResult>
<ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></GetUserResponse>"""
STACKS = b"""<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
<DescribeStacksResult><Stacks><member><StackName>s</StackName><StackStatus>%s</StackStatus>
<CreationTime>2026-01-02T03:04:05Z</CreationTime></member></Stacks></DescribeStacksResult>
<ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></DescribeStacksResponse>"""


def error(code: str, message: str = "said AWS") -> bytes:
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
        "</Error><RequestId>req-2</RequestId></ErrorResponse>"
    ).encode()


@dataclass
class Endpoint:
    """The next answers: (status, body); ``reset`` closes the connection, ``hang`` waits."""

    url: str = ""
    script: list[tuple[int | str, bytes]] = field(default_factory=list)
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    headers_of_next: dict[str, str] = field(default_factory=dict)

    def then(self, status: int | str, body: bytes = b"") -> "Endpoint":
        self.script.append((status, body))
        return self


def _handler(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            endpoint.asked.append((self.command, self.path, body))
            endpoint.headers.append(dict(self.headers))
            status, content = endpoint.script.pop(0)
            if isinstance(status, str):
                self.close_connection = True
                time.sleep(1.5 if status == "hang" else 0)
                return
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            for name, value in endpoint.headers_of_next.items():
                self.send_header(name, value)
            endpoint.headers_of_next = {}
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def serving() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(endpoint)) as server:
        endpoint.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield endpoint
        server.shutdown()
        thread.join()
