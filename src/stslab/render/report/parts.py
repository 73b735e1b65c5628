"""The parts of an HTML page: templates of one file, filled in with text that is made harmless."""

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
    """The part that is named so; a value that is not HTML is shown as the text that it is."""
    shown = {
        key: one if isinstance(one, Html) else escape(visible(str(one)))
        for key, one in values.items()
    }
    return Html(_parts()[named].substitute(shown).rstrip("\n"))


def joined(parts: Iterable[Html]) -> Html:
    return Html("\n".join(parts))


def table(caption: str, head: Iterable[str], rows: Iterable[tuple[object, ...]]) -> Html:
    """A table, whose rows begin with what they are about."""
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
    """A heading and what is below it; nothing where there is nothing."""
    return part("section", id=id_, title=title, body=body) if body else Html()


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    rows = joined(part("fact", label=label, value=value) for label, value in pairs)
    return part("facts", rows=rows)


def page(title: str, verdict: str, about: str, body: Html, *, good: bool, look: str = "") -> str:
    """The whole page; ``look`` may be wide."""
    state = "good" if good else ""
    told = {"title": title, "verdict": verdict, "about": about, "state": state, "look": look}
    return part("page", body=body, **told) + "\n"


@cache
def _parts() -> Mapping[str, Template]:
    text = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    _, *found = _PART.split(text)
    return dict(zip(found[::2], map(Template, found[1::2]), strict=True))
