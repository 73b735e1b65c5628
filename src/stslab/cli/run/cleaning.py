"""Takes runs back: what the commands that clean up share."""

from typing import TYPE_CHECKING

from stslab.errors import UndoIncomplete

if TYPE_CHECKING:
    from stslab.cli.accounts import Open
    from stslab.cli.bench import Bench
    from stslab.runner.undo.cleanup import Cleanup


def cleaner(laid: "Bench", opened: "Open") -> "Cleanup":
    """What takes runs back on this account."""
    from stslab.runner.undo.cleanup import Cleanup

    return Cleanup(
        laid.journal, opened.account, opened.profiles, laid.render, describe=laid.describe
    )


def clean(cleanup: "Cleanup", runs: "list[str]") -> None:
    """Clean up each run (their ids), past the failures of others.

    Raises:
        UndoIncomplete: something is left, of all of them together.
    """
    left: list[tuple[str, str]] = []
    errors: list[UndoIncomplete] = []
    for run in runs:
        try:
            cleanup.run(run)
        except UndoIncomplete as error:
            errors.append(error)
            left += error.remaining
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise UndoIncomplete(
            f"{len(left)} things of {len(errors)} runs are left.", left, errors[0].hint
        )
