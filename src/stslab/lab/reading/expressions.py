"""Parses ``${{ … }}`` and JMESPath into syntax trees, with positions for errors."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from jmespath.exceptions import EmptyExpressionError, JMESPathError, ParseError
from jmespath.parser import Parser

from stslab.structures import mapped

LONGEST = 4000
DEEPEST = 60
OPEN, CLOSE = "${{", "}}"
Data = Any  # What YAML or JSON has
Tree = Mapping[str, Data]

# A placeholder: a mark for a text or for a value, a character for its number, and filling. Of
# these, a lab's text can't have the marks and the filling (the loader refuses them).
_OF_TEXT, _OF_VALUE, _FILLING = "\ue000", "\ue002", "\ue001"
_NUMBERS = 0xF0000
_PLACEHOLDER = re.compile(f"({_OF_TEXT}|{_OF_VALUE})(.){_FILLING}*", re.DOTALL)
# Those three, control characters, and characters that reorder text; and their escapes.
UNFIT = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ue000-\ue002]")
_UNFIT_ESCAPE = re.compile(r"(?i)\\u(00[0189].|007f|202[a-e]|206[6-9]|e00[0-2])")
NO_TEXT, LEAVE_OUT = "A lab's text can't have this character.", "Leave it out."
_QUOTES = "'\"`"
_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`""", re.DOTALL)
_QUOTED_OR_SIGN = re.compile(rf"{_QUOTED.pattern}|[{{}}{_QUOTES}]", re.DOTALL)


@dataclass(eq=False)
class BadExpression(Exception):  # noqa: N818 - like the lab errors
    """An expression that can't be parsed."""

    message: str
    position: int
    fix: str


class Hole(msgspec.Struct, frozen=True):
    """One ``${{ … }}`` in a text: its position, its JMESPath and the JMESPath's position."""

    start: int
    end: int
    expression: str
    inner: int
    tree: Tree


@lru_cache(maxsize=4096)
def holes(text: str) -> tuple[Hole, ...]:
    """Every ``${{ … }}`` in ``text``, in order. BadExpression: one is not closed or not valid."""
    found = []
    at = text.find(OPEN)
    while at >= 0:
        end = _closing(text, at)
        raw = text[at + len(OPEN) : end]
        expression = raw.strip()
        inner = at + len(OPEN) + len(raw) - len(raw.lstrip())
        try:
            tree = _parsed(expression)
        except BadExpression as bad:
            raise BadExpression(bad.message, inner + bad.position, bad.fix) from None
        found.append(Hole(at, end + len(CLOSE), expression, inner, tree))
        at = text.find(OPEN, end + len(CLOSE))
    return tuple(found)


def query(text: str) -> tuple[Tree, tuple[Hole, ...]]:
    """The tree of a JMESPath, with placeholders for its ``${{ … }}``, also in quotes; these."""
    if len(text) > LONGEST:
        message = f"This expression is longer than {LONGEST} characters."
        raise BadExpression(message, 0, "Make it shorter.")
    if unfit := UNFIT.search(text):  # it could be taken for a placeholder
        raise BadExpression(NO_TEXT, unfit.start(), LEAVE_OUT)
    found = holes(text)
    return _parsed(_with_placeholders(text, found)), found


def bound(tree: Data, values: tuple[Data, ...]) -> Data:
    """The tree with each placeholder replaced by its value; inside quotes, as text."""

    def filled(text: str) -> Data:
        if text.startswith(_OF_VALUE):
            return values[ord(text[1]) - _NUMBERS]
        return _PLACEHOLDER.sub(lambda found: as_text(values[ord(found[2]) - _NUMBERS]), text)

    return mapped(tree, filled)


def as_text(value: Data) -> str:
    """A value for a longer text: text as it is, other values as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, default=str, separators=(",", ":"))


def _closing(text: str, at: int) -> int:
    """The position of the ``}}`` that closes the ``${{`` at ``at``, outside quotes and braces."""
    depth = 0
    for found in _QUOTED_OR_SIGN.finditer(text, at + len(OPEN), at + LONGEST):
        if found[0] in _QUOTES and depth >= 0:  # after one } alone, it is another text's
            message = "This quote is not closed in the expression."
            raise BadExpression(message, found.start(), f"Close it with {found[0]}.")
        if text.startswith(CLOSE, found.start()) and not depth:
            return found.start()
        depth += {"{": 1, "}": -1}.get(found[0], 0)
    raise BadExpression("This ${{ is not closed.", at, "Close it with }}, as in ${{ user }}.")


def _with_placeholders(text: str, holes: tuple[Hole, ...]) -> str:
    """``text`` with placeholders, each as long as its hole: all positions stay the same."""
    written, quote = "", ""
    for number, hole in enumerate(holes):
        before, sign = text[len(written) : hole.start], chr(_NUMBERS + number)
        unclosed = re.search(f"[{_QUOTES}]", _QUOTED.sub("", quote + before))
        quote = unclosed[0] if unclosed else ""  # the hole is inside this quote, if any
        length = hole.end - hole.start
        value = f"{_OF_VALUE}{sign}".ljust(length - len('`""`'), _FILLING)
        put = f"{_OF_TEXT}{sign}".ljust(length, _FILLING) if quote else f'`"{value}"`'
        written += before + put
    return written + text[len(written) :]


@lru_cache(maxsize=4096)
def _parsed(expression: str) -> Tree:
    _refuse_bare_literals(expression)
    try:
        # Not `parse`: it caches its results in a global.
        tree: Tree = Parser()._do_parse(expression).parsed  # noqa: SLF001
    except EmptyExpressionError:
        fix = "Name a value, as in ${{ user }}."
        raise BadExpression("The expression is empty.", 0, fix) from None
    except ParseError as error:
        raise _located(error, expression) from None
    except (JMESPathError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadExpression(f"This is not JMESPath: {error}.", 0, _SEE) from None
    except RecursionError:
        raise _TOO_DEEP from None
    _refuse_deep(tree)
    _refuse_loose_expressions(tree)
    return tree


def _refuse_deep(tree: Tree) -> None:
    """Refuse deep trees, so that other functions can recurse."""
    level: list[Data] = [tree]
    for _ in range(2 * DEEPEST):  # each step down in a tree is a mapping and a list
        level = [part for one in level for part in (one.values() if isinstance(one, dict) else one)]
        level = [one for one in level if isinstance(one, dict | list)]
        if not level:
            return
    raise _TOO_DEEP


def _refuse_loose_expressions(tree: Tree) -> None:
    """Refuse `&name` anywhere but in the functions that apply it."""
    if tree["type"] == "expref":
        fix = f"Use it only in {', '.join(_APPLYING)}."
        raise BadExpression("An & alone has no value.", 0, fix)
    applies = tree["type"] == "function_expression" and tree["value"] in _APPLYING
    for child in tree["children"]:
        if isinstance(child, dict):
            inner = child["type"] == "expref" and applies
            _refuse_loose_expressions(child["children"][0] if inner else child)


_APPLYING = ("map", "max_by", "min_by", "sort_by")
_TOO_DEEP = BadExpression("This expression is nested too deep.", 0, "Make it simpler.")
_SEE = "See jmespath.org for the syntax; write text in 'single quotes'."


def _located(error: ParseError, expression: str) -> BadExpression:
    position = min(int(error.lex_position), len(expression))
    if error.token_type in {None, "EOF"}:
        return BadExpression("This JMESPath ends too early.", len(expression), _SEE)
    if isinstance(error.token_value, int):
        fix = f"Write a number between backquotes: `{error.token_value}`."
        return BadExpression("A number can't be here by itself.", position, fix)
    token = _PLACEHOLDER.sub("${{ … }}", str(error.token_value))
    return BadExpression(f"This JMESPath has an error at {token!r}.", position, _SEE)


def _refuse_bare_literals(expression: str) -> None:
    """Refuse backquotes without JSON, which jmespath accepts with a deprecation warning."""
    if unfit := _UNFIT_ESCAPE.search(expression):
        raise BadExpression(NO_TEXT, unfit.start(), LEAVE_OUT)
    for found in _QUOTED.finditer(expression):
        if not found[0].startswith("`"):
            continue
        try:
            json.loads(found[0][1:-1].replace("\\`", "`"))
        except (ValueError, RecursionError):
            message = "Text between backquotes must be JSON, and this is not."
            raise BadExpression(message, found.start(), "Write text in 'single quotes'.") from None
