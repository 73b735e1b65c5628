"""The catalogue of AWS's APIs that labs are checked against: botocore's models, offline.

Only the services that are asked for are read, each once.
"""

import re
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any

from botocore import xform_name
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.model import OperationModel, ServiceModel
from botocore.model import Shape as BotocoreShape

from stslab.aws import models
from stslab.redaction import is_secret_key

_KINDS = {
    "long": "integer",
    "double": "float",
    "bigdecimal": "float",
    "biginteger": "integer",
    "character": "string",
}

# Operations whose names begin with one of these leave nothing behind in the account.
_READS = (
    "BatchGet", "Check", "Count", "Decode", "Describe", "Detect", "Discover", "Estimate",
    "Evaluate", "Filter", "Generate", "Get", "Head", "Is", "List", "Lookup", "Preview", "Query",
    "Scan", "Search", "Select", "Simulate", "Test", "Validate", "Verify", "View",
)  # fmt: skip
_FIRST_WORD = re.compile(r"(BatchGet|[A-Z][a-z]+)")

# STS hands out credentials, which end by themselves; nothing is left in the account.
_LEAVES_NOTHING = frozenset({"sts"})

# boto3 gives these texts as the JSON values that they hold.
_DECODED = {"iam": frozenset({"policyDocumentType"}), "cloudformation": frozenset({"TemplateBody"})}


class ModelShape:
    """A botocore shape as a ``stslab.lab.checking.catalogue.Shape``, read as far as it is asked."""

    def __init__(self, shape: BotocoreShape, service: str, name: str = "", *, output: bool) -> None:
        self._shape = shape
        self._service = service
        self._name = name
        self._output = output

    @cached_property
    def kind(self) -> str:
        kind: str = self._shape.type_name
        decoded = self._output and self._shape.name in _DECODED.get(self._service, ())
        if decoded or getattr(self._shape, "is_document_type", False):
            return "document"
        return _KINDS.get(kind, kind)

    @cached_property
    def members(self) -> Mapping[str, "ModelShape"]:
        if self._shape.type_name != "structure":
            return {}
        members: Mapping[str, BotocoreShape] = self._shape.members
        return {name: self._part(shape, name) for name, shape in members.items()}

    @cached_property
    def required(self) -> Collection[str]:
        """The members that must be given: not those that botocore fills in by itself."""
        if self._shape.type_name != "structure":
            return ()
        required, members = self._shape.required_members, self._shape.members
        return [one for one in required if not members[one].metadata.get("idempotencyToken")]

    @cached_property
    def item(self) -> "ModelShape":
        is_list = self._shape.type_name == "list"
        return self._part(self._shape.member if is_list else self._shape.value)

    @cached_property
    def choices(self) -> Collection[str]:
        return tuple(getattr(self._shape, "enum", ()))

    @property
    def least(self) -> int:
        """A number, or how many characters a text, or items a list, has: botocore sends no less."""
        counted = self._shape.type_name in {"string", "list", "integer", "long"}
        return int(self._shape.metadata.get("min", 0)) if counted else 0

    @property
    def most(self) -> int:
        counted = self._shape.type_name in {"string", "integer", "long"}
        return int(self._shape.metadata.get("max", 0)) if counted else 0

    @property
    def pattern(self) -> str:
        return str(self._shape.metadata.get("pattern", ""))

    @property
    def sensitive(self) -> bool:
        """Whether its model, or its name, says that it is a secret."""
        return bool(self._shape.metadata.get("sensitive")) or is_secret_key(self._name)

    def _part(self, shape: BotocoreShape, name: str = "") -> "ModelShape":
        return ModelShape(shape, self._service, name, output=self._output)


class ModelOperation:
    """A botocore operation."""

    def __init__(self, model: OperationModel, service: str) -> None:
        self._model = model
        self._service = service

    @cached_property
    def input(self) -> ModelShape | None:
        shape = self._model.input_shape
        return ModelShape(shape, self._service, output=False) if shape else None

    @cached_property
    def output(self) -> ModelShape | None:
        shape = self._model.output_shape
        return ModelShape(shape, self._service, output=True) if shape else None

    @property
    def changes(self) -> bool:
        """Whether it leaves something behind; told by the first word of its name."""
        word = _FIRST_WORD.match(self._model.name)
        reads = word is not None and word[0] in _READS
        return not reads and self._service not in _LEAVES_NOTHING

    @property
    def errors(self) -> Collection[str]:
        """The codes of its service's errors: any operation may have an error of another."""
        shapes = self._model.service_model.error_shapes
        return [one.metadata.get("error", {}).get("code", one.name) for one in shapes]


class BotocoreCatalogue:
    """AWS's services as botocore's models describe them."""

    def __init__(self) -> None:
        self._loader = models.loader()
        self._models: dict[str, ServiceModel | None] = {}
        self._operations: dict[tuple[str, str], ModelOperation | None] = {}
        self._waiters: dict[str, Mapping[str, str]] = {}

    def services(self) -> Collection[str]:
        return list(self._loader.list_available_services("service-2"))

    def operations(self, service: str) -> Collection[str]:
        model = self._model(service)
        return list(model.operation_names) if model else ()

    def operation(self, service: str, name: str) -> ModelOperation | None:
        key = (service, name)
        if key not in self._operations:
            model = self._model(service)
            known = model is not None and name in model.operation_names
            self._operations[key] = (
                ModelOperation(model.operation_model(name), service) if model and known else None
            )
        return self._operations[key]

    def waiters(self, service: str) -> Mapping[str, str]:
        if service not in self._waiters:
            self._waiters[service] = {
                xform_name(name): waiter["operation"]
                for name, waiter in self._load(service, "waiters-2").get("waiters", {}).items()
            }
        return self._waiters[service]

    def _model(self, service: str) -> ServiceModel | None:
        if service not in self._models:
            description = self._load(service, "service-2")
            self._models[service] = ServiceModel(description, service) if description else None
        return self._models[service]

    def _load(self, service: str, what: str) -> Mapping[str, Any]:
        try:
            loaded: Mapping[str, Any] = self._loader.load_service_model(service, what)
        except (DataNotFoundError, UnknownServiceError):
            return {}
        return loaded
