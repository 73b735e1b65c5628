"""Resolves a lab's ``${{ … }}`` expressions, and evaluates JMESPath over a response. Pure."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import NoReturn

from jmespath.functions import Functions, signature
from jmespath.visitor import Options, TreeInterpreter

from stslab.errors import UnresolvedReference
from stslab.kinds.own import Allowed
from stslab.lab.model import LabFile
from stslab.lab.reading import expressions
from stslab.lab.reading.expressions import OPEN, BadExpression, Data, Hole, Tree
from stslab.structures import mapped, texts
from stslab.vocabulary import PARTNER_ADMIN

Scope = Mapping[str, Data]  # what a run knows: run, account, region, variables, saved names ...

LARGEST = 1_000_000
DEEPEST = 100


class _Limit:
    """Limits the size of ``what``: counts its parts and characters, shared ones each time."""

    def __init__(self, what: str) -> None:
        self.what, self.left = what, LARGEST

    def refuse(self) -> NoReturn:
        message = f"The value of {self.what} is too large, too deep or too much work."
        raise UnresolvedReference(message, "Make it smaller.")

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            self.refuse()

    def weigh(self, value: Data) -> None:
        level = [value]
        for _ in range(DEEPEST):
            below: list[Data] = []
            for one in level:
                self.take(1 + len(one) // 8 if isinstance(one, str) else 1)
                if isinstance(one, list | tuple):
                    below += one
                elif isinstance(one, Mapping):
                    below += one.values()
                if len(below) > self.left:
                    self.refuse()
            if not below:
                return
            level = below
        self.refuse()


class _Functions(Functions):  # type: ignore[misc]
    """JMESPath's functions. Only join can make a value larger than its arguments."""

    @signature({"types": ["string"]}, {"types": ["array-string"]})  # type: ignore[untyped-decorator]
    def _func_join(self, separator: str, texts: list[str]) -> str:
        _Limit("join()").take(len(separator) * len(texts) // 8)
        return separator.join(texts)


class Interpreter(TreeInterpreter):  # type: ignore[misc]
    """JMESPath's interpreter with a limit, which also counts intermediate values."""

    def __init__(self, expression: str) -> None:
        super().__init__(Options(custom_functions=_Functions()))
        self._limit = _Limit(f"the expression {expression[:80]!r}")

    def visit(self, node: Tree, *args: Data, **kwargs: Data) -> Data:
        value = super().visit(node, *args, **kwargs)
        self._limit.weigh(value)
        return value


def resolve(value: Data, scope: Scope) -> Data:
    """``value`` with every ``${{ … }}`` replaced by its value, but not in keys.

    A text that is a single expression becomes its value, with its type; in longer text other values
    are JSON. UnresolvedReference: one has no value (the hint says what is known), or a huge one.
    """
    resolved = mapped(value, lambda text: _resolved_text(text, scope))
    _Limit("this value").weigh(resolved)
    return resolved


def resolvable(values: Mapping[str, Data], scope: Scope) -> dict[str, Data]:
    """Those of the values that refer to nothing unknown, resolved."""
    found = {}
    for name, value in values.items():
        with suppress(UnresolvedReference):
            found[name] = resolve(value, scope)
    return found


def names_used(value: Data) -> set[str]:
    """The names that the expressions in ``value`` (text, list or mapping) use from a scope."""
    used: set[str] = set()
    for text in texts(value):
        with suppress(BadExpression):
            used |= {name for hole in expressions.holes(text) for name in roots(hole.tree)}
    return used


def evaluate(expression: str, data: Data, scope: Scope) -> Data:
    """The result of a JMESPath over ``data`` (None: nothing); what is in ``${{ … }}`` is a value.

    UnresolvedReference: a ``${{ … }}`` has no value, or the expression does not fit this data.
    """
    try:
        tree, holes = expressions.query(expression)
    except BadExpression as bad:
        raise UnresolvedReference(f"In {expression!r}: {bad.message}", bad.fix) from None
    values = tuple(_looked_up(hole, scope) for hole in holes)
    return searched(expressions.bound(tree, values) if values else tree, data, expression)


def resolve_vars(variables: Mapping[str, Data], scope: Scope) -> dict[str, Data]:
    """The lab's variables, resolved in the order of their references, over what is known before.

    UnresolvedReference: one refers to something unknown, or they refer to each other in a circle.
    """
    order, circle = in_order(variables)
    if circle:
        says = f"These variables refer to each other in a circle: {', '.join(circle)}."
        raise UnresolvedReference(says, "Give one of them a value without a reference.")
    known = dict(scope)
    for name in order:
        known[name] = resolve(variables[name], known)
    return {name: known[name] for name in variables}


def in_order(variables: Mapping[str, Data]) -> tuple[list[str], list[str]]:
    """The names in the order of their references; or else those that make a circle."""
    needs = {name: names_used(value) & variables.keys() for name, value in variables.items()}
    try:
        return [*TopologicalSorter(needs).static_order()], []
    except CycleError as error:
        return [], [name for name in variables if name in error.args[1]]


def truthy(value: Data) -> bool:
    """Whether a value is true for JMESPath: not null, false, or empty."""
    return not (value is None or value is False or value in ("", [], {}))


def roots(tree: Tree) -> Iterator[str]:
    """The names that a syntax tree uses directly from the scope."""
    kind, children = tree["type"], tree.get("children", [])
    if kind == "field":
        yield tree["value"]
    elif kind == "subexpression" and children[0].get("value") == "mfa":
        yield from (name for child in children[:2] for name in roots(child))
    elif kind in FIRST_CHILD_ONLY:
        yield from roots(children[0])
    elif kind != "slice":
        for child in children:
            yield from roots(child)


# The later children of these work on the result of the first one.
FIRST_CHILD_ONLY = """
    subexpression pipe index_expression projection filter_projection value_projection flatten
""".split()


def _resolved_text(text: str, scope: Scope) -> Data:
    try:
        found = expressions.holes(text)
    except BadExpression as bad:
        raise UnresolvedReference(f"In {text!r}: {bad.message}", bad.fix) from None
    if not found:
        return text
    if found[0].start == 0 and found[0].end == len(text):
        return _looked_up(found[0], scope)
    written, at, limit = [], 0, _Limit("this text")
    for hole in found:
        put = expressions.as_text(_looked_up(hole, scope))
        limit.take(len(put) // 8)
        written += [text[at : hole.start], put]
        at = hole.end
    return "".join([*written, text[at:]])


def _looked_up(hole: Hole, scope: Scope) -> Data:
    value = searched(hole.tree, scope, hole.expression)
    if value is None:
        known = f"Known here: {', '.join(sorted(scope))}."
        raise UnresolvedReference(f"${{{{ {hole.expression} }}}} has no value here.", known)
    return value


# The errors of jmespath for data that an expression was not written for; its own are ValueErrors.
_INAPPLICABLE = ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError


def searched(tree: Tree, data: Data, expression: str) -> Data:
    try:
        return Interpreter(expression).visit(tree, data)
    except _INAPPLICABLE as error:
        reason = type(error).__name__  # without the value, which may be a secret
        if types := getattr(error, "expected_types", None):
            kinds = " or ".join(map(str, types))
            reason = f"{getattr(error, 'function_name', 'a function')}() takes {kinds}."
        raise UnresolvedReference(
            f"The expression {expression!r} can't be applied: {reason}",
            "Compare it with the response's fields, in the API's reference.",
        ) from None


# -- what is known before a run ------------------------------------------------------------------
# A value that only a response will tell is its name in angle brackets: ``<role_arn>``.


def first_names(
    run: str, account: str, region: str, accounts: Mapping[str, str], partition: str = "aws"
) -> Scope:
    """What a run knows from its beginning, but for the lab's variables."""
    return {
        "run": {"id": run},
        "account": account,
        "region": region,
        "partition": partition,
        "accounts": {name: {"id": id_} for name, id_ in accounts.items()},
    }


BASE = first_names("<run>", "<account>", "<region>", {PARTNER_ADMIN: f"<{PARTNER_ADMIN}>"})


def foresee(lab: LabFile, base: Scope) -> tuple[Scope, frozenset[str]]:
    """What a run of the whole lab will know, and the texts for what is unknown until then."""
    saved = {name: f"<{name}>" for step in lab.steps for name in step.save}
    profiles = {
        name: {"access_key_id": f"<access key of {name}>", "expiration": f"<end of {name}>"}
        for name in lab.makers
    }
    codes = {
        name: {"code": f"<code of {name}>", "next": f"<next code of {name}>"}
        for name in (*saved, *lab.vars)
    }
    live = {"now": "<now>", "token": "<token>"}
    tokens = {name: f"<token {name}>" for name in lab.tokens}
    try:
        variables = resolve_vars(lab.vars, base)
    except UnresolvedReference:
        variables = dict(lab.vars)
    named = {"mfa": codes, "tokens": tokens, "profiles": profiles}
    unknown = frozenset({*texts([live, saved, named]), OPEN})
    return {**base, **live, **variables, **saved, **named}, unknown


def as_known(value: Data, scope: Scope) -> Data:
    """A value with known values filled in; a text with anything unknown stays as it is."""

    def known(text: str) -> Data:
        with suppress(UnresolvedReference):
            return resolve(text, scope)
        return text

    return mapped(value, known)


def allowed(lab: LabFile, scope: Scope) -> Allowed:
    declared = as_known([lab.uses.roles, lab.uses.accounts], scope)
    roles, accounts = (tuple(map(str, each)) for each in declared)
    return Allowed(roles, accounts, lab.services)
