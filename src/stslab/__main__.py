"""The entry point. Ctrl-C ends the program silently while it is still importing modules."""

import gc
import signal


def main() -> None:
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if listens:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.set_threshold(50_000)  # imports leave no garbage: looking for it takes 5 ms
    from stslab.cli import main as cli

    if listens:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main()


if __name__ == "__main__":
    main()
