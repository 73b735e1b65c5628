"""What the operations have in common: finding stacks, reading templates, turning pages."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.cloudformation import lookups, names
from stslab.sandbox.cloudformation.faults import invalid, no_such_stack
from stslab.sandbox.cloudformation.template import parameters, validation
from stslab.sandbox.cloudformation.template.blueprint import Blueprint
from stslab.sandbox.cloudformation.template.template import Template, parse
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.stacks import Config, Stack

PAGE = 100
UNSUPPORTED = (
    "NotificationARNs", "ResourcesToImport", "StackPolicyBody", "StackPolicyDuringUpdateBody",
    "StackPolicyDuringUpdateURL", "StackPolicyURL",
)  # fmt: skip
Item = TypeVar("Item")


def find(view: View, request: ApiRequest, name: str) -> Stack | None:
    """The stack of this name or id, deleted ones by id only."""
    names.check_reference(name)
    return lookups.find(view, request.account, request.region, name)


def described(view: View, request: ApiRequest) -> Stack:
    """The stack that the request's ``StackName`` names.

    Raises:
        ApiFault: ``ValidationError``, "Stack with id … does not exist".
    """
    name = request.params["StackName"]
    found = find(view, request, name)
    if found is None:
        raise invalid(f"Stack with id {name} does not exist")
    return found


def existing(view: View, request: ApiRequest) -> Stack:
    """The same, in the words of the operations that change a stack."""
    name = request.params["StackName"]
    found = find(view, request, name)
    if found is None:
        raise no_such_stack(name)
    return found


def checked_template(text: str | None) -> Template:
    """The template, checked as a whole."""
    if not text:
        raise invalid("Either Template URL or Template Body must be specified.")
    template = parse(text)
    validation.check(template)
    return template


def config(request: ApiRequest, stack: Stack | None = None) -> Config:
    """What the request wants a stack to be, checked but for its capabilities."""
    params = request.params
    _refuse_unsupported(params)
    previous = params.get("UsePreviousTemplate") and stack is not None
    text = stack.config.template if stack and previous else params.get("TemplateBody", "")
    template = checked_template(text)
    _check_resource_types(template, params.get("ResourceTypes"))
    old = stack.config if stack else None
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or ()}
    _check_tags(tags)
    values = parameters.settle(
        template.parameters, params.get("Parameters") or (), old.parameters if old else None
    )
    return Config(
        template=text,
        parameters=values,
        tags=old.tags if old and "Tags" not in params else tags,
        capabilities=tuple(params.get("Capabilities") or ()),
    )


def blueprint(view: View, stack: Stack, wanted: Config) -> Blueprint:
    """What a configuration makes of a stack, with its references checked."""
    made = Blueprint(stack, wanted, lookups.importer(view, stack))
    made.check_references()
    return made


def _refuse_unsupported(params: Mapping[str, Any]) -> None:
    """Refuse what the sandbox would otherwise have to ignore silently."""
    for name in UNSUPPORTED:
        if params.get(name):
            raise invalid(f"{name} is not supported by the sandbox")
    if (params.get("RollbackConfiguration") or {}).get("RollbackTriggers"):
        raise invalid("Rollback triggers are not supported by the sandbox")


def _check_resource_types(template: Template, allowed: Sequence[str] | None) -> None:
    if not allowed:
        return
    patterns = [re.escape(entry).replace(r"\*", ".*") for entry in allowed]
    for declared in template.resources.values():
        if not any(re.fullmatch(pattern, declared.type) for pattern in patterns):
            raise invalid(
                f"Resource type {declared.type} is not allowed by parameter ResourceTypes "
                f"[{', '.join(allowed)}]"
            )


def _check_tags(tags: dict[str, str]) -> None:
    for key in tags:
        if key.lower().startswith("aws:"):
            raise invalid("aws: prefixed tag key names are not allowed for external use.")


def page(
    request: ApiRequest, member: str, items: Sequence[Item], shown: Callable[[Item], Any]
) -> dict[str, Any]:
    """The page of a list that the request asks for, as ``member``, with the next one's token."""
    start = _offset(request.params.get("NextToken"))
    result: dict[str, Any] = {member: [shown(item) for item in items[start : start + PAGE]]}
    if start + PAGE < len(items):
        result["NextToken"] = base64.urlsafe_b64encode(str(start + PAGE).encode()).decode()
    return result


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return max(0, int(base64.urlsafe_b64decode(token.encode())))
    except ValueError:
        raise invalid("Invalid NextToken") from None


def filled(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value not in (None, "")}
