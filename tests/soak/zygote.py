"""Runs stslab's commands in processes of their own, forked from one that has imported it all.

Each line on standard input is a JSON object: ``arguments``, ``environ``, ``out`` (a file), and
perhaps ``points`` (``story``, ``at``, ``signal``). Each answer is a line: the exit code, or
minus the signal that ended the process.
"""

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable
from functools import cache, partialmethod
from pathlib import Path
from typing import Any

# What commands import; it only saves time here, as a command imports what is missing.
_MODULES = (
    "boto3", "botocore.handlers", "botocore.retries.adaptive", "botocore.retries.standard",
    "rich.markdown", "stslab.aws.account", "stslab.aws.catalogue", "stslab.cli.workspace",
    "stslab.cli.run.cleanup", "stslab.cli.main", "stslab.cli.run.run", "stslab.cli.run.stages", "stslab.lab",
    "stslab.render.terminal.run_view", "stslab.sandbox.server.client", "yaml",
)  # fmt: skip


def _read_models_once() -> None:
    """Let each child find AWS's models read: they are the same in all of them."""
    from botocore.loaders import JSONFileLoader, Loader

    JSONFileLoader.load_file = partialmethod(_read, cache(JSONFileLoader().load_file))
    for service in ("iam", "sts", "s3", "cloudformation"):
        Loader().load_service_model(service, "service-2")


def _read(_loader: Any, once: Callable[[str], Any], path: str) -> Any:
    return once(path)


def _child(wanted: dict[str, Any]) -> None:
    out = os.open(wanted["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for descriptor in (1, 2):
        os.dup2(out, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(wanted["environ"])
    points = wanted.get("points")
    if points:
        from tests.soak.points import hasten, install

        hasten(points["haste"])
        install(Path(points["story"]), points["at"], points["signal"])
    from stslab.cli.main import exit_code

    code = exit_code(wanted["arguments"])
    sys.stdout.flush()
    os._exit(code)


def main() -> None:
    for module in _MODULES:
        importlib.import_module(module)
    _read_models_once()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in iter(sys.stdin.readline, ""):
        pid = os.fork()
        if pid == 0:
            try:
                _child(json.loads(line))
            finally:
                os._exit(70)  # what exit_code() lets through would be a traceback
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
