"""The commands that a learner sees and runs: with the variables that the lab exports in them."""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from stslab.errors import UnresolvedReference
from stslab.lab.model import Lab
from stslab.lab.references import resolve
from stslab.runner.events import CallShown

_SPECIAL = re.compile(r'["$`\\!]')


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
    call: CallShown,
    env: Mapping[str, str],
    describe: Callable[[CallShown], str],
    who: str = "",
    files: Mapping[str, Path] = MappingProxyType({}),
) -> str:
    """The ``aws`` command of a call, with ``$NAME`` for what a variable holds.

    ``who`` is the profile that the shell has already, which the command then need not name.
    ``files`` stand in place of the texts that they hold.
    """
    from stslab.aws.command import File

    params = {
        name: File(files[value]) if value and isinstance(value, str) and value in files else value
        for name, value in _compact(call.params).items()
    }
    words = shlex.split(describe(replace(call, params=params)))
    if who and words[-2:] == ["--profile", who]:
        words = words[:-2]
    names = {value: name for name, value in reversed([*env.items()]) if value}
    return " ".join(_word(word, names) for word in words)


def _compact(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, with JSON documents on one line."""
    return {name: _on_one_line(value) for name, value in params.items()}


def _on_one_line(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        return json.dumps(json.loads(value), separators=(",", ":"), ensure_ascii=False)
    except ValueError:
        return value


def _word(word: str, names: Mapping[str, str]) -> str:
    """A word quoted for a shell, with the variables that hold parts of it; ``names`` by value."""
    longest_first = sorted(names, key=len, reverse=True)
    parts = re.split(f"({'|'.join(map(re.escape, longest_first))})", word) if names else [word]
    texts = parts[::2]  # between them stand the values
    if len(parts) == 1:
        return shlex.quote(word)
    if texts == ["", ""] and shlex.quote(word) == word:
        return f"${names[word]}"
    if _SPECIAL.search("".join(texts)):
        each = (f'"${names[part]}"' if at % 2 else shlex.quote(part) for at, part in
                enumerate(parts) if part)  # fmt: skip
        return "".join(each)
    whole = "".join(f"${{{names[part]}}}" if at % 2 else part for at, part in enumerate(parts))
    return f'"{whole}"'
