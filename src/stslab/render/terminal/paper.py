"""The paper that views draw on: lines, fields, tables, commands, prose, at the console's width."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from textwrap import indent
from typing import Any, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.theme import Theme
from rich.tree import Tree

from stslab.render.text.safe import one_line, value_text, visible
from stslab.render.text.shellwords import wrapped
from stslab.render.text.symbols import STYLES, WIDEST, Symbols, fitting, in_words, symbols_for
from stslab.structures import beside

_WORD = re.compile(r"\S+\s*|^\s+")
_GAP = 2
_WIDEST_LABEL = 27
_NARROWEST, _BROADEST = 20, 1_000  # as COLUMNS may say: rich fills lines with spaces
_RATE = 10.0  # seconds between the lines about a wait that is not redrawn


class Paper:
    """A console with stslab's layouts, and a line about a wait.

    On a terminal (``over``) that line is redrawn, and erased at the end. Elsewhere a line is
    printed when the wait begins, then every ten seconds.
    """

    def __init__(self, console: Console, *, over: bool = False) -> None:
        self.console = console
        self.symbols: Symbols = symbols_for(console.encoding)
        self.over = over
        self._is_waiting = False
        self._what, self._shown_at = "", 0.0

    @property
    def width(self) -> int:
        """The columns of the console, on a terminal as far as lines are easy to read."""
        width = self.console.width
        return min(width, WIDEST) if self.console.is_terminal else width

    def waits(self, what: str, elapsed: float, aside: str = "") -> None:
        """Show the progress of the wait for ``what``, which began ``elapsed`` seconds ago."""
        text = Text(f"  {self.symbols.waiting} {one_line(what)}{aside}", style="dim")
        if self.over:
            text.truncate(self.width - 1, overflow="ellipsis")
            self._erase()
            self.console.print(text, end="")
            self._is_waiting = True
        elif what != self._what or elapsed < self._shown_at or elapsed - self._shown_at >= _RATE:
            self._what, self._shown_at = what, elapsed
            self.console.print(text)

    def wait_ended(self) -> None:
        """End the wait. The next one prints a new line."""
        self._erase()
        self._what = ""

    def _erase(self) -> None:
        if self._is_waiting:
            self._is_waiting = False
            self.console.file.write("\r\x1b[2K")
            self.console.file.flush()

    def put(self, renderable: RenderableType, *, soft_wrap: bool = False) -> None:
        self._erase()
        self.console.print(renderable, soft_wrap=soft_wrap)

    def blank(self) -> None:
        self.put("")

    def sign(self, name: str, style: str | None = None) -> Text:
        """A sign of Symbols in its colour; any other text unchanged."""
        style = STYLES.get(name, "") if style is None else style
        return Text(getattr(self.symbols, name, name), style=style)

    def line(
        self, sign: str, text: str, *, indent: int = 0, aside: str = "", style: str | None = None
    ) -> None:
        """A sign and a text with a hanging indent; ``aside`` follows it, dim."""
        lead = self.sign(sign, style)
        body = Text(visible(text), style="bold" if lead.style else "")
        if aside:
            body.append(f"  {visible(aside)}", style="not bold dim")
        self.hanging(lead, body, indent)

    def prose(
        self, text: str, *, indent: int = 0, style: str = "", lead: str = "", apart: bool = False
    ) -> None:
        """Plain text, wrapped between words, after ``lead``. ``apart``: below a blank line."""
        if apart:
            self.blank()
        self.hanging(Text(lead, style=style), Text(visible(text), style=style), indent)

    def command(self, command: str, *, indent: int = 4) -> None:
        """A command line to copy: never cut or framed."""
        for line in wrapped(visible(command), self.width, " " * indent):
            self.whole(visible(line), "cyan")  # JSON is written anew

    def whole(self, line: str | Text, style: str = "") -> None:
        """A line that is never broken, even if it is wider than the screen."""
        self.put(Text(line, style=style) if isinstance(line, str) else line, soft_wrap=True)

    def indented(self, line: str, *, indent: int) -> None:
        """A whole line, indented further than it is."""
        depth = len(line) - len(line.lstrip(" "))
        self.whole(" " * (indent + depth) + one_line(line))

    def fields(self, pairs: Sequence[tuple[str, Any]], *, indent: int = 4) -> None:
        """Labels and values, one pair a line; one that fits there only goes under its label."""
        widest = min(max((len(label) for label, _ in pairs), default=0), _WIDEST_LABEL)
        for label, value in pairs:
            text = value_text(value)
            start = Text(" " * indent + f"{visible(label):<{widest}}" + " " * _GAP, style="dim")
            one_word = " " not in text and len(text) > self.width - indent - _GAP  # broken anyway
            if "\n" not in text and (one_word or len(start) + len(text) <= self.width):
                self.whole(start.append(text, style="not dim"))
                continue
            start.rstrip()
            self.whole(start)
            for line in text.split("\n"):
                body = line.lstrip(" ")
                self.prose(body, indent=indent + _GAP + len(line) - len(body))

    def markdown(self, text: str, *, indent: int = 0) -> None:
        """Markdown; in a pipe and in words its paragraphs. Lines of code stay whole."""
        if self._plain:
            for at, block in enumerate(_blocks(visible(text))):
                if at and not in_words():
                    self.blank()
                draw = self.indented if block.startswith(_CODE) else self.prose
                for paragraph in paragraphs(block):
                    draw(paragraph, indent=indent)
            return
        groups = groupby(_blocks(text), lambda block: block.startswith(_CODE))
        for at, (code, some) in enumerate(groups):
            if at:
                self.blank()
            if code:
                for line in "\n\n".join(some).split("\n"):
                    self.whole(" " * indent + visible(line), "cyan")
            else:
                right = self.console.width - self.width
                self.put(Padding(_markdown("\n\n".join(some)), (0, right, 0, indent)))

    @property
    def _plain(self) -> bool:
        return in_words() or not self.console.is_terminal

    def framed(self, title: str, text: str) -> None:
        """Markdown in a frame with a title; with --plain and in a pipe, without the frame."""
        if self._plain:
            self.prose(title, style="bold")
            if not in_words():
                self.blank()
            self.markdown(text)
            return
        head = Text(f" {one_line(title)} ", style="bold")
        panel = Panel(_markdown(text), title=head, title_align="left", border_style="blue")
        panel.width = self.width
        self.put(panel)

    def table(self, columns: Mapping[str, int], rows: Iterable[Sequence[Text | str]]) -> None:
        """Rows under headings with their shares of the width (0: as needed); lines if --plain."""
        if in_words():
            for row in rows:
                text = ", ".join(one_line(str(cell)) for cell in row if str(cell))
                self.prose(text.replace(":, ", ": "))
            return
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        table.width = self.width
        for heading, ratio in columns.items():
            table.add_column(heading, ratio=ratio or None, no_wrap=not ratio, overflow="fold")
        for row in rows:
            table.add_row(*row)
        self.put(table)

    def decision(self, decision: Mapping[str, Any], *, indent: int = 0) -> None:
        """A logged decision as a tree; in a pipe as indented lines, and with --plain as prose."""
        from stslab.policy.explain import Node, node_lines, retold  # as slow as rich's console

        root, signs = retold(decision), self.symbols
        marks = {True: signs.allows, False: signs.refuses, None: signs.dot}
        styles = {True: "green", False: "red", None: ""}

        def drawn(node: Node) -> Tree:
            text = Text(f"{marks[node.good]} {one_line(node.text)}", styles[node.good])
            tree = Tree(text, guide_style="dim")
            tree.children.extend(map(drawn, node.children))
            return tree

        if not self._plain:
            self.put(drawn(root))
            return
        for line in node_lines(root, marks):
            if in_words():
                self.prose(one_line(line), indent=indent + len(line) - len(line.lstrip(" ")))
            else:
                self.indented(line, indent=indent)

    def meaning(self, code: str, *, indent: int = 0) -> None:
        """The meaning of an AWS error code in plain words, and AWS's page on it."""
        if code in meanings():
            says, page = meanings()[code]
            self.prose(says, indent=indent)
            self.whole(" " * indent + page, "dim")

    def hanging(self, lead: Text, body: Text, indent: int, needs: int = 0) -> None:
        """Text, broken between words, after a lead or below one that leaves less than ``needs``."""
        lead = Text(" " * indent).append_text(lead).append(" " if lead.plain else "")
        if lead.cell_len > self.width - (needs or min(_NARROWEST, self.width // 2)):
            lead.rstrip()
            if lead:
                self.whole(lead)
            lead = Text(" " * (indent + _GAP))
        room = max(self.width - lead.cell_len, _NARROWEST)
        for paragraph in body.split("\n", allow_blank=True):
            for line in paragraph.divide(_breaks(paragraph.plain, room)):
                whole = lead + line
                whole.rstrip()
                self.whole(whole)
                lead = Text(" " * lead.cell_len)


def _markdown(text: str) -> RenderableType:
    """Rendered Markdown; links show their address."""
    from rich.markdown import Markdown

    return Markdown(visible(text), hyperlinks=False)


def _breaks(text: str, width: int) -> list[int]:
    """The positions, at the start of words, that break ``text`` into ``width`` columns."""
    breaks: list[int] = []
    used = 0
    for word in _WORD.finditer(text):
        if used and used + cell_len(word[0].rstrip()) > width:
            breaks.append(word.start())
            used = 0
        used += cell_len(word[0])
    return breaks


# -- the console --------------------------------------------------------------------------------

_CODE_COLOUR = "cyan"  # rich's own has a black background, which blots a light terminal


class _Console(Console):
    """rich's console, but a closed pipe raises its error instead of ending the process."""

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - rich calls this while it handles the error


def make_console(stream: TextIO, *, environ: Mapping[str, str] | None = None) -> Console:
    """A console as wide as its terminal, or 80 columns in a pipe.

    ``NO_COLOR``, ``TERM=dumb`` and ``--plain`` turn escape sequences off.
    """
    environ = os.environ if environ is None else environ
    bare = environ.get("NO_COLOR") or environ.get("TERM") == "dumb" or in_words()
    console = _Console(
        file=fitting(stream),
        color_system=None if bare else "auto",
        markup=False,
        emoji=False,
        highlight=False,
        theme=Theme({"markdown.code": _CODE_COLOUR, "markdown.code_block": _CODE_COLOUR}),
        _environ=environ,
    )
    if not _NARROWEST <= console.width <= _BROADEST:  # once set, it does not follow the terminal
        console.width = sorted((_NARROWEST, console.width, _BROADEST))[1]
    return console


def paper_on(stream: TextIO) -> Paper:
    return Paper(make_console(stream))


def draws_over(console: Console) -> bool:
    """Whether lines may be redrawn: on a capable terminal, without --plain."""
    capable = os.environ.get("TERM") not in ("dumb", "unknown", "", None)
    return capable and console.file.isatty() and not in_words()


# -- Markdown as plain paragraphs, for a screen reader -----------------------------------------

_ITEM = re.compile(r"\n(?=[ \t]*(?:[-*]|\d+\.) )")
_CODE = "    "
_FENCE = re.compile(r"^```.*\n((?:.*\n)*?)```$", re.MULTILINE)
_LINK = re.compile(r"\[([^\[\]]*)\]\(([^)]*)\)")
_STRESS = re.compile(r"(?<![\w:/*])\*(?=[^\s*])([^*]+)(?<=\S)\*(?![\w*])")
_MARKUP = re.compile(r"\*\*|__|`|^#+ +", re.MULTILINE)


def paragraphs(markdown: str) -> Iterator[str]:
    """Each paragraph, list item, row of a table and line of code, in order."""
    for block in _blocks(markdown):
        if block.startswith(_CODE):
            yield from block.split("\n")
        elif block.lstrip().startswith("|"):
            rows = [row for row in block.split("\n") if not re.fullmatch(r"[|\s:-]+", row)]
            cells = (map(str.strip, row.strip().strip("|").split("|")) for row in rows)
            for first, *others in cells:
                rest = ", ".join(filter(None, others))
                yield _bare(": ".join(filter(None, (first, rest))))
        else:
            yield from (_bare(" ".join(item.split())) for item in _ITEM.split(block))


def _blocks(markdown: str) -> list[str]:
    """What stands between blank lines. A fenced block of code becomes an indented one."""
    indented = _FENCE.sub(lambda fence: f"\n{indent(fence[1], _CODE)}\n", markdown)
    return re.split(r"\n(?:[ \t]*\n)+", indented.strip("\n"))


def _bare(text: str) -> str:
    return _STRESS.sub(r"\1", _MARKUP.sub("", _LINK.sub(r"\1 (\2)", text)))


# -- AWS's error codes in plain words ------------------------------------------------------------


def meanings() -> Mapping[str, tuple[str, str]]:
    """The meaning of each error code, and the page to read."""
    return {
        code: (says, f"https://docs.aws.amazon.com/{page}")
        for page, codes in beside(__file__, "meanings.yaml").items()
        for code, says in codes.items()
    }
