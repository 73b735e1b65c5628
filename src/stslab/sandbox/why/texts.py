"""What ``stslab why`` says, as ``texts.yaml`` has it."""

from functools import cache
from pathlib import Path

import msgspec
import yaml

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Reason(msgspec.Struct, frozen=True):
    """Why, and what to do."""

    why: str
    fixes: tuple[str, ...] = ()


class Texts(msgspec.Struct, frozen=True):
    """The sections of the file."""

    codes: dict[str, Reason]
    tokens: dict[str, Reason]
    protects: dict[str, str]
    filled: dict[str, str]


@cache
def texts() -> Texts:
    text = Path(__file__).with_name("texts.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.load(text, Loader=_Loader), Texts)  # noqa: S506 - a safe one
