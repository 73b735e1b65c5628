"""``stslab sandbox clock``: shows the embedded account's clock, and moves it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import click

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


# -- spans of time and moments, as people write them -------------------------------------------

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"(?:\d{1,7}[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")


def span(text: str) -> timedelta | None:
    """The span that ``text`` says, such as ``90s``, ``2h`` or ``1h30m``; or None."""
    if not _SPAN.fullmatch(text):
        return None
    parts = [timedelta(**{_UNITS[unit]: int(number)}) for number, unit in _PART.findall(text)]
    return sum(parts, timedelta(0))


def moment(text: str) -> datetime | None:
    """The moment that ``text`` says in ISO 8601, UTC unless it says otherwise; or None."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def since(text: str, now: datetime) -> datetime:
    """The moment that ``text`` means: ISO 8601, or a span before ``now``."""
    ago = span(text)
    found = now - ago if ago is not None else moment(text)
    if found is None:
        raise UsageError(
            f"{text!r} is not a time.", "Use a span such as 10m or 2h, or 2030-01-31T12:00:00Z."
        )
    return found
