"""``stslab cleanup --sweep``: shows what stslab left in an account, asks, and takes it back."""

from typing import TYPE_CHECKING

from stslab.cli.run.cleaning import clean, cleaner
from stslab.errors import UndoIncomplete, UsageError

if TYPE_CHECKING:
    from stslab.cli.accounts import Open
    from stslab.cli.bench import Bench
    from stslab.cli.options import Where
    from stslab.runner.undo.recover import Found, FoundRun


def sweep_account(laid: "Bench", where: "Where", run: str, *, dry_run: bool) -> None:
    """Find leftovers (of one run, if named), show them, ask, and take them back.

    Raises:
        UndoIncomplete: something is left that carries stslab's tag.
        UsageError: nobody can be asked, and the flags do not say that it is wanted.
    """
    from stslab.cli.accounts import open_account, require_consent
    from stslab.render.sweep import show_found
    from stslab.runner.undo.recover import Recovery

    opened = open_account(laid.home, where)
    if not dry_run:
        require_consent(where, opened, interactive=laid.asker is not None)
    recovery = Recovery(laid.journal, opened.account, opened.profiles, laid.render)
    found = recovery.find()
    chosen = _chosen(found, run)
    show_found(laid.console, opened.target.info, found, chosen, laid.describe)
    if dry_run:
        return
    if chosen and _wanted(laid, opened, chosen):
        clean(cleaner(laid, opened), [recovery.adopt(one) for one in chosen])
    _require_all_told(laid, found)


def _chosen(found: "Found", run: str) -> "tuple[FoundRun, ...]":
    """A run that goes on here is for the ordinary cleanup, unless it is named."""
    if not run:
        return tuple(one for one in found.runs if not one.unfinished)
    chosen = tuple(one for one in found.runs if one.id == run)
    if not chosen:
        raise UsageError(
            f"Nothing in the account carries the tag and the id of run {run!r}.",
            "See what there is: stslab cleanup --sweep --dry-run",
        )
    return chosen


def _wanted(laid: "Bench", opened: "Open", chosen: "tuple[FoundRun, ...]") -> bool:
    if laid.asker is None:
        return True
    from stslab.cli.prompts import CLEAN_UP, QUIT

    info = opened.target.info
    runs = "run" if len(chosen) == 1 else "runs"
    asked = f"Take back {len(chosen)} {runs} in account {info.account}, as {info.caller}?"
    return laid.asker.choose(asked, (CLEAN_UP, QUIT)) is CLEAN_UP


def _require_all_told(laid: "Bench", found: "Found") -> None:
    """What can't be told for certain is left alone, but the account is not clean with it."""
    from stslab.runner.calls.look import label
    from stslab.runner.undo.cleanup import by_hand

    remaining = tuple((label(one), by_hand(one, laid.describe)) for one, _ in found.doubtful)
    if remaining or found.refused:
        count = len(remaining)
        refused = f"; {', '.join(found.refused)} could not be asked" if found.refused else ""
        raise UndoIncomplete(
            f"{count} thing{'' if count == 1 else 's'} with stslab's tag left alone{refused}.",
            remaining,
            "Look at each; the commands above remove them by hand.",
        )
