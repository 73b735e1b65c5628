"""Checks that a template makes sense as a whole, before anything is deployed.

AWS CloudFormation User Guide, "Validating a template", "Troubleshooting CloudFormation" and
"Acknowledging IAM resources in AWS CloudFormation templates".
"""

from collections.abc import Iterable

from stslab.sandbox.api.faults import require
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.resources.types import TYPES, exists
from stslab.sandbox.cloudformation.template import parameters
from stslab.sandbox.cloudformation.template.functions import (
    DECIDERS,
    FUNCTIONS,
    unsupported_function,
)
from stslab.sandbox.cloudformation.template.references import (
    PSEUDO_PARAMETERS,
    Reference,
    dependencies,
    function_of,
    if_parts,
    references,
    unresolved,
)
from stslab.sandbox.cloudformation.template.template import Declared, Template
from stslab.structures import parts

IAM = "CAPABILITY_IAM"
NAMED_IAM = "CAPABILITY_NAMED_IAM"
DYNAMIC_REFERENCE = "{{resolve:"
FORMAT = "Template format error: "


def check(template: Template) -> None:
    """Raise the ``ValidationError`` that CloudFormation gives for a template, if it does."""
    parameters.check_declarations(template.parameters)
    _check_types(template)
    _check_functions([template.conditions, template.outputs])
    for declared in template.resources.values():
        _check_functions(declared.properties)
        missing = [name for name in declared.depends_on if name not in template.resources]
        require(not missing, FORMAT + unresolved(missing, "Resources"))
        _check_condition(template, declared.condition, "Resources")
    _check_conditions(template)
    for declared in template.resources.values():
        _check_block(template, "Resources", [declared.properties, declared.metadata])
    _check_block(template, "Outputs", template.outputs)
    for body in template.outputs.values():
        _check_condition(template, body.get("Condition", ""), "Outputs")
    dependencies(template, template.resources).waves()


def _check_types(template: Template) -> None:
    unknown = sorted({d.type for d in template.resources.values() if not exists(d.type)})
    require(not unknown, f"{FORMAT}Unrecognized resource types: [{', '.join(unknown)}]")


def _check_functions(value: object) -> None:
    for _, part in parts(value):
        function = function_of(part)
        if function and function[0] not in FUNCTIONS and function[0] not in DECIDERS:
            raise unsupported_function(function[0])
        dynamic = isinstance(part, str) and DYNAMIC_REFERENCE in part
        require(not dynamic, "Dynamic references are not supported by the sandbox")


def _check_condition(template: Template, name: str, block: str) -> None:
    require(
        not name or name in template.conditions,
        f"{FORMAT}Unresolved condition dependency {name} in the {block} block of the template",
    )


def _check_conditions(template: Template) -> None:
    for value in [d.properties for d in template.resources.values()] + [template.outputs]:
        for function in filter(None, (function_of(part) for _, part in parts(value))):
            name = if_parts(function[1])[0] if function[0] == "Fn::If" else None
            known = name is None or name in template.conditions
            require(known, f"Template error: unresolved condition dependency {name} in Fn::If")
    known_names = PSEUDO_PARAMETERS | set(template.parameters)
    missing = [ref.name for ref in references(template.conditions) if ref.name not in known_names]
    require(
        not missing,
        f"{FORMAT}Unresolved dependencies [{', '.join(missing)}]. "
        "Cannot reference resources in the Conditions block of the template",
    )


def _check_block(template: Template, block: str, value: object) -> None:
    found = list(references(value))
    for reference in found:
        require(
            not reference.getter or reference.name in template.resources,
            "Template error: instance of Fn::GetAtt references undefined resource "
            f"{reference.name}",
        )
    known = PSEUDO_PARAMETERS | set(template.parameters) | set(template.resources)
    missing = list(dict.fromkeys(r.name for r in found if r.name not in known))
    require(not missing, FORMAT + unresolved(missing, block))
    for reference in found:
        _check_attribute(template, reference)


def _check_attribute(template: Template, reference: Reference) -> None:
    if reference.getter and reference.attribute:
        kind = TYPES.get(template.resources[reference.name].type)
        require(
            kind is None or reference.attribute in kind.attributes,
            f"Template error: resource {reference.name} does not support attribute type "
            f"{reference.attribute} in Fn::GetAtt",
        )


def needed_capabilities(template: Template) -> tuple[str, tuple[str, ...]]:
    demanding = [
        declared
        for declared in template.resources.values()
        if (kind := TYPES.get(declared.type)) and kind.acknowledged
    ]
    if not demanding:
        return "", ()
    types = tuple(sorted({declared.type for declared in demanding}))
    return NAMED_IAM if any(map(_is_named, demanding)) else IAM, types


def check_capabilities(template: Template, given: Iterable[str]) -> None:
    """Refuse, with ``InsufficientCapabilitiesException``, what is not acknowledged."""
    capability, _ = needed_capabilities(template)
    enough = {IAM: {IAM, NAMED_IAM}, NAMED_IAM: {NAMED_IAM}}
    if capability and not enough[capability] & set(given):
        raise ApiFault(
            "InsufficientCapabilitiesException", f"Requires capabilities : [{capability}]"
        )


def _is_named(declared: Declared) -> bool:
    kind = TYPES[declared.type]
    return bool(kind.name_property) and kind.name_property in declared.properties
