"""The operations that look at templates.

AWS CloudFormation API Reference, "GetTemplate", "GetTemplateSummary", "ValidateTemplate".
"""

from __future__ import annotations

import json
from typing import Any

from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.services import Reads
from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.cloudformation.operations.change_sets import find_change_set
from stslab.sandbox.cloudformation.operations.requests import (
    checked_template,
    described,
)
from stslab.sandbox.cloudformation.template import capabilities, parameters
from stslab.sandbox.cloudformation.template.template import Template
from stslab.sandbox.state.snapshot import View


def _summary(view: View, request: ApiRequest) -> Answer:
    """What there is in a template, or in that of a stack."""
    template = checked_template(_text(view, request))
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


def _text(view: View, request: ApiRequest) -> str | None:
    if not request.params.get("StackName"):
        return request.params.get("TemplateBody")
    stack = described(view, request)
    if stack.status == "REVIEW_IN_PROGRESS":
        raise invalid("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.")
    return stack.config.template


def _validate(_view: View, request: ApiRequest) -> Answer:
    """Whether a template is one, and what it needs."""
    template = checked_template(request.params.get("TemplateBody"))
    declared = [parameters.declared(name, body) for name, body in template.parameters.items()]
    return {**_common(template), "Parameters": declared}


def _get(view: View, request: ApiRequest) -> Answer:
    """The template of a stack or of a change set, as it was given."""
    if request.params.get("ChangeSetName"):
        _, found = find_change_set(view, request, missing="StackName is a required parameter.")
        text = found.config.template
    elif request.params.get("StackName"):
        text = described(view, request).config.template
    else:
        raise invalid("StackName is required if ChangeSetName is not specified.")
    return {"TemplateBody": text, "StagesAvailable": ["Original", "Processed"]}


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


READS: Reads = {
    "GetTemplate": _get,
    "GetTemplateSummary": _summary,
    "ValidateTemplate": _validate,
}
