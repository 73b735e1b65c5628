"""The proof of a claim in few words: the values of the response that it was compared with."""

import json
from collections.abc import Iterator

from jmespath.exceptions import JMESPathError

from stslab.lab.reading import expressions
from stslab.lab.reading.expressions import Tree
from stslab.lab.references import Interpreter
from stslab.runner.ports import Data

LONGEST = 400
_CONNECTING = frozenset(
    {
        "function_expression",
        "comparator",
        "or_expression",
        "and_expression",
        "not_expression",
        "pipe",
    }
)
_NO_PATHS = frozenset({"literal", "expref", "current", "multi_select_dict", "multi_select_list"})
_PATHS = frozenset({"field", "subexpression", "index_expression", "projection", "flatten"})


def compared(expression: str, data: Data) -> str:
    """``Arn = arn:…`` for each path into the response that the expression compares."""
    tree = expressions.query(expression).tree
    body = data.get("Body")
    if isinstance(body, str):  # what an object holds goes into no journal and no report
        data = {**data, "Body": f"({len(body)} characters)"}
    found = {_written(path): _found(path, data) for path in _paths(tree)}
    parts = [
        f"{name} = {_brief(value)}" if name else _brief(value) for name, value in found.items()
    ]
    text = "; ".join(parts) or "it holds"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _paths(tree: Tree) -> Iterator[Tree]:
    """The outermost paths in a tree, in order."""
    if tree["type"] in _CONNECTING:
        for child in tree["children"][: 1 if tree["type"] == "pipe" else None]:
            yield from _paths(child)
    elif tree["type"] not in _NO_PATHS:
        yield tree


def _written(tree: Tree) -> str:
    """The name of a path that is written with dots alone; nothing for a longer one."""
    if tree["type"] == "field":
        return str(tree["value"])
    if tree["type"] not in _PATHS:
        return ""
    names = [_written(child) for child in tree["children"] if child["type"] in _PATHS]
    return ".".join(filter(None, names))


def _found(tree: Tree, data: Data) -> object:
    try:
        return Interpreter().visit(tree, data)
    except (JMESPathError, ValueError, TypeError):
        # A value of the lab's stands in the middle of the path: it is not resolved here.
        return None


def _brief(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
