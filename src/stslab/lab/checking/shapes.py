"""The shapes of AWS's APIs, and type checks of JMESPath over a value of a shape.

``stslab.aws.catalogue`` has the shapes, offline. An expression is refused only if it can't be right
for any value of the shape.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Protocol

import msgspec
from jmespath.functions import Functions

from stslab.lab.reading.expressions import Tree
from stslab.lab.reading.problems import did_you_mean


class Shape(msgspec.Struct, frozen=True, dict=True):
    """The shape of a value in an API.

    ``kind`` is structure, list, map, string, integer, float, boolean, timestamp, blob or
    document (any JSON). ``parts`` is lazy, since a shape may contain itself: it returns a
    structure's members; for a list or a map, the shape of its items under an empty name.
    """

    kind: str
    parts: Callable[[], Mapping[str, "Shape"]] = dict
    required: Collection[str] = ()
    choices: Collection[str] = ()  # of a string, if it is an enum
    sensitive: bool = False  # it must never be saved or shown
    least: int = 0  # characters of a text, or items of a list
    most: int = 0  # characters of a text; 0: no limit
    pattern: str = ""  # that a text must match

    @cached_property
    def members(self) -> Mapping[str, "Shape"]:
        return self.parts() if self.kind == "structure" else {}

    @cached_property
    def item(self) -> "Shape":
        """The shape of the items or values; ANYTHING if not known."""
        return self.parts().get("", ANYTHING)


class Operation(msgspec.Struct, frozen=True):
    """An operation's input and output. ``changes``: it changes the account."""

    input: Shape
    output: Shape
    changes: bool


class Catalogue(Protocol):
    """AWS's services (named as in boto3) and their operations (named as in the API).

    ``waiters`` maps a service's waiters, in snake case, to the operations that they poll.
    ``errors`` are the codes in its model. For unknown names the results are empty.
    """

    def services(self) -> Collection[str]: ...
    def operations(self, service: str) -> Collection[str]: ...
    def operation(self, service: str, name: str) -> Operation | None: ...
    def waiters(self, service: str) -> Mapping[str, str]: ...
    def errors(self, service: str) -> Collection[str]: ...


ANYTHING = Shape("document")
SECRET = Shape("document", sensitive=True)
STRING = Shape("string")
NUMBER = Shape("number")
BOOLEAN = Shape("boolean")
NOTHING = Shape("structure")


def list_of(item: Shape) -> Shape:
    return Shape("list", lambda: {"": item})


def structure(members: Mapping[str, Shape]) -> Shape:
    return Shape("structure", lambda: members)


def shape_of(value: object) -> Shape:
    return _PLAIN.get(type(value), ANYTHING)


_PLAIN: Mapping[type, Shape] = {
    bool: BOOLEAN,
    int: Shape("integer"),
    float: Shape("float"),
    str: STRING,
    list: list_of(ANYTHING),
}


def holds_secret(shape: Shape, depth: int = 4) -> bool:
    """Whether a value of this shape is or contains a secret."""
    if shape.sensitive:
        return True
    if not depth:
        return False
    parts = [*shape.members.values(), *([shape.item] if shape.kind in {"list", "map"} else [])]
    return any(holds_secret(part, depth - 1) for part in parts)


# -- type checks of JMESPath ---------------------------------------------------------------------


class Complaint(msgspec.Struct, frozen=True):
    """A word of an expression that can't be right, with the message and the fix."""

    word: str
    message: str
    fix: str


class _Reader(msgspec.Struct, frozen=True):
    complain: Callable[[Complaint], None]

    def read(self, tree: Tree, shape: Shape) -> Shape:
        return _READERS.get(tree["type"], _anything)(self, tree, shape)

    def all(self, children: Sequence[Tree], shape: Shape) -> list[Shape]:
        return [self.read(child, shape) for child in children]


def result_shape(tree: Tree, shape: Shape, complain: Callable[[Complaint], None]) -> Shape:
    """The shape of the result of ``tree`` over a value of ``shape``; problems are complained of."""
    return _Reader(complain).read(tree, shape)


def _anything(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    return _blurred(reader.all(tree["children"], shape))


def _blurred(shapes: Iterable[Shape]) -> Shape:
    """The shape of an unknown combination of these: secret if one of them is."""
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
        message = f"{name} is in a list here, which has no names."
        reader.complain(Complaint(name, message, f"Write [0].{name} or [].{name}."))
    else:
        message = f"{name} is in {_a(shape)} here, which has no names."
        reader.complain(Complaint(name, message, f"Leave .{name} out."))
    return ANYTHING


def _a(shape: Shape) -> str:
    return f"{'an' if shape.kind[0] in 'aeiou' else 'a'} {shape.kind}"


def _chained(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    for child in tree["children"]:
        shape = reader.read(child, shape)
    return shape


def _items(reader: _Reader, shape: Shape, sign: str) -> Shape:
    """The shape of a list's items; complains about any other shape."""
    if shape.kind == "list":
        return shape.item
    if shape.kind == "document":
        return _blurred([shape])
    message = f"{sign} needs a list, and this is {_a(shape)}."
    reader.complain(Complaint(sign, message, f"Leave {sign} out."))
    return ANYTHING


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


def _named(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    named = {one["value"]: one["children"][0] for one in tree["children"]}
    return structure({name: reader.read(child, shape) for name, child in named.items()})


def _function(reader: _Reader, tree: Tree, shape: Shape) -> Shape:
    name, children = tree["value"], tree["children"]
    applied = [one for one in children if one["type"] == "expref"]
    arguments = [ANYTHING if one in applied else reader.read(one, shape) for one in children]
    lists = [one.item for one in arguments if one.kind == "list"] or [_blurred(arguments)]
    arguments += [reader.read(one["children"][0], lists[0]) for one in applied]
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
        known = Functions.FUNCTION_TABLE
        fix = did_you_mean(name, known, "See jmespath.org for its functions.")
        reader.complain(Complaint(name, f"JMESPath has no function {name}().", fix))
        return
    takes = len(function["signature"])
    variadic = any(argument.get("variadic") for argument in function["signature"])
    if given != takes and not (variadic and given > takes):
        many = "at least " if variadic else ""
        message = f"{name}() has {given} arguments."
        reader.complain(Complaint(name, message, f"It takes {many}{takes}."))


_SAME_AS_FIRST = frozenset({"reverse", "sort", "sort_by"})
# Functions whose results never contain their arguments.
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
    "current": lambda _, __, shape: shape,
    "field": _field,
    "filter_projection": _projection,
    "flatten": _flatten,
    "function_expression": _function,
    "identity": lambda _, __, shape: shape,
    "index": lambda reader, tree, shape: _items(reader, shape, f"[{tree['value']}]"),
    "index_expression": _chained,
    "literal": lambda _, tree, __: shape_of(tree["value"]),
    "multi_select_dict": _named,
    "multi_select_list": lambda *asked: list_of(_anything(*asked)),
    "not_expression": _question,
    "or_expression": _either,
    "pipe": _chained,
    "projection": _projection,
    "slice": lambda reader, _, shape: list_of(_items(reader, shape, "[")),
    "subexpression": _chained,
    "value_projection": _values,
}
