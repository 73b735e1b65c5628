"""What JMESPath can find in a value of a known shape, decided without the value.

Only what can't be true for any value of the shape is a complaint; what can't be decided
is taken as it is.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import msgspec
from jmespath.functions import Functions

from stslab.lab.checking.catalogue import (
    ANYTHING,
    BOOLEAN,
    NUMBER,
    SECRET,
    STRING,
    Shape,
    holds_secret,
    list_of,
    shape_of,
    structure,
)
from stslab.lab.reading.expressions import Tree
from stslab.lab.reading.problems import did_you_mean


class Complaint(msgspec.Struct, frozen=True):
    """A word of an expression that can't be right, why, and the fix."""

    word: str
    message: str
    fix: str


class _Reader(msgspec.Struct, frozen=True):
    """Walks a tree; ``root`` complains about names that the outermost value does not have."""

    complain: Callable[[Complaint], None]

    def read(self, tree: Tree, shape: Shape) -> Shape:
        return _READERS.get(tree["type"], _anything)(self, tree, shape)

    def chain(self, children: Sequence[Tree], shape: Shape) -> Shape:
        for child in children:
            shape = self.read(child, shape)
        return shape

    def all(self, children: Sequence[Tree], shape: Shape) -> list[Shape]:
        return [self.read(child, shape) for child in children]


def found(tree: Tree, shape: Shape, complain: Callable[[Complaint], None]) -> Shape:
    """The shape of what ``tree`` finds in a value of ``shape``; what it can't find is told."""
    return _Reader(complain).read(tree, shape)


def _anything(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    return _blurred(reader.all(tree["children"], shape))


def _blurred(shapes: Iterable[Shape]) -> Shape:
    """The shape of what is made of these in a way that is not followed: a secret stays one."""
    return SECRET if any(holds_secret(shape) for shape in shapes) else ANYTHING


def _field(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    name = tree["value"]
    if shape.kind == "document":
        return _blurred([shape])
    if shape.kind == "map":
        return shape.item
    if name in shape.members:
        return shape.members[name]
    if shape.kind == "structure":
        fix = did_you_mean(name, shape.members, "Look it up in the API's reference.")
        if not shape.members:
            fix = "There is nothing in it."
        reader.complain(Complaint(name, f"There is no {name} here.", fix))
    elif shape.kind == "list":
        message = f"{name} is looked for in a list, which has no names."
        reader.complain(Complaint(name, message, f"Write [0].{name} or [].{name}."))
    else:
        message = f"{name} is looked for in {_a(shape)}, which has no names."
        reader.complain(Complaint(name, message, f"Leave .{name} out."))
    return ANYTHING


def _a(shape: Shape) -> str:
    return f"{'an' if shape.kind[0] in 'aeiou' else 'a'} {shape.kind}"


def _chained(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    return reader.chain(tree["children"], shape)


def _same(_: _Reader, __: Tree, shape: Shape) -> Shape:
    return shape


def _items(reader: _Reader, shape: Shape, sign: str) -> Shape:
    """The shape of a list's items; complains about what is no list."""
    if shape.kind == "list":
        return shape.item
    if shape.kind == "document":
        return _blurred([shape])
    message = f"{sign} takes items of {_a(shape)}, which is no list."
    reader.complain(Complaint(sign, message, f"Leave {sign} out."))
    return ANYTHING


def _index(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    return _items(reader, shape, f"[{tree['value']}]")


def _slice(reader: _Reader, _: Tree, shape: Shape) -> Shape:
    return list_of(_items(reader, shape, "["))


def _flatten(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    item = _items(reader, reader.read(tree["children"][0], shape), "[]")
    return list_of(item.item if item.kind == "list" else item)


def _projection(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    base, rest, *condition = tree["children"]
    item = _items(reader, reader.read(base, shape), "[")
    reader.all(condition, item)
    return list_of(reader.read(rest, item))


def _values(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    base, rest = tree["children"]
    inside = reader.read(base, shape)
    item = inside.item if inside.kind == "map" else _blurred([inside])
    return list_of(reader.read(rest, item))


def _either(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    first, second = reader.all(tree["children"], shape)
    return first if first.kind == second.kind else _blurred([first, second])


def _question(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    reader.all(tree["children"], shape)
    return BOOLEAN


def _literal(_: _Reader, tree: Tree, __: Shape) -> Shape:
    return shape_of(tree["value"])


def _listed(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    return list_of(_blurred(reader.all(tree["children"], shape)))


def _named(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    return structure(
        {child["value"]: reader.read(child["children"][0], shape) for child in tree["children"]}
    )


def _function(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    name, children = tree["value"], tree["children"]
    arguments = [
        ANYTHING if one["type"] == "expref" else reader.read(one, shape) for one in children
    ]
    lists = [one.item for one in arguments if one.kind == "list"] or [_blurred(arguments)]
    arguments += [
        reader.read(one["children"][0], lists[0]) for one in children if one["type"] == "expref"
    ]
    _refuse_misuse(reader, name, len(children))
    if name in _SAME_AS_FIRST and arguments:
        return arguments[0]
    if name in _ABOUT:
        return _ABOUT[name]
    blurred = _blurred(arguments)
    return blurred if blurred.sensitive else _MADE.get(name, ANYTHING)


def _refuse_misuse(reader: _Reader, name: str, given: int) -> None:
    function = Functions.FUNCTION_TABLE.get(name)
    if not function:
        fix = did_you_mean(name, _function_names(), "See jmespath.org for its functions.")
        reader.complain(Complaint(name, f"JMESPath has no function {name}().", fix))
        return
    wanted = len(function["signature"])
    variadic = any(argument.get("variadic") for argument in function["signature"])
    if given != wanted and not (variadic and given > wanted):
        many = "at least " if variadic else ""
        message = f"{name}() is given {given} values."
        reader.complain(Complaint(name, message, f"It takes {many}{wanted}."))


@cache
def _function_names() -> frozenset[str]:
    return frozenset(Functions.FUNCTION_TABLE)


_SAME_AS_FIRST = frozenset({"reverse", "sort", "sort_by"})
# These tell something about their arguments, and not what they are.
_ABOUT: dict[str, Shape] = {
    **dict.fromkeys(("contains", "ends_with", "starts_with"), BOOLEAN),
    "keys": list_of(STRING),
    "length": NUMBER,
    "type": STRING,
}
_MADE: dict[str, Shape] = {
    **dict.fromkeys(("abs", "avg", "ceil", "floor", "sum", "to_number"), NUMBER),
    **dict.fromkeys(("join", "to_string"), STRING),
}

_READERS: dict[str, Callable[[_Reader, Tree, Shape], Shape]] = {
    "and_expression": _anything,
    "comparator": _question,
    "current": _same,
    "field": _field,
    "filter_projection": _projection,
    "flatten": _flatten,
    "function_expression": _function,
    "identity": _same,
    "index": _index,
    "index_expression": _chained,
    "literal": _literal,
    "multi_select_dict": _named,
    "multi_select_list": _listed,
    "not_expression": _question,
    "or_expression": _either,
    "pipe": _chained,
    "projection": _projection,
    "slice": _slice,
    "subexpression": _chained,
    "value_projection": _values,
}
