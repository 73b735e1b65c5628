"""JSON as RFC 8259 has it, where Python's reader takes more; and what is wrong, in plain words."""

import json
import math
from collections.abc import Callable
from typing import Any, Final

_UTF_16: Final = ("\udcff\udcfe", "\udcfe\udcff")
"""How a text begins that is UTF-16, read as UTF-8 with its bytes escaped."""


def decoder(pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> json.JSONDecoder:
    """A reader that refuses NaN, Infinity, and numbers that no float can hold.

    ``pairs`` makes an object of its keys and values. Raises ValueError, or RecursionError where
    the text is nested too deeply; :func:`problem` says which in plain words.
    """
    return json.JSONDecoder(
        object_pairs_hook=pairs, parse_constant=_no_constant, parse_float=_finite
    )


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def is_utf8(text: str) -> bool:
    """Whether the text, read with its bytes escaped (``surrogateescape``), was UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def problem(text: str, error: ValueError | RecursionError) -> str:
    """What is wrong with a text that a :func:`decoder` refused, without a full stop."""
    if text.startswith(_UTF_16):
        return "it is UTF-16; save it as UTF-8"
    if not text or text.isspace():
        return "it is empty"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        lines = text.count("\n", 0, len(text) - 1)
        where = f"line {error.lineno}, column {error.colno}" if lines else f"column {error.colno}"
        return f"{error.msg.removesuffix(' at')} at {where}"
    if "integer string" in str(error):
        return "a number has too many digits"
    return str(error)
