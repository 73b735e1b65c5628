"""Checks calls against AWS's APIs: service, operation, parameters and waiters."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from stslab.lab.checking.names import Names
from stslab.lab.checking.shapes import NOTHING, Catalogue, Operation, Shape, shape_of
from stslab.lab.model import Action, Check, Params, Step, Wait
from stslab.lab.reading.document import Node, Report
from stslab.lab.reading.expressions import OPEN
from stslab.lab.reading.problems import did_you_mean, shortened
from stslab.lab.reading.structure import UNKNOWN_CALL
from stslab.structures import beside

Called = Step | Check | Action


class CallChecker(msgspec.Struct):
    """Checks calls with the catalogue; without one, every call is accepted."""

    catalogue: Catalogue | None
    scope: Names
    report: Report

    def call(self, part: Called, node: Node) -> Operation | None:
        """Check a call's identity, operation and parameters; return the operation."""
        self.scope.identity(node.get("as"), part.identity, node)
        operation = self.operation(part.call, node.get("call"))
        self.params(operation, node)
        return operation

    def operation(self, call: str | None, node: Node | None) -> Operation | None:
        """The operation of ``call``; an unknown one is reported."""
        if not self.catalogue or not call or not node or call == UNKNOWN_CALL:
            return None
        service, _, name = call.partition(".")
        found = self.catalogue.operation(service, name)
        if found:
            return found
        operations = self.catalogue.operations(service)
        if operations:
            message = f"{service} has no operation {name}."
            self.report(node.problem(message, did_you_mean(name, operations)))
        else:
            services = self.catalogue.services()
            fix = did_you_mean(service, services, "Use the name that boto3 has for it.")
            self.report(node.problem(f"AWS has no service {service}.", fix))
        return None

    def params(self, operation: Operation | None, node: Node) -> None:
        """Check the ``with`` of a call, and the names in it."""
        at = node.get("call") or node
        given = node.get("with") or Node(at.source, at.start, at.end, {})
        if not isinstance(given.value, dict):  # reported already
            return
        if operation:
            self.value(given, operation.input, _CALL)
        else:
            self.scope.check_texts(given)

    def value(self, node: Node, shape: Shape, name: str) -> None:
        given = self._kind_of(node)
        otherwise = _ALL, shape.kind, "See the API's reference."
        takes, needed, fix = _KINDS.get(shape.kind, otherwise)
        if given == "null":
            self.report(node.problem(f"{name} is empty.", _FILL_IN))
        elif given not in takes.split() and given != "document":
            self.report(node.problem(f"{name} must be {needed}, not {_A[given]}.", fix))
            if given in {"list", "mapping"}:
                self.scope.check_texts(node)
        elif shape.kind == "structure" and isinstance(node.value, dict):
            self._structure(node, shape, name)
        elif isinstance(node.value, dict | list):
            self._items(node, shape, name)
        elif isinstance(node.value, str):
            self._text(node, shape, name)
        elif isinstance(node.value, int) and node.value < shape.least:
            self.report(node.problem(f"{name} is too small.", f"Write at least {shape.least}."))

    def _kind_of(self, node: Node) -> str:
        """The kind of a value; for a single expression, of its result."""
        if node.value is None:
            return "null"
        if isinstance(node.value, dict):
            return "mapping"
        kind = (self.scope.text(node) if isinstance(node.value, str) else shape_of(node.value)).kind
        return "mapping" if kind in {"structure", "map"} else kind

    def _text(self, node: Node, shape: Shape, name: str) -> None:
        """Check a literal text; the value of an expression is not known here."""
        if OPEN in node.value:
            return
        if shape.choices and node.value not in shape.choices:
            message = f"{name} can't be {shortened(node.value)}."
            self.report(node.problem(message, did_you_mean(node.value, shape.choices)))
        elif len(node.value) < shape.least:
            fix = f"Write at least {shape.least} characters." if shape.least > 1 else _FILL_IN
            self.report(node.problem(f"{name} is too short.", fix))

    def _items(self, node: Node, shape: Shape, name: str) -> None:
        if shape.kind not in ("list", "map"):
            self.scope.check_texts(node)
            return
        for item in node.value.values() if isinstance(node.value, dict) else node.value:
            self.value(item, shape.item, name)
        if len(node.value) < shape.least:
            fix = f"Write at least {shape.least}, or leave it out."
            self.report(node.problem(f"{name} has too few items.", fix))

    def _structure(self, node: Node, shape: Shape, name: str) -> None:
        for key, value in node.value.items():
            if key in shape.members:
                self.value(value, shape.members[key], key)
            else:
                what = "parameter" if name == _CALL else "member"
                message = f"{name} has no {what} {key}."
                fix = did_you_mean(key, shape.members) if shape.members else "Leave it out."
                self.report(node.keys[key].problem(message, fix))
                self.scope.check_texts(value)
        missing = [member for member in shape.required if member not in node.value]
        if missing:
            to = "`with`" if name == _CALL else name
            fix = f"Add {' and '.join(missing)} to {to}."
            self.report(node.problem(f"{name} needs {', '.join(missing)}.", fix))

    def derived(self, operation: Operation | None, params: Params) -> tuple[Params, list[str]]:
        """The parameters of another call that this operation has, and those that it lacks."""
        shape = operation.input if operation else NOTHING
        known = {name: value for name, value in params.items() if name in shape.members}
        return known, [name for name in shape.required if name not in params]

    def wait(
        self, service: str, wait: Wait | None, node: Node | None, params: Params
    ) -> Wait | None:
        """The wait with its parameters; without any, they are derived from the call's."""
        unknown = service == UNKNOWN_CALL.partition(".")[0]
        if not (wait and node and self.catalogue) or unknown:
            return wait
        named = node.get("waiter") or node
        waiters = self.catalogue.waiters(service)
        if wait.waiter not in waiters:
            fix = did_you_mean(wait.waiter, waiters, f"See the waiters of {service} in boto3.")
            fix = fix if waiters else "Leave it out, or use `within`."
            self.report(named.problem(f"{service} has no waiter {wait.waiter}.", fix))
            return wait
        polled = self.catalogue.operation(service, waiters[wait.waiter])
        if wait.params is not None:
            self.params(polled, node)
            return wait
        params, lacks = self.derived(polled, params)
        if lacks:
            message = f"The waiter {wait.waiter} needs {', '.join(lacks)}, which the call lacks."
            fix = f"Write wait: {{waiter: {wait.waiter}, with: {{{lacks[0]}: ...}}}}."
            self.report(named.problem(message, fix))
        return replace(wait, params=params)


_CALL = "This call"  # in place of a parameter's name
_FILL_IN = "Fill it in, or leave it out."
_ALL = "string integer float number boolean list mapping"
_KINDS: Mapping[str, tuple[str, str, str]] = beside(__file__, "kinds.yaml")["values"]
_A = {kind: words for kind, (_, words, _) in _KINDS.items()}
_A |= {"blob": "bytes", "number": "a number", "mapping": "a mapping"}
