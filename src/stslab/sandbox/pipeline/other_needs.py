"""What each STS and CloudFormation request needs.

Service Authorization Reference, "Actions, resources, and condition keys for AWS
CloudFormation" and "… for AWS Security Token Service".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.api.need import Need, Needs
from stslab.sandbox.iam import needs as iam_needs
from stslab.sandbox.pipeline import context
from stslab.sandbox.pipeline.context import Keys
from stslab.sandbox.saved.account import StackFacts, World

CLOUDFORMATION = "cloudformation.amazonaws.com"

# Parameter of the request -> the condition key that has its value.
_OF_PARAMETERS: Mapping[str, str] = {
    "ChangeSetName": "cloudformation:ChangeSetName",
    "RoleARN": "cloudformation:RoleArn",
    "TemplateURL": "cloudformation:TemplateUrl",
    "StackPolicyURL": "cloudformation:StackPolicyUrl",
    "ResourceTypes": "cloudformation:ResourceTypes",
}


def of_sts(_request: ApiRequest, _world: World) -> Needs:
    """Nothing that the gate could ask: each operation of STS puts its own questions.

    They go to trust policies too, concern a role that may be another account's, or are about
    no permission at all (IAM User Guide, "Comparing the AWS STS API operations").
    """
    return ()


def of_cloudformation(request: ApiRequest, world: World) -> Needs:
    """The action on the stack that the request names, and leave to pass a role with it."""
    return tuple(_cloudformation(request, world))


def _cloudformation(request: ApiRequest, world: World) -> Iterator[Need]:
    stack = world.stack_of(request)
    yield Need(
        f"cloudformation:{request.operation}",
        _stack_arn(request, stack),
        {**_keys(request.params), **context.resource_tags(stack.tags if stack else {})},
        resource_account=request.account,
    )
    role = request.params.get("RoleARN")
    if role:
        yield iam_needs.pass_role(world.account(request.account), role, CLOUDFORMATION)


def _keys(params: Mapping[str, Any]) -> Keys:
    keys: Keys = {
        key: params[parameter] for parameter, key in _OF_PARAMETERS.items() if params.get(parameter)
    }
    tags = {tag.get("Key", ""): tag.get("Value", "") for tag in params.get("Tags") or ()}
    return keys | context.request_tags(tags)


def _stack_arn(request: ApiRequest, stack: StackFacts | None) -> str:
    if stack is not None:
        return stack.arn
    name = str(request.params.get("StackName") or "")
    if name.startswith("arn:"):
        return name
    where = f"arn:aws:cloudformation:{request.region}:{request.account}:stack"
    if not name:
        return f"{where}/*/*" if request.operation in _ON_STACKS else "*"
    return f"{where}/{name}/*"


# Without a stack's name, these are about all stacks.
_ON_STACKS = frozenset({"DescribeStacks", "ListStacks"})
