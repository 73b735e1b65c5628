"""moto alone behind the sandbox's own HTTP server: what requests cost without the gate.

    python -m benchmarks.moto_alone

Prints its port, and serves until its stdin ends. moto's application is the one that its own
server runs, called as a WSGI server calls it; nothing is authenticated, decided, logged or
saved.
"""

import io
import sys
import threading
from typing import Any
from urllib.parse import unquote

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from stslab.sandbox.api.model import ApiResponse, HttpRequest
from stslab.sandbox.server.server import HOST, SandboxServer


class Moto:
    """moto's WSGI application as an application of the sandbox's server."""

    def __init__(self) -> None:
        self._application: Any = DomainDispatcherApplication(create_backend_app)

    def __call__(self, request: HttpRequest) -> ApiResponse:
        told: list[Any] = []
        chunks = self._application(_environ(request), lambda *given: told.extend(given))
        body = b"".join(chunks)
        status, headers = told[0], told[1]
        return ApiResponse(int(status.split()[0]), tuple(headers), body)


def _environ(request: HttpRequest) -> dict[str, Any]:
    name, _, port = request.header("Host").rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(request.path, "latin-1"),
        "RAW_URI": request.path,
        "QUERY_STRING": request.raw_query,
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": HOST,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for header, value in request.headers:
        key = header.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ


def main() -> None:
    """Serve until stdin ends."""
    server = SandboxServer(Moto())
    server.prepare()
    serving = threading.Thread(target=server.serve)
    serving.start()
    print(server.port, flush=True)
    sys.stdin.read()
    server.stop()
    serving.join()


if __name__ == "__main__":
    main()
