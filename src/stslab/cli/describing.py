"""The ``aws`` command of a call as it is shown: long texts as the files that hold them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from stslab.resources import bundled, text_of
from stslab.runner.events import CallShown

_LONG = 5
_BODY = "Body"
_PATTERNS = ("*.json", "*.yaml", "*.txt", "templates/*", "lab/*.json", "lab/*.txt")


def describer(lab: Path | None = None) -> Callable[[CallShown], str]:
    """A function that gives a call's ``aws`` command.

    A parameter that equals a file that comes with ``lab`` (or with stslab) is shown as that
    file (``file://...``), as a person would type it.
    """
    from stslab.aws.command import File, aws_command

    files = cache(lambda: {text: path for path in _files(lab) if (text := text_of(path))})

    def shown(name: str, value: object) -> object:
        if not isinstance(value, str) or (value.count("\n") < _LONG and name != _BODY):
            return value
        path = files().get(value)
        return File(path) if path else value

    def describe(call: CallShown) -> str:
        params = {name: shown(name, value) for name, value in call.params.items()}
        return aws_command(replace(call, params=params))

    return describe


def _files(lab: Path | None) -> Iterator[Path]:
    folders = [bundled()]
    if lab:
        inside = lab.absolute().parent
        folders += [inside, inside.parent] if inside.name == "lab" else [inside]
    for folder in folders:
        for pattern in _PATTERNS:
            yield from sorted(folder.glob(pattern))
