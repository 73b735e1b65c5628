"""The shown ``aws`` command of a call, with files in place of long texts."""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from msgspec.structs import replace

from stslab.aws.command import File, aws_command
from stslab.home import private_folder
from stslab.lab.model import Lab
from stslab.render.text.shellwords import kept
from stslab.resources import bundled, text_of
from stslab.runner.events import Describe
from stslab.runner.ports import Call

_LONG = 5  # lines
_LONGEST = 320  # characters: four lines of a screen
_BODY = "Body"
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_SPECIAL = re.compile(r'["$`\\!]')
_PATTERNS = ("*.json", "templates/*", "lab/*.json", "lab/*.txt")


def describer(lab: Lab | None, keep: Path | None = None) -> Describe:
    """A function that returns a call's ``aws`` command, with keys in its environment if need be.

    A parameter that equals a file of ``lab``, or of stslab, is shown as that file (``file://...``).
    With ``keep``, JSON is on one line, and other texts that are too long for a screen are written
    to files in that folder.
    """

    @cache
    def files() -> dict[str, Path]:
        own = (path for pattern in _PATTERNS for path in sorted(bundled().glob(pattern)))
        further = lab.includes if lab else ()
        return {text: path for path in (*own, *further) if (text := text_of(path))}

    def shown(name: str, value: object, params: Mapping[str, object]) -> object:
        if not isinstance(value, str) or isinstance(value, File):
            return value
        long = value.count("\n") >= _LONG or name == _BODY
        path = files().get(value) if long else None
        if path or keep is None:
            return File(path) if path else value
        brief = value
        with suppress(ValueError):
            if value.lstrip().startswith("{"):  # JSON goes on one line
                brief = json.dumps(json.loads(value), separators=(",", ":"), ensure_ascii=False)
        if len(brief) <= _LONGEST and name != _BODY:
            return brief
        private_folder(keep)
        sign = hashlib.sha256(value.encode()).hexdigest()[:6]
        file = str(params.get("Key", name)).rsplit("/", 1)[-1] or "body"
        path = keep / f"{sign}-{file}"
        path.write_text(value, encoding="utf-8")
        return File(path)

    def describe(call: Call) -> str:
        params = {name: shown(name, value, call.params) for name, value in call.params.items()}
        profile = lab.profiles.get(call.identity) if lab else None
        if not (lab and profile and profile.environment):
            return aws_command(replace(call, params=params))
        maker = lab.makers.get(profile.environment)
        long_term = maker is not None and maker.operation == "CreateAccessKey"
        names = _KEYS[:2] if long_term else _KEYS
        gets = f"aws configure get {{}} --profile {profile.environment}"
        keys = " ".join(f'{name}="$({gets.format(name.lower())})"' for name in names)
        line = aws_command(replace(call, params=params, identity=profile.named))
        named = "" if profile.option else f"AWS_PROFILE={profile.profile} "
        line = line if profile.option else line.removesuffix(f" --profile {profile.profile}")
        return f"env {keys} {named}{line}"

    return describe


def command_of(
    call: Call, env: Mapping[str, str], describe: Describe, who: str, files: Mapping[str, Path]
) -> str:
    """The ``aws`` command of a call, with ``$NAME`` in place of the values in ``env``.

    ``who`` is the shell's own profile, which the command need not name. ``files`` replace the
    texts that they hold.
    """
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
    """A word quoted for a shell, with variables (``names``, by value) for parts of it."""
    longest_first = sorted(names, key=len, reverse=True)
    parts = re.split(f"({'|'.join(map(re.escape, longest_first))})", word) if names else [word]
    texts = parts[::2]  # the values are between them
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
