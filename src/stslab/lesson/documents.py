"""The policies that a call is about to bring, by name: worth reading before it is made."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from stslab.runner.events import CallShown

_NAMES: Mapping[str, str] = {
    "PolicyDocument": "the policy",
    "AssumeRolePolicyDocument": "the trust policy",
    "Policy": "the policy",
}


def documents_of(call: CallShown) -> dict[str, Any]:
    """Policy documents among the parameters, and those in a CloudFormation template."""
    found: dict[str, Any] = {}
    for name, what in _NAMES.items():
        document = _json(call.params.get(name))
        if document is not None:
            found[what] = document
    template = call.params.get("TemplateBody")
    if isinstance(template, str):
        found |= dict(_in_template(_filled(template, call.params.get("Parameters"))))
    return found


def _json(text: Any) -> Any:
    if not isinstance(text, str):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _filled(template: str, given: Any) -> str:
    """A template's text with its parameters, as far as they are given, in its ARNs."""
    known = {"AWS::Partition": "aws"}
    for one in given if isinstance(given, list) else ():
        known[str(one.get("ParameterKey"))] = str(one.get("ParameterValue"))
    for name, value in known.items():
        template = template.replace(f"${{{name}}}", value)
    return template


def _in_template(text: str) -> Iterator[tuple[str, Any]]:
    resources = (_yaml(text) or {}).get("Resources", {})
    for name, resource in resources.items() if isinstance(resources, Mapping) else ():
        properties = resource.get("Properties", {}) if isinstance(resource, Mapping) else {}
        trust = properties.get("AssumeRolePolicyDocument")
        if trust:
            yield f"the trust policy of {name}", trust
        for policy in properties.get("Policies", ()):
            yield f"what {name} may do", policy.get("PolicyDocument", {})


def _yaml(text: str) -> Any:
    """A template's YAML; a function such as ``!Sub`` becomes the text that it is given."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Knows CloudFormation's short forms of functions."""

    def given(loader: Any, _tag: str, node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_mapping(node, deep=True)

    Loader.add_multi_constructor("!", given)
    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError:
        return None
