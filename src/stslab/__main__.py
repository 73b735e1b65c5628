"""The command's entry: ``stslab``, or ``python -m stslab``.

Ctrl-C ends it without a word as long as nothing has begun: while everything is imported.
"""

import signal


def main() -> None:
    """Import the command line, and run it."""
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if listens:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from stslab.cli import main as cli

    if listens:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main()


if __name__ == "__main__":
    main()
