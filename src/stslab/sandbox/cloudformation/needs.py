"""What each CloudFormation request needs.

Service Authorization Reference, "Actions, resources, and condition keys for AWS
CloudFormation".
"""

from collections.abc import Mapping
from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.api.services import Keys, Need, Needs, pass_role, request_tags, resource_tags
from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.stacks import Stack

SERVICE = "cloudformation.amazonaws.com"

# Parameter of the request -> the condition key that has its value.
_OF_PARAMETERS: Mapping[str, str] = {
    "ChangeSetName": "cloudformation:ChangeSetName",
    "RoleARN": "cloudformation:RoleArn",
    "TemplateURL": "cloudformation:TemplateUrl",
    "StackPolicyURL": "cloudformation:StackPolicyUrl",
    "ResourceTypes": "cloudformation:ResourceTypes",
}
# Without a stack's name, these are about all stacks.
_ON_STACKS = frozenset({"DescribeStacks", "ListStacks"})


def of(view: View, request: ApiRequest) -> Needs:
    """The action on the stack that the request names, and leave to pass a role with it."""
    stack = lookups.addressed(view, request.account, request.region, request.params)
    need = Need(
        f"cloudformation:{request.operation}",
        _stack_arn(request, stack),
        {**_keys(request.params), **resource_tags(stack.config.tags if stack else {})},
        resource_account=request.account,
    )
    role = request.params.get("RoleARN")
    return (need, pass_role(view, request.account, role, SERVICE)) if role else (need,)


def _keys(params: Mapping[str, Any]) -> Keys:
    keys: Keys = {
        key: params[parameter] for parameter, key in _OF_PARAMETERS.items() if params.get(parameter)
    }
    tags = {tag.get("Key", ""): tag.get("Value", "") for tag in params.get("Tags") or ()}
    return keys | request_tags(tags)


def _stack_arn(request: ApiRequest, stack: Stack | None) -> str:
    if stack is not None:
        return stack.stack_id
    name = str(request.params.get("StackName") or "")
    if name.startswith("arn:"):
        return name
    where = f"arn:aws:cloudformation:{request.region}:{request.account}:stack"
    if not name:
        return f"{where}/*/*" if request.operation in _ON_STACKS else "*"
    return f"{where}/{name}/*"
