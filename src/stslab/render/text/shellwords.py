r"""Lays out a command line in a width, so that what is copied from the screen still runs.

A line is broken only between words, with a trailing backslash. A JSON document inside
single quotes may be broken where JSON has white space anyway. Nothing else is inserted.
"""

import json
import re
import shlex

_WORD = re.compile(r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+""", re.DOTALL)
_SUBSTITUTED = re.compile(r"(AWS_[A-Z_]+)=(\$\(aws configure get \w+ --profile \w+\))")
_CONTINUED = " \\"
_DEEPER = "  "


def kept(word: str) -> str:
    """A variable for a profile's key, quoted so that the shell looks it up; else nothing."""
    found = _SUBSTITUTED.fullmatch(word)
    return f'{found[1]}="{found[2]}"' if found else ""


def wrapped(command: str, width: int, indent: str = "") -> list[str]:
    """The command's lines, each starting with ``indent`` and, where words allow, within ``width``.

    An option keeps its value beside it if both fit on a line.
    """
    if len(indent) + len(command) <= width and "\n" not in command:
        return [indent + command]
    words, meant = _WORD.findall(command), _split(command)
    if meant is None or _split(" ".join(words)) != meant:
        words = [command]
    room = width - len(indent) - len(_CONTINUED)
    groups = _option_groups([_laid_out(word, width, indent) for word in words], room - len(_DEEPER))
    led = enumerate(_filled(groups, room))
    lines = (indent + (_DEEPER if number else "") + line for number, line in led)
    return f"{_CONTINUED}\n".join(lines).split("\n")


def _split(command: str) -> list[str] | None:
    try:
        return shlex.split(command)
    except ValueError:
        return None


def _laid_out(word: str, width: int, indent: str) -> str:
    """A word that is a long JSON document in single quotes, or looks a key up, on several lines."""
    if '="$(' in word and len(indent) + len(_DEEPER) + len(word) + len(_CONTINUED) > width:
        return word.replace("$(", f"$(\n{indent}{_DEEPER}{_DEEPER}")
    if len(word) <= width // 2 or not (word.startswith("'") and word.endswith("'")):
        return word
    if word.count("'") > 2 or word[1:2] not in "{[":  # noqa: PLR2004 - the two around it
        return word
    try:
        document = json.loads(word[1:-1])
    except ValueError:
        return word
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return "'" + text.replace("\n", "\n" + indent + _DEEPER) + "'"


def _option_groups(words: list[str], room: int) -> list[str]:
    """Words in groups that like to stay on one line: an option and its value, where they fit."""
    groups: list[str] = []
    for word in words:
        last = groups[-1] if groups else ""
        beside = last.startswith("--") and " " not in last and word[0] != "-"
        if beside and ("\n" in word or len(last) + 1 + len(word) <= room):
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
