"""The catalogue of AWS's APIs that labs are checked against: botocore's models, offline."""

import os
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from botocore import xform_name
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.model import Shape as BotocoreShape

from stslab.kinds.operations import LEAVES_NOTHING
from stslab.lab.checking.shapes import NOTHING, Operation, Shape
from stslab.redaction import is_secret_key

_KINDS = {
    **dict.fromkeys(("long", "biginteger"), "integer"),
    **dict.fromkeys(("double", "bigdecimal"), "float"),
    "character": "string",
}


# botocore returns these texts as parsed JSON.
_DECODED = {"iam": frozenset({"policyDocumentType"}), "cloudformation": frozenset({"TemplateBody"})}
_COUNTED = frozenset({"string", "list", "integer", "long"})


class _BuiltIn(Loader):  # type: ignore[misc] # botocore has no types
    """Loads botocore's bundled models, and none from the user's ``~/.aws``.

    Botocore's own looks into all 400 folders before it reads the first model of each kind.
    """

    def __init__(self) -> None:
        super().__init__(include_default_search_paths=False)
        self.search_paths.append(Loader.BUILTIN_DATA_PATH)

    def list_available_services(self, type_name: str) -> list[str]:
        del type_name
        with os.scandir(Loader.BUILTIN_DATA_PATH) as found:
            return sorted(one.name for one in found if one.is_dir())


@cache
def loader() -> Loader:
    """The shared loader, which keeps the models that it has read."""
    return _BuiltIn()


def _shape(model: BotocoreShape | None, service: str, *, output: bool, name: str = "") -> Shape:
    if model is None:
        return NOTHING
    kind, limits = model.type_name, model.metadata
    decoded = output and model.name in _DECODED.get(service, ())
    is_document = decoded or getattr(model, "is_document_type", False)
    # Botocore fills in idempotency tokens by itself.
    required = model.required_members if kind == "structure" else ()
    required = [one for one in required if not model.members[one].metadata.get("idempotencyToken")]

    def parts() -> Mapping[str, Shape]:
        inside = model.members if kind == "structure" else {}
        if kind in ("list", "map"):
            inside = {"": model.member if kind == "list" else model.value}
        return {key: _shape(one, service, output=output, name=key) for key, one in inside.items()}

    return Shape(
        kind="document" if is_document else _KINDS.get(kind, kind),
        parts=parts,
        required=required,
        choices=tuple(getattr(model, "enum", ())),
        sensitive=bool(limits.get("sensitive")) or is_secret_key(name),
        least=int(limits.get("min", 0)) if kind in _COUNTED else 0,  # botocore checks it
        most=int(limits.get("max", 0)) if kind in _COUNTED and kind != "list" else 0,
        pattern=str(limits.get("pattern", "")),
    )


@cache
def _operation(service: str, name: str) -> Operation | None:
    known = _model(service)
    if known is None or name not in known.operation_names:
        return None
    model, word = known.operation_model(name), re.match(r"(BatchGet|[A-Z][a-z]+)", name)
    # STS hands out credentials, which expire by themselves.
    reads = service == "sts" or (word is not None and word[0] in LEAVES_NOTHING)
    request = _shape(model.input_shape, service, output=False)
    return Operation(request, _shape(model.output_shape, service, output=True), changes=not reads)


@cache
def _model(service: str) -> ServiceModel | None:
    description = _loaded(service, "service-2")
    return ServiceModel(description, service) if description else None


def _loaded(service: str, what: str) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = {}
    with suppress(DataNotFoundError):
        loaded = loader().load_service_model(service, what)
    return loaded


class BotocoreCatalogue:
    operation = staticmethod(_operation)

    def services(self) -> Collection[str]:
        return list(loader().list_available_services("service-2"))

    def operations(self, service: str) -> Collection[str]:
        model = _model(service)
        return list(model.operation_names) if model else ()

    def waiters(self, service: str) -> Mapping[str, str]:
        waiters = _loaded(service, "waiters-2").get("waiters", {})
        return {xform_name(name): waiter["operation"] for name, waiter in waiters.items()}

    def errors(self, service: str) -> Collection[str]:
        """The error codes of the whole service: models don't list all of an operation's."""
        model = _model(service)
        shapes = model.error_shapes if model else ()
        return [one.metadata.get("error", {}).get("code", one.name) for one in shapes]
