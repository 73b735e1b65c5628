"""The embedded account's server process: one per folder, detached from its starter.

It reports on standard output when it is ready, and writes ``server.json`` for later commands. It
ends on the verb ``stop``, on SIGTERM or SIGINT, or after a time without a request.
"""

import faulthandler
import gc
import json
import logging
import logging.handlers
import os
import secrets
import signal
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from stslab import __version__
from stslab.errors import SandboxError, StslabError
from stslab.home import in_the_place_of, lock_within
from stslab.sandbox.api.faults import where
from stslab.sandbox.server import verbs
from stslab.sandbox.server.control import ControlRequest, Reply, admitted
from stslab.sandbox.server.embedded import EmbeddedAccount
from stslab.sandbox.server.files import TOKEN_HEADER, Files, read_number
from stslab.sandbox.server.server import HOST, SandboxServer
from stslab.vocabulary import LEARNER, REGION

_OTHER_SECONDS = 0.5
_LOG_BYTES = 1024 * 1024
_LONGEST_PAUSE = 60.0
_SECONDS_UNTIL_WARM = 1.0
_STDOUT, _STDERR = 1, 2
log = logging.getLogger(__name__)


def serve(folder: Path, port: int, idle: float, *, fresh: bool) -> int:
    """``port`` 0: the last one, or any. ``idle``: end after so many seconds without a request."""
    os.umask(0o077)
    places = Files(folder)
    held = lock_within(places.server_lock, _OTHER_SECONDS)
    if held is None:
        _tell({"locked": True})
        return 0
    os.ftruncate(held, 0)
    os.pwrite(held, str(os.getpid()).encode(), 0)
    _log_to(places)
    try:
        _Process(places, port, idle).run(fresh=fresh)
    except StslabError as error:
        log.error("%s %s", error.message, error.hint)  # noqa: TRY400 - expected; no traceback
        _tell({"error": error.message, "hint": error.hint})
        return error.exit_code
    finally:
        logging.shutdown()
    return 0


def _tell(content: Reply) -> None:
    """Report how the start went to the command that reads standard output to its end, once."""
    with suppress(OSError):  # that command may have ended
        os.write(_STDOUT, json.dumps(content).encode())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDOUT)
    os.close(nowhere)


class _Process:
    def __init__(self, places: Files, port: int, idle: float) -> None:
        self._places = places
        self._port = port
        self._idle = idle
        self._end = threading.Event()
        self._token = secrets.token_urlsafe(32)
        self._started = datetime.now(UTC).isoformat(timespec="seconds")

    def run(self, *, fresh: bool) -> None:
        self._server = self._bound()
        try:
            with closing(EmbeddedAccount(self._places.folder, fresh=fresh)) as self._account:
                gc.freeze()  # modules and records live as long as the process
                gc.enable()
                self._serve()
        finally:
            self._server.stop()

    def _serve(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # In this thread set() could wait without end for the wait() that it interrupts.
            signal.signal(number, lambda *_: threading.Thread(target=self._end.set).start())
        self._verbs = {
            **verbs.of(self._account),
            "health": lambda _: self._facts(),
            "status": lambda _: {**self._facts(), "ends_after_idle_seconds": int(self._idle)},
            "stop": self._stop,
            "reset": self._reset,
        }
        serving = threading.Thread(target=self._server.serve, name="serve")
        serving.start()
        try:
            self._announce()
            log.info("serving %s, process %d", self._server.url, os.getpid())
            _tell({"port": self._server.port})
            self._warm_up()
            self._wait()
        finally:
            self._places.server.unlink(missing_ok=True)
            self._server.stop()
            serving.join()
            log.info("ended")

    def _bound(self) -> SandboxServer:
        wanted = self._port or read_number(self._places.port)
        server = SandboxServer(
            lambda request: (
                admitted(request, self._token, self._verbs)
                or self._account.handle(request.without({TOKEN_HEADER}))
            ),
            wanted,
            refuse=lambda head: self._account.inside.pipeline.refuse(head.without({TOKEN_HEADER})),
        )
        try:
            server.prepare()
        except OSError as error:
            if not self._port:  # the last one is another program's now
                server.bind_addr = (HOST, 0)
                server.prepare()
                return server
            cause = error.__cause__ or error.__context__ or error
            why = getattr(cause, "strerror", None) or "another program uses it"
            hint = "Choose another one, or none: stslab sandbox start"
            raise SandboxError(f"Port {wanted} can't be used: {why}.", hint) from error
        return server

    def _facts(self) -> Reply:
        settings = self._account.inside.state.snapshot.settings
        return {
            "instance": settings.instance,
            "account": LEARNER,
            "region": REGION,
            "rehearsing": settings.rehearsal,
            "notes": self._account.notes,
            "url": self._server.url,
            "port": self._server.port,
            "pid": os.getpid(),
            "started": self._started,
            "version": __version__,
        }

    def _stop(self, _: ControlRequest) -> Reply:
        self._end.set()
        return {"stopping": True}

    def _reset(self, _: ControlRequest) -> Reply:
        self._account.reset()
        self._announce()
        return self._facts()

    def _announce(self) -> None:
        contents = {
            self._places.port: str(self._server.port),
            self._places.token: self._token,
            self._places.server: json.dumps(self._facts()),
        }
        for path, text in contents.items():
            with in_the_place_of(path) as file:
                file.write_text(text)

    def _warm_up(self) -> None:
        if self._end.wait(_SECONDS_UNTIL_WARM):  # so that the first requests don't wait for it
            return
        try:
            self._account.warm_up()
        except Exception as error:  # noqa: BLE001 - requests that need it report the error
            log.error("warming up failed\n%s", where(error))  # noqa: TRY400 - no values in the log

    def _wait(self) -> None:
        while not self._end.is_set():
            left = self._idle - self._server.seconds_idle()
            if left <= 0:
                log.info("no request for %d seconds", self._idle)
                return
            self._end.wait(min(left, _LONGEST_PAUSE))


class _Log(logging.handlers.RotatingFileHandler):
    """It also takes everything written to standard error."""

    def doRollover(self) -> None:  # noqa: N802 - logging's name
        super().doRollover()
        self.adopt_stderr()

    def adopt_stderr(self) -> None:
        if self.stream:
            os.dup2(self.stream.fileno(), _STDERR)


def _log_to(places: Files) -> None:
    handler = _Log(places.log, maxBytes=_LOG_BYTES, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.adopt_stderr()
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("stslab").setLevel(logging.INFO)
    faulthandler.enable()
