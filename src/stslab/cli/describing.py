"""The ``aws`` command of a call as it is shown: long texts as the files that hold them."""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stslab.home import private_folder
from stslab.render.text.shellwords import kept
from stslab.resources import bundled, text_of
from stslab.runner.events import CallShown, Describe

if TYPE_CHECKING:
    from stslab.lab.model import Lab

_LONG = 5
_LONGEST = 320  # characters: four lines of a screen
_BODY = "Body"
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_SPECIAL = re.compile(r'["$`\\!]')
_PATTERNS = ("*.json", "templates/*", "lab/*.json", "lab/*.txt")


def describer(lab: "Lab | None" = None, keep: Path | None = None) -> Describe:
    """A function that gives a call's ``aws`` command.

    A parameter that equals a file that ``lab`` includes, or one that comes with stslab, is shown as
    that file (``file://...``), as a person would type it. With ``keep``, JSON stands on one line,
    and what no file holds and is too long for a screen is written to a file in that folder.
    """
    from stslab.aws.command import File, aws_command

    @cache
    def files() -> dict[str, Path]:
        own = (path for one in _PATTERNS for path in sorted(bundled().glob(one)))
        further = lab.includes if lab else ()
        return {text: path for path in (*own, *further) if (text := text_of(path))}

    def shown(name: str, value: object, params: Mapping[str, object]) -> object:
        if not isinstance(value, str) or isinstance(value, File):
            return value
        long = value.count("\n") >= _LONG or name == _BODY
        path = files().get(value) if long else None
        if path or keep is None:
            return File(path) if path else value
        brief = _on_one_line(value)
        if len(brief) <= _LONGEST and name != _BODY:
            return brief
        return File(_kept(keep, value, str(params.get("Key", name))))

    def describe(call: CallShown) -> str:
        given = call.params
        params = {name: shown(name, value, given) for name, value in given.items()}
        return aws_command(replace(call, params=params))

    return with_keys(lab, describe) if lab else describe


def with_keys(lab: "Lab", describe: Describe) -> Describe:
    """The same; before a command what puts keys into its environment, where a profile says so."""

    def shown(call: CallShown) -> str:
        said = lab.profiles.get(call.identity)
        if said is None or not said.environment:
            return describe(call)
        line = describe(replace(call, identity=said.named))
        named = "" if said.option else f"AWS_PROFILE={said.profile} "
        line = line if said.option else line.removesuffix(f" --profile {said.profile}")
        return f"env {_keys(lab, said.environment)} {named}{line}"

    return shown


def _keys(lab: "Lab", profile: str) -> str:
    """What puts the keys of a profile into the environment of one command."""
    steps = (step for stage in lab.stages for step in stage.steps if step.profile)
    makers = {one.profile.name: one.operation for one in steps if one.profile}
    lasting = makers.get(profile) == "CreateAccessKey"
    names = _KEYS[:2] if lasting else _KEYS
    gets = f"aws configure get {{}} --profile {profile}"
    return " ".join(f'{name}="$({gets.format(name.lower())})"' for name in names)


def _on_one_line(text: str) -> str:
    """A JSON document on one line; any other text as it is."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
    except ValueError:
        return text


def _kept(folder: Path, text: str, name: str) -> Path:
    """A file with this text, whose name ends as the thing is called."""
    private_folder(folder)
    sign = hashlib.sha256(text.encode()).hexdigest()[:6]
    path = folder / f"{sign}-{name.rsplit('/', 1)[-1] or 'body'}"
    path.write_text(text, encoding="utf-8")
    return path


def command_of(
    call: CallShown,
    env: Mapping[str, str],
    describe: Describe,
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
        for name, value in call.params.items()
    }
    words = shlex.split(describe(replace(call, params=params)))
    if who and words[-2:] == ["--profile", who]:
        words = words[:-2]
    names = {value: name for name, value in reversed([*env.items()]) if value}
    return " ".join(_word(word, names) for word in words)


def _word(word: str, names: Mapping[str, str]) -> str:
    """A word quoted for a shell, with the variables that hold parts of it; ``names`` by value."""
    longest_first = sorted(names, key=len, reverse=True)
    parts = re.split(f"({'|'.join(map(re.escape, longest_first))})", word) if names else [word]
    texts = parts[::2]  # between them stand the values
    if len(parts) == 1:
        return kept(word) or shlex.quote(word)
    if texts == ["", ""] and shlex.quote(word) == word:
        return f"${names[word]}"
    if _SPECIAL.search("".join(texts)):
        each = (f'"${names[part]}"' if at % 2 else shlex.quote(part) for at, part in
                enumerate(parts) if part)  # fmt: skip
        return "".join(each)
    whole = "".join(f"${{{names[part]}}}" if at % 2 else part for at, part in enumerate(parts))
    return f'"{whole}"'
