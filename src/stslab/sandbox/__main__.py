"""``python -m stslab.sandbox serve``: the sandbox's process, as its client starts it."""

import argparse
import gc
import os
import sys
from functools import partial
from pathlib import Path

from stslab.sandbox.server.process import TWO_HOURS, Options, serve


def main(arguments: list[str] | None = None) -> int:
    """Serve as the arguments say; the exit code."""
    options, given = _parsed(arguments)
    if given.detach and os.fork():
        # The starter waits for this process only; the server is its own session's.
        os._exit(0)
    gc.disable()  # until the account is open: what starting makes is there to stay
    from stslab.sandbox.server.embedded import open_account

    return serve(options, partial(open_account, fresh=given.fresh))


def _parsed(arguments: list[str] | None) -> tuple[Options, argparse.Namespace]:
    parser = argparse.ArgumentParser(prog="python -m stslab.sandbox")
    serving = parser.add_subparsers(required=True).add_parser("serve")
    serving.add_argument("--folder", type=Path, required=True)
    serving.add_argument("--port", type=int, default=0, help="0: the last one, or any")
    serving.add_argument("--ready-fd", type=int, help="where to say that it is ready")
    serving.add_argument("--idle", type=float, default=_idle(), help="seconds; then it ends")
    serving.add_argument("--fresh", action="store_true", help="begin with a new account")
    serving.add_argument("--detach", action="store_true", help="go on in the background")
    given = parser.parse_args(arguments)
    return Options(given.folder, given.port, given.ready_fd, given.idle), given


def _idle() -> float:
    try:
        return float(os.environ.get("STSLAB_SANDBOX_IDLE", ""))
    except ValueError:
        return TWO_HOURS


if __name__ == "__main__":
    sys.exit(main())
