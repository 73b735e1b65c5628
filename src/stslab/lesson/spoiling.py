"""Ways in which one thing in a policy is wrong, as people get it wrong. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping

from stslab.lesson.edits import Part, Path, edited, listed, part_at, statements

_PATHS = re.compile(r"(?<=:(?:role|user)/)(?:[^/]+/)+(?=[^/])")
_BUCKET = re.compile(r"arn:[^:]+:s3:::[^/*]+")
_KEYS = ("aws:SourceArn", "aws:SourceAccount")
_OPERATORS: Mapping[str, str] = {
    "ArnEquals": "ArnNotEquals",
    "ArnLike": "ArnNotLike",
    "Bool": "Null",
    "DateGreaterThan": "DateLessThan",
    "DateLessThan": "DateGreaterThan",
    "IpAddress": "NotIpAddress",
    "NumericLessThan": "NumericGreaterThan",
    "StringEquals": "StringNotEquals",
    "StringLike": "StringEquals",
}
_TEXTS: tuple[tuple[str, tuple[str, ...], Callable[[str, str, str], str]], ...] = (
    (
        "account",
        ("Resource", "Principal", "Condition"),
        lambda text, account, other: text.replace(account, other),
    ),
    ("path", ("Resource", "Principal", "Condition"), lambda text, *_: _PATHS.sub("", text)),
    ("objects", ("Resource",), lambda text, *_: text.removesuffix("/*")),
    ("bucket", ("Resource",), lambda text, *_: f"{text}/*" if _BUCKET.fullmatch(text) else text),
    ("action", ("Action",), lambda text, *_: _misspelt(text)),
)
"""What goes wrong in a text, in which elements, and the text then: of an account, and another."""


def spoilt(document: Part, account: str, other: str) -> Iterator[tuple[str, Part]]:
    """The policy with one thing wrong, each with a name of what: it stays the same between runs.

    ``other`` is another account that there is.
    """
    for path, statement in statements(document):
        for name, inner, new in _wrong(statement, account, other):
            yield f"{path}{inner}{name}", edited(document, (*path, *inner), new)
        if statement.get("Effect") == "Allow":
            given = part_at(document, path[:1])
            yield f"{path}deny", edited(document, path[:1], [*listed(given), _denied(statement)])


def _wrong(
    statement: Mapping[str, Part], account: str, other: str
) -> Iterator[tuple[str, Path, Part]]:
    for name, elements, change in _TEXTS:
        for element in elements:
            for path, text in _texts(statement.get(element), (element,)):
                new = change(text, account, other)
                if new != text:
                    yield name, path, new
    principal = statement.get("Principal")
    if isinstance(principal, Mapping):
        other_type = {"Service": "ec2.amazonaws.com"} if "AWS" in principal else {"AWS": account}
        yield "type", ("Principal",), other_type
    yield from _mistested(statement)


def _mistested(statement: Mapping[str, Part]) -> Iterator[tuple[str, Path, Part]]:
    """With a condition that tests another key, or with another operator."""
    for operator, tests in statement.get("Condition", {}).items():
        rest = {name: one for name, one in statement["Condition"].items() if name != operator}
        if operator in _OPERATORS:
            yield operator, ("Condition",), {**rest, _OPERATORS[operator]: tests}
        for key in tests:
            instead = next(one for one in _KEYS if one != key)
            others = {instead if name == key else name: one for name, one in tests.items()}
            yield key, ("Condition",), {**rest, operator: others}


def _texts(part: Part, path: Path) -> Iterator[tuple[Path, str]]:
    """Each text in a part of a statement, and the path to it."""
    if isinstance(part, str):
        yield path, part
        return
    inner = part.items() if isinstance(part, Mapping) else enumerate(listed(part))
    for key, one in inner:
        yield from _texts(one, (*path, key))


def _misspelt(action: str) -> str:
    """With an s too many or too few, as in s3:ListBuckets."""
    if action.endswith("*"):
        return action
    return action.removesuffix("s") if action.endswith("s") else f"{action}s"


def _denied(statement: Mapping[str, Part]) -> Mapping[str, Part]:
    """A Deny of the same, for everybody."""
    kept = {name: statement[name] for name in ("Action", "Resource") if name in statement}
    everybody = {"Principal": "*"} if "Principal" in statement else {}
    return {"Sid": "Freeze", "Effect": "Deny", **everybody, **kept}
