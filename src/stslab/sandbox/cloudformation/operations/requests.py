"""What the operations have in common: finding stacks, reading templates, turning pages."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.cloudformation import lookups, names
from stslab.sandbox.cloudformation.faults import invalid, require
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


def described(
    view: View, request: ApiRequest, missing: str = "Stack with id {} does not exist"
) -> Stack:
    name = request.params["StackName"]
    found = find(view, request, name)
    if found is None:
        raise invalid(missing.format(name))
    return found


def existing(view: View, request: ApiRequest) -> Stack:
    """The same, in the words of the operations that change a stack."""
    return described(view, request, "Stack [{}] does not exist")


def checked_template(text: str | None) -> Template:
    require(text, "Either Template URL or Template Body must be specified.")
    template = parse(str(text))
    validation.check(template)
    return template


def config(request: ApiRequest, stack: Stack | None = None) -> Config:
    """What the request wants a stack to be, checked but for its capabilities."""
    params, old = request.params, stack.config if stack else None
    for name in UNSUPPORTED:  # what the sandbox would otherwise have to ignore silently
        require(not params.get(name), f"{name} is not supported by the sandbox")
    triggers = (params.get("RollbackConfiguration") or {}).get("RollbackTriggers")
    require(not triggers, "Rollback triggers are not supported by the sandbox")
    previous = old is not None and params.get("UsePreviousTemplate")
    text = old.template if old and previous else params.get("TemplateBody", "")
    template = checked_template(text)
    _check_resource_types(template, params.get("ResourceTypes") or ())
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or ()}
    reserved = any(key.lower().startswith("aws:") for key in tags)
    require(not reserved, "aws: prefixed tag key names are not allowed for external use.")
    given = params.get("Parameters") or ()
    return Config(
        template=text,
        parameters=parameters.settle(template.parameters, given, old.parameters if old else None),
        tags=old.tags if old and "Tags" not in params else tags,
        capabilities=tuple(params.get("Capabilities") or ()),
    )


def blueprint(view: View, stack: Stack, wanted: Config) -> Blueprint:
    """What a configuration makes of a stack, with its references checked."""
    made = Blueprint(stack, wanted, lookups.importer(view, stack))
    made.check_references()
    return made


def _check_resource_types(template: Template, allowed: Sequence[str]) -> None:
    patterns = [re.escape(entry).replace(r"\*", ".*") for entry in allowed]
    for declared in template.resources.values() if allowed else ():
        require(
            any(re.fullmatch(pattern, declared.type) for pattern in patterns),
            f"Resource type {declared.type} is not allowed by parameter ResourceTypes "
            f"[{', '.join(allowed)}]",
        )


def page(
    request: ApiRequest, member: str, items: Sequence[Item], shown: Callable[[Item], object]
) -> Answer:
    """The page of a list that the request asks for, as ``member``, with the next one's token."""
    try:
        start = max(0, int(base64.urlsafe_b64decode(request.params.get("NextToken") or "MA==")))
    except ValueError:
        raise invalid("Invalid NextToken") from None
    end = start + PAGE
    following = base64.urlsafe_b64encode(str(end).encode()).decode()
    listed = {member: [shown(item) for item in items[start:end]]}
    return listed | ({"NextToken": following} if end < len(items) else {})


def filled(members: Answer) -> dict[str, object]:
    return {name: value for name, value in members.items() if value not in (None, "")}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
