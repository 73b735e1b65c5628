"""The entry point of the command line: it handles errors and Ctrl-C, and sets the exit code."""

import os
import sys
from io import StringIO
from pathlib import Path

import click

from stslab import __version__
from stslab.cli.commands import LazyGroup, advised, looks
from stslab.errors import StslabError
from stslab.render.text.safe import visible

cli = LazyGroup(
    "stslab",
    params=[*looks()],
    no_args_is_help=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "STSLAB",
        "max_content_width": 100,
    },
    help=(
        "Learn AWS STS by doing: labs that prove each claim, explain each refusal, and leave "
        "nothing behind. No AWS account is needed: an embedded one runs on this machine.\n\n"
        "Begin with: stslab run"
    ),
    epilog="More: stslab COMMAND --help about a command, stslab help about topics.",
)
click.version_option(__version__, prog_name="stslab")(cli)


def main() -> None:
    sys.exit(exit_code(sys.argv[1:]))


def exit_code(arguments: list[str]) -> int:
    """Run one command. Print errors on stderr, and return the exit code."""
    _open_the_closed()
    try:
        code = cli.main(arguments, prog_name="stslab", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        advised(error).show(shown := StringIO())
        click.echo(visible(shown.getvalue()), err=True, nl=False)
        code = error.exit_code
    except StslabError as error:
        from stslab.cli.failures import tell

        tell(error)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except (BrokenPipeError, SystemExit) as end:  # click exits with 1 if a pipe is closed
        if isinstance(end, SystemExit) and not end.code:  # after a completion
            raise
        from stslab.cli.failures import silence_stdout

        silence_stdout()
        code = 141  # as shells report a program that SIGPIPE ended
    except Exception as error:  # noqa: BLE001 - a traceback is a bug: it goes to a file
        from stslab.cli.failures import tell_unexpected

        tell_unexpected(error)
        code = 1
    return code if isinstance(code, int) else 0


def _open_the_closed() -> None:
    """Point closed standard streams (``>&-``) at the null device: else a file gets their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # the lowest is first
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
