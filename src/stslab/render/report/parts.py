"""The parts of an HTML page: the templates in ``page.html``, filled in with escaped text."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from stslab.render.text.safe import visible

SIGNS = {"good": "✔", "bad": "✘", "open": "○"}
_PART = re.compile(r"<!-- part (\w+) -->\n")


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def part(named: str, /, **values: object) -> Html:
    """The part of this name; values that are not HTML are escaped."""
    shown = {
        key: value if isinstance(value, Html) else escape(visible(str(value)))
        for key, value in values.items()
    }
    return Html(_parts()[named].substitute(shown).rstrip("\n"))


def joined(parts: Iterable[Html]) -> Html:
    return Html("\n".join(parts))


def table(caption: str, head: Iterable[str], rows: Iterable[tuple[object, ...]]) -> Html:
    """A table; the first cell of each row is its heading."""
    return part(
        "table",
        caption=caption,
        head=joined(part("head", text=text) for text in head),
        rows=joined(
            part("row", first=first, cells=joined(part("cell", text=text) for text in rest))
            for first, *rest in rows
        ),
    )


def section(id_: str, title: str, body: Html) -> Html:
    """A heading and its body; nothing if the body is empty."""
    return part("section", id=id_, title=title, body=body) if body else Html()


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    rows = joined(part("fact", label=label, value=value) for label, value in pairs)
    return part("facts", rows=rows)


def page(title: str, verdict: str, about: str, body: Html, *, good: bool, look: str = "") -> str:
    """The whole page; ``look`` may be wide."""
    state = "good" if good else ""
    head = {"title": title, "verdict": verdict, "about": about, "state": state, "look": look}
    return part("page", body=body, **head) + "\n"


@cache
def _parts() -> Mapping[str, Template]:
    text = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    _, *pieces = _PART.split(text)
    return dict(zip(pieces[::2], map(Template, pieces[1::2]), strict=True))
