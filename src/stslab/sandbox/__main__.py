"""``python -m stslab.sandbox serve``: the account's process, as its client starts it."""

import argparse
import gc
import os
import sys
from pathlib import Path

_TWO_HOURS = 2 * 60 * 60


def main(arguments: list[str] | None = None) -> int:
    """Serve as the arguments say; the exit code."""
    given = _parser().parse_args(arguments)
    if given.detach and os.fork():
        # The starter waits for this process only; the server is its own session's.
        os._exit(0)
    gc.disable()  # until the account is open: what starting makes is there to stay
    from stslab.sandbox.server.process import serve

    return serve(given.folder, given.port, given.idle, fresh=given.fresh)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stslab.sandbox")
    serving = parser.add_subparsers(required=True).add_parser("serve")
    serving.add_argument("--folder", type=Path, required=True)
    serving.add_argument("--port", type=int, default=0, help="0: the last one, or any")
    serving.add_argument("--idle", type=float, default=_idle(), help="seconds; then it ends")
    serving.add_argument("--fresh", action="store_true", help="begin with a new account")
    serving.add_argument("--detach", action="store_true", help="go on in the background")
    return parser


def _idle() -> float:
    try:
        return float(os.environ.get("STSLAB_SANDBOX_IDLE", ""))
    except ValueError:
        return _TWO_HOURS


if __name__ == "__main__":
    sys.exit(main())
