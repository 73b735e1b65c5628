"""Checks that a template makes sense as a whole, before anything is deployed.

AWS CloudFormation User Guide, "Validating a template", "Troubleshooting CloudFormation" and
"Acknowledging IAM resources in AWS CloudFormation templates".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.cloudformation.resources.types import TYPES, exists
from stslab.sandbox.cloudformation.template import parameters
from stslab.sandbox.cloudformation.template.functions import (
    DECIDERS,
    FUNCTIONS,
    unsupported_function,
)
from stslab.sandbox.cloudformation.template.references import (
    PSEUDO_PARAMETERS,
    Graph,
    Reference,
    function_of,
    if_parts,
    references,
    walk,
)
from stslab.sandbox.cloudformation.template.template import Declared, Template

IAM = "CAPABILITY_IAM"
NAMED_IAM = "CAPABILITY_NAMED_IAM"
DYNAMIC_REFERENCE = "{{resolve:"


def check(template: Template) -> None:
    """Raise the ``ValidationError`` that CloudFormation gives for a template, if it does."""
    parameters.check_declarations(template.parameters)
    _check_types(template)
    _check_functions([template.conditions, template.outputs])
    for declared in template.resources.values():
        _check_functions(declared.properties)
        _check_depends_on(template, declared)
        _check_resource_condition(template, declared.condition)
    _check_conditions(template)
    _check_references(template)
    Graph({name: _needs(template, name) for name in template.resources}).waves()


def _check_types(template: Template) -> None:
    unknown = sorted({d.type for d in template.resources.values() if not exists(d.type)})
    if unknown:
        raise invalid(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")


def _check_functions(value: object) -> None:
    for part in walk(value):
        function = function_of(part)
        if function and function[0] not in FUNCTIONS and function[0] not in DECIDERS:
            raise unsupported_function(function[0])
        if isinstance(part, str) and DYNAMIC_REFERENCE in part:
            raise invalid("Dynamic references are not supported by the sandbox")


def _check_depends_on(template: Template, declared: Declared) -> None:
    missing = [name for name in declared.depends_on if name not in template.resources]
    if missing:
        raise _unresolved(missing, "Resources")


def _unresolved(names: list[str], block: str) -> Exception:
    return invalid(
        f"Template format error: Unresolved resource dependencies [{', '.join(names)}] in the "
        f"{block} block of the template"
    )


def _check_resource_condition(template: Template, condition: str) -> None:
    if condition and condition not in template.conditions:
        raise invalid(
            f"Template format error: Unresolved condition dependency {condition} in the Resources "
            "block of the template"
        )


def _check_conditions(template: Template) -> None:
    for value in [d.properties for d in template.resources.values()] + [template.outputs]:
        for name in _conditions_of(value):
            if name not in template.conditions:
                raise invalid(f"Template error: unresolved condition dependency {name} in Fn::If")
    known = PSEUDO_PARAMETERS | set(template.parameters)
    missing = [ref.name for ref in references(template.conditions) if ref.name not in known]
    if missing:
        raise invalid(
            f"Template format error: Unresolved dependencies [{', '.join(missing)}]. "
            "Cannot reference resources in the Conditions block of the template"
        )


def _conditions_of(value: object) -> Iterator[str]:
    for part in walk(value):
        function = function_of(part)
        if function and function[0] == "Fn::If":
            yield if_parts(function[1])[0]


def _check_references(template: Template) -> None:
    for declared in template.resources.values():
        _check_block(template, "Resources", [declared.properties, declared.metadata])
    _check_block(template, "Outputs", template.outputs)
    for body in template.outputs.values():
        condition = body.get("Condition", "")
        if condition and condition not in template.conditions:
            raise invalid(
                f"Template format error: Unresolved condition dependency {condition} in the "
                "Outputs block of the template"
            )


def _check_block(template: Template, block: str, value: object) -> None:
    found = list(references(value))
    for reference in found:
        if reference.getter and reference.name not in template.resources:
            raise invalid(
                "Template error: instance of Fn::GetAtt references undefined resource "
                f"{reference.name}"
            )
    known = PSEUDO_PARAMETERS | set(template.parameters) | set(template.resources)
    missing = list(dict.fromkeys(r.name for r in found if r.name not in known))
    if missing:
        raise _unresolved(missing, block)
    for reference in found:
        _check_attribute(template, reference)


def _check_attribute(template: Template, reference: Reference) -> None:
    if not reference.getter or not reference.attribute:
        return
    kind = TYPES.get(template.resources[reference.name].type)
    if kind and reference.attribute not in kind.attributes:
        raise invalid(
            f"Template error: resource {reference.name} does not support attribute type "
            f"{reference.attribute} in Fn::GetAtt"
        )


def _needs(template: Template, name: str) -> frozenset[str]:
    declared = template.resources[name]
    used = {found.name for found in references([declared.properties, declared.metadata])}
    return frozenset((used | set(declared.depends_on)) & set(template.resources))


def needed_capabilities(template: Template) -> tuple[str, tuple[str, ...]]:
    """The capability that a template needs ("" if none), and the types it needs it for."""
    demanding = [declared for declared in template.resources.values() if _is_iam(declared)]
    if not demanding:
        return "", ()
    types = tuple(sorted({declared.type for declared in demanding}))
    named = any(_is_named(declared) for declared in demanding)
    return (NAMED_IAM if named else IAM), types


def check_capabilities(template: Template, given: Iterable[str]) -> None:
    """Refuse, with ``InsufficientCapabilitiesException``, what is not acknowledged."""
    capability, _ = needed_capabilities(template)
    enough = {IAM: {IAM, NAMED_IAM}, NAMED_IAM: {NAMED_IAM}}
    if capability and not enough[capability] & set(given):
        raise ApiFault(
            "InsufficientCapabilitiesException", f"Requires capabilities : [{capability}]"
        )


def capabilities_reason(types: Iterable[str]) -> str:
    """Why, as ValidateTemplate says it."""
    return f"The following resource(s) require capabilities: [{', '.join(types)}]"


def _is_iam(declared: Declared) -> bool:
    kind = TYPES.get(declared.type)
    return kind is not None and kind.acknowledged


def _is_named(declared: Declared) -> bool:
    kind = TYPES[declared.type]
    return bool(kind.name_property) and kind.name_property in declared.properties
