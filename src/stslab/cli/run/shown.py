"""The commands that a learner sees and runs: with the variables that the lab exports in them."""

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from stslab.errors import UnresolvedReference
from stslab.lab.model import Lab
from stslab.lab.references import resolve
from stslab.runner.events import CallShown

_MARK = "\x00"


def variables(lab: Lab, scope: Mapping[str, Any]) -> dict[str, str]:
    """The variables of the lab's ``env`` whose values are known now."""
    found = {}
    for name, text in lab.env.items():
        try:
            found[name] = str(resolve(text, scope))
        except UnresolvedReference:
            continue
    return found


def command(
    call: CallShown, env: Mapping[str, str], describe: Callable[[CallShown], str], who: str = ""
) -> str:
    """The ``aws`` command of a call, with ``$NAME`` for what a variable holds.

    ``who`` is the profile that the shell has already, which the command then need not name.
    """
    words = shlex.split(describe(call))
    if who and words[-2:] == ["--profile", who]:
        words = words[:-2]
    known = sorted(env.items(), key=lambda one: -len(one[1]))
    return " ".join(_word(word, known) for word in words)


def _word(word: str, known: list[tuple[str, str]]) -> str:
    marked = word
    for name, value in known:
        if value:
            marked = marked.replace(value, f"{_MARK}{name}{_MARK}")
    if marked == word:
        return shlex.quote(word)
    parts = marked.split(_MARK)
    if not parts[0] and len(parts) == 3 and not parts[2]:  # noqa: PLR2004 - the variable alone
        return f"${parts[1]}"
    quoted = [f"${{{part}}}" if at % 2 else _inside_quotes(part) for at, part in enumerate(parts)]
    return f'"{"".join(quoted)}"'


def _inside_quotes(text: str) -> str:
    for special in ("\\", '"', "$", "`"):
        text = text.replace(special, f"\\{special}")
    return text
