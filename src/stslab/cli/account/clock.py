"""``stslab sandbox clock``: shows the embedded account's clock, and moves it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from stslab.cli.account.moments import moment, span
from stslab.errors import UsageError
from stslab.home import home

_BACK = re.compile(r"-\d.*")
_REAL = "real"


class _Moving(click.Command):
    """A command that takes ``-30m`` as a move back in time, not as options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the moves back in time behind the options."""
        moves = [each for each in args if _BACK.fullmatch(each)]
        others = [each for each in args if each not in moves]
        return super().parse_args(ctx, [*others, "--", *moves] if moves else others)


@click.command("clock", cls=_Moving)
@click.argument("move", default="", metavar="[+2h|-30m|+1d|TIME|real]")
def command(*, move: str) -> None:
    """Show the account's clock, or move it.

    By a span (+2h, -30m, +1d12h), to a TIME (2030-01-31T12:00:00Z, UTC unless it says
    otherwise), or back to the real time. Sessions expire by this clock, and conditions on
    time go by it; signatures always go by the real time.
    """
    from stslab.sandbox.server import client

    asked = _asked(move) if move else None
    folder = home().sandbox
    client.ensure(folder)
    if asked is None:
        _say(client.control(folder, "GET", "clock"))
    else:
        _say(client.control(folder, "POST", "clock", asked))


def _asked(move: str) -> dict[str, float]:
    """What to ask of the account: a move by ``seconds``, or an ``offset`` from the real time."""
    if move == _REAL:
        return {"offset": 0}
    length = span(move[1:]) if move[0] in "+-" else None
    if length is not None:
        return {"seconds": (1 if move[0] == "+" else -1) * length.total_seconds()}
    found = moment(move)
    if found is None:
        raise UsageError(
            f"{move!r} does not move the clock.",
            "Use +2h, -30m, +1d12h (s, m, h, d, w), a time (2030-01-31T12:00:00Z), or real.",
        )
    return {"offset": round((found - datetime.now(UTC)).total_seconds(), 3)}


def _say(clock: Mapping[str, Any]) -> None:
    from stslab.render.text.durations import spoken

    now, offset = datetime.fromisoformat(clock["now"]), round(clock["offset"])
    where = "the real time"
    if offset:
        where = f"{spoken(abs(offset))} {'ahead of' if offset > 0 else 'behind'} {where}"
    click.echo(f"{now:%Y-%m-%dT%H:%M:%SZ}  ({where})")
