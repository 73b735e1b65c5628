r"""Wrap a command line to a width, so that it still runs when copied from the screen.

A line is broken only between words, with a backslash, and in JSON where white space is allowed.
"""

import json
import re
import shlex
from contextlib import suppress

_WORD = re.compile(r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+""", re.DOTALL)
_CONTINUED = " \\"
_DEEPER = "  "


def wrapped(command: str, width: int, indent: str = "") -> list[str]:
    """The command's lines, indented, and within ``width`` unless one word is wider.

    An option and its value stay on one line if both fit.
    """
    if len(indent) + len(command) <= width and "\n" not in command:
        return [indent + command]
    words, meant = _WORD.findall(command), _split(command)
    if meant is None or _split(" ".join(words)) != meant:
        words = [command]
    room = width - len(indent) - len(_CONTINUED)
    groups = _option_groups([_laid_out(word, width, indent) for word in words], room - len(_DEEPER))
    first, *others = _filled(groups, room)
    lines = [indent + first, *(_indented(line, width, indent + _DEEPER) for line in others)]
    return f"{_CONTINUED}\n".join(lines).split("\n")


def same_command(one: str, other: str) -> bool:
    """Whether they differ only in how they are laid out."""
    first, second = (text.strip().replace("\\\n", "") for text in (one, other))
    is_one = "\n" not in _WORD.sub("", first)  # else the end of a line ends a command
    return is_one and wrapped(first, 1) == wrapped(second, 1)


def _indented(line: str, width: int, indent: str) -> str:
    """The line, indented less where only then the backslash stays on it, as after a long ARN."""
    too_much = len(indent) + len(line) + len(_CONTINUED) - width
    helps = 0 < too_much <= len(indent) and "\n" not in line
    return (indent[too_much:] if helps else indent) + line


def _split(command: str) -> list[str] | None:
    with suppress(ValueError):
        return shlex.split(command)
    return None


def _laid_out(word: str, width: int, indent: str) -> str:
    """Break a long JSON document in single quotes, or a ``$(...)``, into several lines."""
    if '="$(' in word and len(indent) + len(_DEEPER) + len(word) + len(_CONTINUED) > width:
        return word.replace("$(", f"$(\n{indent}{_DEEPER}{_DEEPER}")
    if len(word) <= width // 2 or not (word.startswith("'") and word.endswith("'")):
        return word
    if word.count("'") > 2 or word[1:2] not in "{[":  # noqa: PLR2004 - the two around it
        return word
    with suppress(ValueError):
        text = json.dumps(json.loads(word[1:-1]), indent=2, ensure_ascii=False)
        return "'" + text.replace("\n", "\n" + indent + _DEEPER) + "'"
    return word


def _option_groups(words: list[str], room: int) -> list[str]:
    groups: list[str] = []
    for word in words:
        last = groups[-1] if groups else ""
        is_value = last.startswith("--") and " " not in last and word[0] != "-"
        if is_value and ("\n" in word or len(last) + 1 + len(word) <= room):
            groups[-1] += " " + word
        else:
            groups.append(word)
    return groups


def _filled(groups: list[str], width: int) -> list[str]:
    lines: list[str] = []
    for group in groups:
        room = width - (len(_DEEPER) if len(lines) > 1 else 0)
        if lines and "\n" not in lines[-1] + group and len(lines[-1]) + 1 + len(group) <= room:
            lines[-1] += " " + group
        else:
            lines.append(group)
    return lines
