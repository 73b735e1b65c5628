"""The command line's entry: it alone formats errors, answers Ctrl-C, and sets the exit code."""

import sys

import click

from stslab import __version__
from stslab.cli.commands import COMMANDS
from stslab.cli.lazy import LazyGroup, no_color_option
from stslab.errors import StslabError

_INTERRUPTED = 130
_UNEXPECTED = 1

cli = LazyGroup(
    "stslab",
    entries=COMMANDS,
    params=[no_color_option()],
    no_args_is_help=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "STSLAB",
        "max_content_width": 100,
    },
    help=(
        "Learn AWS STS by doing: labs that run themselves, prove each claim, explain each "
        "refusal, and leave nothing behind. Without an AWS account, on an embedded one.\n\n"
        "Begin with: stslab run"
    ),
    epilog="stslab COMMAND --help tells more about a command.",
)
click.version_option(__version__, prog_name="stslab")(cli)


def main() -> None:
    """Run the command line and exit: 0, or as DESIGN's table of exit codes says."""
    sys.exit(exit_code(sys.argv[1:]))


def exit_code(arguments: list[str]) -> int:
    """Run one command; whatever goes wrong is said on stderr and becomes an exit code."""
    try:
        code = cli.main(arguments, prog_name="stslab", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except StslabError as error:
        from stslab.cli.failures import tell

        tell(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except BrokenPipeError:
        return _quiet_pipe()
    except Exception as error:  # noqa: BLE001 - a traceback is a bug: it goes to a file
        from stslab.cli.failures import tell_unexpected

        tell_unexpected(error)
        return _UNEXPECTED
    return code if isinstance(code, int) else 0


def _quiet_pipe() -> int:
    """Whoever read our output has gone: nothing more is to be said, at exit neither."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _UNEXPECTED
