"""The chain of what a run made, as a picture that grows by stage."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from stslab.render.report.parts import Html, joined, part
from stslab.runner.report import CallTold, Report

_A_ROW, _WIDE, _GAP, _HIGH, _BELOW = 4, 150, 36, 44, 26
_LONGEST = 23
_THING = re.compile(r"(.+?)(?: ((?:of|in) .*|[^ ]*[-.:/].*))?")


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that a run made, and the stage that made it."""

    stage: str
    what: str
    name: str


def things(report: Report) -> tuple[Thing, ...]:
    """Everything that the steps made, in order, each once."""
    made = (one for call in report.calls if call.outcome == "done" for one in _made(call))
    return tuple({(one.what, one.name): one for one in made}.values())


def _made(call: CallTold) -> Iterator[Thing]:
    for text in call.changes:
        if call.call.startswith("sts."):
            yield Thing(call.stage, "session", text.rpartition("/")[2])
            continue
        for one in re.split(r" with |, ", text):
            found = _THING.fullmatch(one)
            what, name = (found[1], found[2] or "") if found else (one, "")
            yield Thing(call.stage, what, name)


def picture(made: Sequence[Thing], stage: str, *, gone: bool) -> Html:
    """The things, those of ``stage`` marked as new; ``gone``: everything was undone."""
    rows = -(-len(made) // _A_ROW)
    nodes = [_box(at, one, "gone" if gone else _look(one, stage)) for at, one in enumerate(made)]
    arrows = [part("arrow", d=_arrow(at)) for at in range(1, len(made))]
    told = ", ".join(f"{one.what} {one.name}".strip() for one in made)
    label = f"{'Undone' if gone else 'What the run has made so far'}: {told}"
    height = rows * (_HIGH + _BELOW)
    return part("chain", height=height, label=label, nodes=joined([*arrows, *nodes]))


def _look(thing: Thing, stage: str) -> str:
    return "new" if thing.stage == stage else "old"


def _place(at: int) -> tuple[int, int]:
    row, column = divmod(at, _A_ROW)
    return 2 + column * (_WIDE + _GAP), 2 + row * (_HIGH + _BELOW)


def _box(at: int, thing: Thing, look: str) -> Html:
    x, y = _place(at)
    return part(
        "box",
        look=look,
        title=f"{thing.what} {thing.name}",
        x=x,
        y=y,
        tx=x + 9,
        ty=y + 18,
        tn=y + 34,
        what=_short(thing.what),
        name=_short(thing.name),
    )


def _arrow(at: int) -> str:
    """From the box before: to its right, or at the end of a row down to the next one's begin."""
    x, y = _place(at)
    middle = y + _HIGH // 2
    if at % _A_ROW:
        return f"M{x - _GAP} {middle}H{x - 3}m-6 -5l6 5l-6 5"
    before, above = _place(at - 1)
    down = f"M{before + _WIDE // 2} {above + _HIGH}V{y - _BELOW // 2}H{x + _WIDE // 2}V{y - 3}"
    return f"{down}m-5 -6l5 6l5 -6"


def _short(name: str) -> str:
    kept = _LONGEST // 2
    return name if len(name) <= _LONGEST else f"{name[:kept]}…{name[-kept:]}"


def after(made: Iterable[Thing], stages: Sequence[str], stage: str) -> list[Thing]:
    """What there is when a stage is over."""
    over = stages[: stages.index(stage) + 1]
    return [one for one in made if one.stage in over]
