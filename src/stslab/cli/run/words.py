"""The words that a learner may enter at the prompt, and what each does."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stslab.render.terminal.paper import Paper

WORDS: Mapping[str, str] = {
    "why": "explain the last refusal",
    "hint": "a nudge, then a pointer, then the command",
    "solve": "do it for me",
    "access": "who can do what",
    "policies": "the policies that have a say",
    "more": "the longer story, and pages of AWS",
    "copy": "copy the command",
    "back": "this screen again",
    "skip": "leave this out",
    "status": "where the run stands",
    "quit": "stop here; the run goes on later",
    "help": "these words",
}
"""Each word, and what it does."""

Draw = Callable[["Paper"], None]


def word_of(text: str) -> str:
    """The word that a text means: itself, or the only one that begins so; empty for none."""
    text = text.strip().lower()
    if text in WORDS:
        return text
    if text in ("h", "?"):
        return "help"
    found = [word for word in WORDS if text and word.startswith(text)]
    return found[0] if len(found) == 1 else ""


def draw_help(paper: "Paper") -> None:
    """All words."""
    paper.prose("At the prompt, a word or its first letters:", indent=1, style="bold")
    paper.blank()
    paper.fields(list(WORDS.items()), indent=3)
    paper.blank()
    text = "Anything else runs in your shell, with the lab's profiles and variables."
    paper.prose(text, indent=1)
