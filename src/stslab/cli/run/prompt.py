"""The prompt: a line to type at, filled in or empty, a status line below it, and its words.

prompt_toolkit draws it. With ``TERM=dumb`` or ``--plain`` it is a plain line with the same words.
"""

import asyncio
import os
import re
import select
import sys
import termios
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from textwrap import fill
from typing import Any

import msgspec
from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.keys import Keys
from prompt_toolkit.styles import Style
from rich.console import Console

from stslab.aws.command import names_after
from stslab.cli.failures import for_same_run
from stslab.cli.run.here import TEXTS, goes_on
from stslab.render.text.safe import visible
from stslab.render.text.shellwords import same_command
from stslab.structures import beside

_POLL = 0.3  # seconds
_DIGITS = "0123456789"
_FILLED_IN = "Enter runs it. Typing replaces it; the arrow keys edit it."
WORDS: Mapping[str, str] = beside(__file__, "words.yaml")
_ALSO = {"h": "help", "?": "help", "exit": "quit"}


class Skip(Exception):  # noqa: N818 - the learner's choice
    """The learner skips the rest of a stage."""


class Quit(Exception):  # noqa: N818 - stopping is not an error
    """The learner leaves; the run can be continued later."""


class Typed(msgspec.Struct, frozen=True):
    """The learner's input: a ``word`` of stslab, or a command ``line``."""

    word: str = ""
    line: str = ""
    unchanged: bool = False  # the line is the one that was filled in
    changed: bool = False  # something happened elsewhere while the line was typed
    argument: str = ""  # the text after the word


class _SoFar(str):
    """What was typed so far when something happened elsewhere."""

    __slots__ = ()


Watch = Callable[[], bool] | None  # whether something has happened that should be shown


class Prompt:
    """Reads the learner's input; Quit at its end. ``status`` returns the status line's text."""

    def __init__(self, console: Console, status: Callable[[], str], *, plain: bool) -> None:
        self._console, self._status = console, status
        self._session = None if plain else _session(status)  # None: lines are read plainly
        self._touched: list[object] = []  # the line, since a command was filled in
        if self._session:
            self._session.default_buffer.on_cursor_position_changed += self._touched.append
        self._typed = ""  # where it could not run, for the next line
        self._lines = True  # whether a command may have several

    def command(self, who: str, line: str = "", typed: str = "", watch: Watch = None) -> Typed:
        """Read a command line for the profile ``who``; ``line``, or ``typed``, is filled in.

        If ``watch`` returns True, return what was typed so far.
        """
        leads = (line or self._typed) and self._session
        lead = f"{fill(_FILLED_IN, self._console.width)}\n" if leads else ""  # else it is cut off
        if self._session is None:
            self._console.print()
        self._lines, typed = True, "" if typed == line else typed
        text = self._read(f"{lead}{who} $ ", line, typed=typed, watch=watch)
        if isinstance(text, _SoFar):
            return Typed(line=str(text), changed=True)
        text, word = _trimmed(text), word_of(text)
        return Typed(word, "" if word else text, unchanged=bool(line) and same_command(text, line))

    def run(self, who: str, line: str) -> Typed:
        """Show a command that Enter runs; it can't be edited."""
        self._console.print(f"\n{who} $ {visible(line)}", soft_wrap=True)
        entered = self.enter("runs it")
        return entered if entered.word else Typed(line=line, unchanged=True)

    def digit(self, digits: Sequence[int], aside: str = "") -> Typed:
        """Read one of these digits, as the ``line``, or a word. A digit needs no Enter."""
        last, *others = map(str, digits)
        does = f"Type {', '.join(others)} or {last}"
        return self._until([last, *others], f"Your answer{aside}", does, _DIGITS, "", lines=False)

    def enter(self, does: str, more: str = "", keys: str = "", *, runs: bool = False) -> Typed:
        """Read Enter or a word. ``does`` says what Enter does; ``more`` is a further word.

        ``keys`` need no Enter. Where there are some, a command line ends the prompt too; the next
        one begins with it. If it ``runs`` commands, it is the ``line``.
        """
        does = f"Enter {does}"
        entered = self._until([""], does, does, keys, more, lines=runs or bool(keys))
        self._typed = entered.line if keys else ""
        return entered

    def _until(
        self, answers: Sequence[str], message: str, does: str, keys: str, more: str, *, lines: bool
    ) -> Typed:
        """Read an answer, a word or, with ``lines``, a command line; else say what to type."""
        self._lines = lines
        self.drop_typed_ahead()  # nobody answers a question before it is shown
        note = ""
        while True:
            text = self._read(f"{note}{fill(message, self._console.width - 2)}: ", "", keys)
            text = _trimmed(text)
            first, _, argument = text.partition(" ")
            word = more if first and more.startswith(first.lower()) else word_of(text)
            if word or text in answers or (lines and argument):
                if text and self._session:
                    self._console.print(f"\n{message}: {visible(text)}", soft_wrap=True)
                return Typed(word, argument=argument.strip()) if word else Typed(line=text)
            note = f"{fill(_not_here(text, does), self._console.width)}\n"

    def drop_typed_ahead(self) -> None:
        if sys.stdin.isatty():
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
            if self._session:
                clear_typeahead(self._session.input)

    def _read(
        self, message: str, line: str, keys: str | None = None, typed: str = "", watch: Watch = None
    ) -> str:
        """Read a line. Each of the ``keys`` ends an empty one; if not None, all is erased."""
        touched, typed, self._typed = bool(typed), typed or self._typed, ""
        try:
            if self._session is None:
                return self._read_plainly(message, typed or line, watch)
            self._session.app.erase_when_done = keys is not None
            self._touched[:] = [typed] if touched else []
            return self._session.prompt(
                f"\n{message}",
                default=typed or line,
                key_bindings=_keys(keys or "", lambda: not self._touched, lines=self._lines),
                pre_run=_watching(watch) if watch else None,
            )
        except KeyboardInterrupt:
            if self._session is None or self._session.default_buffer.text in ("", line):
                self._console.print()
                raise
            return self._read(message, line, keys, watch=watch)  # what was typed is dropped
        except EOFError:
            raise Quit from None

    def _read_plainly(self, message: str, line: str, watch: Watch) -> str:
        """Read without redrawing: show the filled-in line; an empty input means that line."""
        self._console.print(self._status(), soft_wrap=True)
        shown = f"{message}{visible(line)}\nEnter runs it: " if line else message
        self._console.print(shown, end="", soft_wrap=True)
        while watch and not select.select([sys.stdin], [], [], _POLL)[0]:
            if watch():
                self._console.print()
                return _SoFar(line)
        text = self._line()
        if not text:
            raise Quit
        with suppress(KeyboardInterrupt):
            while self._lines and goes_on(text.removesuffix("\n")) and (more := self._line("> ")):
                text += more
            return line if line and not text.strip() else text.removesuffix("\n")
        self._console.print()
        return self._read_plainly(message, line, watch)  # what was typed is dropped

    def _line(self, lead: str = "") -> str:
        """Show ``lead``, and read a line; "" at the end of the input."""
        self._console.print(lead, end="")
        text = sys.stdin.readline()
        if not text:
            self._console.print()
        return text


def _trimmed(text: str) -> str:
    """Without NULs, as in a shell, and white space around it, unless a backslash is before it."""
    text = text.replace("\0", "").lstrip()
    end = text.rstrip()
    return text[: len(end) + end.endswith("\\")]


def _not_here(text: str, does: str) -> str:
    start = text.lower()
    could = [word for word in WORDS if start and word.startswith(start)]
    near = " or ".join(could or get_close_matches(start, WORDS)) or "a word: `help` lists them"
    shell = "use another terminal: `stslab shell`"
    other = for_same_run(shell) if " " in start else f"type {near}"
    no_answer = f"{text} is not an answer here. " if text.isdecimal() else ""
    return f"{no_answer}{does}, or {other}."


class _Words(Completer):
    def get_completions(self, document: Document, _: object) -> Iterator[Completion]:
        words = re.split(r"[\\\s]+", document.text_before_cursor)
        for text in completions(words):
            yield Completion(text, start_position=-len(words[-1]))


def _session(status: Callable[[], str]) -> PromptSession[str]:
    bold = "" if os.environ.get("NO_COLOR") else "bold"  # colours prompt_toolkit leaves out itself
    style = Style.from_dict({"bottom-toolbar": "noreverse", "prompt": bold})
    return PromptSession(
        bottom_toolbar=lambda: TEXTS["open"] if "\n" in get_app().current_buffer.text else status(),
        prompt_continuation=lambda _width, _line, wraps: "" if wraps else "> ",
        completer=_Words(),
        complete_while_typing=False,
        enable_suspend=True,
        style=style,
    )


def _watching(watch: Callable[[], bool]) -> Callable[[], None]:
    """A task that calls ``watch`` while the learner types, and ends the line if it is True."""

    async def look() -> None:
        app = get_app()
        # After the line, while a slow terminal is waited for, the next look must see it.
        while not (app.is_done or watch()):  # noqa: ASYNC110 - no event announces changed files
            await asyncio.sleep(_POLL)
        if not app.is_done:
            app.erase_when_done = True
            app.exit(result=_SoFar(app.current_buffer.text))

    def begin() -> None:
        get_app().create_background_task(look())

    return begin


def _keys(keys: str, untouched: Callable[[], bool], *, lines: bool) -> KeyBindings:
    """Each of these ``keys`` ends an empty line; what is typed replaces an untouched one."""
    bindings = KeyBindings()
    # Enter begins a further line of a command that is not whole.
    is_open = Condition(lambda: lines and goes_on(get_app().current_buffer.text))

    @bindings.add("enter", filter=has_focus(DEFAULT_BUFFER) & is_open)
    def go_on(event: Any) -> None:
        event.current_buffer.document = Document(f"{event.current_buffer.text}\n")

    @bindings.add("c-d", filter=Condition(lambda: get_app().current_buffer.text[-1:] == "\n"))
    def cut_off(event: Any) -> None:
        event.current_buffer.validate_and_handle()

    @bindings.add(Keys.Any, filter=Condition(untouched))
    @bindings.add(Keys.BracketedPaste, filter=Condition(untouched))
    def replace(event: Any) -> None:
        if event.data[:1] != " ":
            event.current_buffer.text = ""
        event.current_buffer.insert_text(event.data.replace("\r\n", "\n").replace("\r", "\n"))

    for key in keys:

        @bindings.add(key, filter=Condition(lambda: not get_app().current_buffer.text))
        def answer(event: Any) -> None:
            event.app.exit(result=event.data)

    return bindings


def completions(words: Sequence[str]) -> Iterable[str]:
    """The completions of the last of these words."""
    last = words[-1]
    if len(words) == 1:
        return sorted(word for word in (*WORDS, "aws") if word.startswith(last))
    if words[0] != "aws":
        return ()
    return sorted(name for name in names_after(words[1:-1]) if name.startswith(last))


def word_of(text: str) -> str:
    """The word that a text means: itself, or the only word that begins with it; else ""."""
    text = _ALSO.get(text.strip().lower(), text.strip().lower())
    found = [word for word in WORDS if text and word.startswith(text)]
    return found[0] if len(found) == 1 else ""
