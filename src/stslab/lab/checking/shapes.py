"""The shapes of AWS's APIs, and type checks of JMESPath over a value of a shape."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Protocol

import msgspec
from jmespath.functions import Functions
from jmespath.visitor import Visitor

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
    input: Shape
    output: Shape
    changes: bool  # it changes the account


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
    if shape.sensitive:
        return True
    if not depth:
        return False
    parts = [*shape.members.values(), *([shape.item] if shape.kind in {"list", "map"} else [])]
    return any(holds_secret(part, depth - 1) for part in parts)


Complain = Callable[[str, str, str], None]
"""Called with a word of an expression that can't be right, the message, and the fix."""
_NOTHING_THERE = "Leave it out: nothing is there yet, or AWS answers nothing."


def result_shape(tree: Tree, shape: Shape, complain: Complain) -> Shape:
    """The shape of ``tree``'s result; what can't be right for any value is complained of."""
    found: Shape = _ShapeReader(complain).visit(tree, shape)
    return found


def _blurred(shapes: Iterable[Shape]) -> Shape:
    """The shape of an unknown combination of these: secret if one of them is."""
    return SECRET if any(holds_secret(shape) for shape in shapes) else ANYTHING


class _ShapeReader(Visitor):  # type: ignore[misc]
    """Visits a tree with the shape of the value that it is applied to, as JMESPath would."""

    def __init__(self, complain: Complain) -> None:
        super().__init__()
        self._complain = complain

    def all(self, children: Sequence[Tree], shape: Shape) -> list[Shape]:
        return [self.visit(child, shape) for child in children]

    def default_visit(self, tree: Tree, shape: Shape) -> Shape:
        return _blurred(self.all(tree["children"], shape))

    def visit_identity(self, _tree: Tree, shape: Shape) -> Shape:
        return shape

    visit_current = visit_identity

    def visit_literal(self, tree: Tree, _shape: Shape) -> Shape:
        return shape_of(tree["value"])

    def visit_field(self, tree: Tree, shape: Shape) -> Shape:
        name = tree["value"]
        if shape.kind == "document":
            return _blurred([shape])
        if shape.kind == "map":
            return shape.item
        if name in shape.members:
            return shape.members[name]
        if shape.kind == "structure":
            fix = did_you_mean(name, shape.members, "Look it up in the API's reference.")
            fix = fix if shape.members else _NOTHING_THERE
            self._complain(name, f"There is no {name} here.", fix)
        elif shape.kind == "list":
            message = f"{name} is in a list here, which has no names."
            self._complain(name, message, f"Write [0].{name} or [].{name}.")
        else:
            message = f"{name} is in {_a(shape)} here, which has no names."
            self._complain(name, message, f"Leave .{name} out.")
        return ANYTHING

    def visit_subexpression(self, tree: Tree, shape: Shape) -> Shape:
        for child in tree["children"]:
            shape = self.visit(child, shape)
        return shape

    visit_index_expression = visit_pipe = visit_subexpression

    def _items(self, shape: Shape, sign: str) -> Shape:
        """The shape of a list's items; complains about any other shape."""
        if shape.kind == "list":
            return shape.item
        if shape.kind == "document":
            return _blurred([shape])
        self._complain(sign, f"{sign} needs a list, and this is {_a(shape)}.", f"Leave {sign} out.")
        return ANYTHING

    def visit_index(self, tree: Tree, shape: Shape) -> Shape:
        return self._items(shape, f"[{tree['value']}]")

    def visit_slice(self, _tree: Tree, shape: Shape) -> Shape:
        return list_of(self._items(shape, "["))

    def visit_flatten(self, tree: Tree, shape: Shape) -> Shape:
        item = self._items(self.visit(tree["children"][0], shape), "[]")
        return list_of(item.item if item.kind == "list" else item)

    def visit_projection(self, tree: Tree, shape: Shape) -> Shape:
        base, rest, *condition = tree["children"]
        item = self._items(self.visit(base, shape), "[")
        self.all(condition, item)
        return list_of(self.visit(rest, item))

    visit_filter_projection = visit_projection

    def visit_value_projection(self, tree: Tree, shape: Shape) -> Shape:
        base, rest = tree["children"]
        inside = self.visit(base, shape)
        item = inside.item if inside.kind == "map" else _blurred([inside])
        return list_of(self.visit(rest, item))

    def visit_or_expression(self, tree: Tree, shape: Shape) -> Shape:
        first, second = self.all(tree["children"], shape)
        return first if first.kind == second.kind else _blurred([first, second])

    def visit_comparator(self, tree: Tree, shape: Shape) -> Shape:
        self.all(tree["children"], shape)
        return BOOLEAN

    visit_not_expression = visit_comparator

    def visit_multi_select_list(self, tree: Tree, shape: Shape) -> Shape:
        return list_of(self.default_visit(tree, shape))

    def visit_multi_select_dict(self, tree: Tree, shape: Shape) -> Shape:
        named = {one["value"]: one["children"][0] for one in tree["children"]}
        return structure({name: self.visit(child, shape) for name, child in named.items()})

    def visit_function_expression(self, tree: Tree, shape: Shape) -> Shape:
        name, children = tree["value"], tree["children"]
        applied = [one for one in children if one["type"] == "expref"]
        arguments = [ANYTHING if one in applied else self.visit(one, shape) for one in children]
        lists = [one.item for one in arguments if one.kind == "list"] or [_blurred(arguments)]
        arguments += [self.visit(one["children"][0], lists[0]) for one in applied]
        self._refuse_misuse(name, len(children))
        if name in {"reverse", "sort", "sort_by"} and arguments:
            return arguments[0]
        if name in _ABOUT:
            return _ABOUT[name]
        blurred = _blurred(arguments)
        return blurred if blurred.sensitive else _MADE.get(name, ANYTHING)

    def _refuse_misuse(self, name: str, given: int) -> None:
        function = Functions.FUNCTION_TABLE.get(name)
        if not function:
            known = Functions.FUNCTION_TABLE
            fix = did_you_mean(name, known, "See jmespath.org for its functions.")
            self._complain(name, f"JMESPath has no function {name}().", fix)
            return
        takes = len(function["signature"])
        variadic = any(argument.get("variadic") for argument in function["signature"])
        if given != takes and not (variadic and given > takes):
            many = "at least " if variadic else ""
            self._complain(name, f"{name}() has {given} arguments.", f"It takes {many}{takes}.")


def _a(shape: Shape) -> str:
    return f"{'an' if shape.kind[0] in 'aeiou' else 'a'} {shape.kind}"


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
