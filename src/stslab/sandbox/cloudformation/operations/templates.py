"""The operations that look at templates.

AWS CloudFormation API Reference, "GetTemplate", "GetTemplateSummary", "ValidateTemplate".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.cloudformation.operations.change_sets import find_change_set
from stslab.sandbox.cloudformation.operations.requests import Desk
from stslab.sandbox.cloudformation.template import capabilities, parameters
from stslab.sandbox.cloudformation.template.template import Template

Answer = Mapping[str, Any]


class TemplateOperations:
    """Shows and validates templates."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def handlers(self) -> dict[str, Callable[[ApiRequest], Answer]]:
        """The operations by name."""
        return {
            "GetTemplate": self.get,
            "GetTemplateSummary": self.summary,
            "ValidateTemplate": self.validate,
        }

    def get(self, request: ApiRequest) -> Answer:
        """The template of a stack or of a change set, as it was given."""
        params = request.params
        if params.get("ChangeSetName"):
            _, change_set = find_change_set(
                self._desk, request, missing="StackName is a required parameter."
            )
            text = change_set.config.template
        elif params.get("StackName"):
            text = self._desk.stack(request).config.template
        else:
            raise invalid("StackName is required if ChangeSetName is not specified.")
        return {"TemplateBody": text, "StagesAvailable": ["Original", "Processed"]}

    def summary(self, request: ApiRequest) -> Answer:
        """What there is in a template, or in that of a stack."""
        template = self._desk.template(self._text(request))
        kinds = list(dict.fromkeys(d.type for d in template.resources.values()))
        result: dict[str, Any] = {
            **_common(template),
            "Parameters": [
                parameters.summarised(name, body) for name, body in template.parameters.items()
            ],
            "ResourceTypes": kinds,
            "ResourceIdentifierSummaries": [_identified(template, kind) for kind in kinds],
        }
        if template.version:
            result["Version"] = template.version
        if template.metadata is not None:
            result["Metadata"] = json.dumps(template.metadata)
        return result

    def _text(self, request: ApiRequest) -> str:
        if not request.params.get("StackName"):
            return self._desk.template_text(request)
        stack = self._desk.stack(request)
        if stack.status == "REVIEW_IN_PROGRESS":
            raise invalid("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.")
        return stack.config.template

    def validate(self, request: ApiRequest) -> Answer:
        """Whether a template is one, and what it needs."""
        template = self._desk.template(self._desk.template_text(request))
        declared = [parameters.declared(name, body) for name, body in template.parameters.items()]
        return {**_common(template), "Parameters": declared}


def _common(template: Template) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if template.description:
        result["Description"] = template.description
    capability, types = capabilities.needed(template)
    if capability:
        result["Capabilities"] = [capability]
        result["CapabilitiesReason"] = capabilities.reason(types)
    return result


def _identified(template: Template, kind: str) -> dict[str, Any]:
    names = [
        declared.logical_id for declared in template.resources.values() if declared.type == kind
    ]
    return {"ResourceType": kind, "LogicalResourceIds": names}
