"""Checks a whole template before anything is deployed.

AWS CloudFormation User Guide, "Validating a template", "Troubleshooting CloudFormation" and
"Acknowledging IAM resources in AWS CloudFormation templates".
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from stslab.sandbox.api.faults import invalid, require
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.resources.types import TYPES, exists
from stslab.sandbox.cloudformation.template import functions, parameters
from stslab.sandbox.cloudformation.template.blueprint import dependencies, in_order, waves
from stslab.sandbox.cloudformation.template.functions import function_of, may_be, references
from stslab.sandbox.cloudformation.template.template import ANATOMY, SAYS, Template, well_formed
from stslab.structures import parts

IAM = "CAPABILITY_IAM"
NAMED_IAM = "CAPABILITY_NAMED_IAM"
IMPORT = "Fn::ImportValue"
PSEUDO_PARAMETERS = frozenset(ANATOMY["pseudo parameters"])


def unrecognized(template: Template) -> list[str]:
    """The resource types that AWS does not have."""
    return sorted({d.type for d in template.resources.values() if not exists(d.type)})


def check(template: Template, *, lenient: bool = False) -> None:
    """Refuse a template that is not valid; if ``lenient``, not for its resource types."""
    parameters.check_declarations(template.parameters)
    strange = [] if lenient else unrecognized(template)
    well_formed(not strange, f"Unrecognized resource types: [{', '.join(strange)}]")
    shared = ", ".join(name for name in template.resources if name in template.parameters)
    require(not shared, ANATOMY["common names"].format(shared))
    _check_functions(template, [template.conditions, template.outputs])
    _check_anatomy(template)
    for declared in template.resources.values():
        require(not declared.refusal, declared.refusal)
        _check_functions(template, declared.properties)
        unsaved = declared.deletion_policy == "Snapshot" and declared.type in TYPES
        require(not unsaved, ANATOMY["no snapshot"].format(declared.type))
        missing = [name for name in declared.depends_on if name not in template.resources]
        well_formed(not missing, SAYS["unresolved"].format(", ".join(missing), "Resources"))
        _check_condition(template, declared.condition)
    _check_conditions(template)
    whole = [[declared.properties, declared.metadata] for declared in template.resources.values()]
    _check_block(template, "Resources", whole)
    _check_block(template, "Outputs", template.outputs)
    for name, body in template.outputs.items():
        _check_condition(template, body.get("Condition"))
        others = _depends_on_others(template, body.get("Export"))
        well_formed(not others, SAYS["export depends"].format(name))
    waves(dependencies([*template.resources.values()]))


def _check_anatomy(template: Template) -> None:
    """What no new template may have, though a stack that is saved may."""
    resources = template.resources.values()
    metadata = [template.metadata, *(declared.metadata for declared in resources)]
    are_objects = all(isinstance(each, dict | None) for each in metadata)
    well_formed(are_objects, "Any Metadata member must be an object.")
    policies = [policy for declared in resources for policy in declared.policies]
    are_objects = all(isinstance(p, dict) and may_be(p, "", "Fn::If") for p in policies)
    well_formed(are_objects, "Expected an object")
    attributes = [a for rows in template.mappings.values() for row in rows.values() for a in row]
    longest = max(attributes, key=len, default="")
    well_formed(len(longest) <= ANATOMY["longest"]["name"], SAYS["long attribute"].format(longest))


def _check_functions(template: Template, value: object) -> None:
    lists = [n for n, d in template.parameters.items() if d["Type"] in parameters.LISTS]
    require("{{resolve:" not in str(value), ANATOMY["dynamic reference"])
    scope = functions.Scope(dict.fromkeys(lists, ()), template.mappings)
    for _, part in parts(value):
        name, argument = function_of(part) or ("", [])
        if name and name not in functions.FUNCTIONS and name not in functions.DECIDERS:
            raise functions.unsupported_function(name)
        if name == "Fn::If":
            condition = functions.if_parts(argument)[0]
            require(condition in template.conditions, ANATOMY["no condition"].format(condition))
        if name in functions.FITS:
            others = name == IMPORT and _depends_on_others(template, argument)
            functions.check_form(functions.FITS[name](None if others else argument), name)
        if name == "Fn::Select" and isinstance(argument[1], list) and not function_of(argument[0]):
            beyond, fixed = int(argument[0]) >= len(argument[1]), not list(references(argument[1]))
            require(fixed or not beyond, ANATOMY["no item"].format(argument[0]))
            functions.check_form(not beyond, name)
        if name == "Fn::FindInMap" and not argument[3:] and not list(references(argument)):
            functions.evaluate(part, scope)
        if name == "Fn::GetAtt":
            attribute = functions.getatt_parts(argument)[1]
            functions.check_form(isinstance(attribute, str) or may_be(attribute, "Ref"), name)
        if name == "Fn::Equals":
            functions.check_form(all(side != {"Ref": n} for side in argument for n in lists), name)
        if name == "Fn::Sub":
            text, variables = functions.sub_parts(argument)
            functions.evaluate({name: [text, dict.fromkeys(variables, "")]}, scope)


def _depends_on_others(template: Template, value: object) -> bool:
    referred = (reference.name for reference in references(value))
    return any(name in template.resources for name in referred) or _uses(value, IMPORT)


def _uses(value: object, function: str) -> bool:
    return any(may_be(part, function) for _, part in parts(value))


def _check_condition(template: Template, name: str | None) -> None:
    well_formed(name is None or name in template.conditions, f"Condition {name} is not defined.")


def _check_conditions(template: Template) -> None:
    known = {functions.Reference(name) for name in PSEUDO_PARAMETERS | set(template.parameters)}
    missing = [ref.name for ref in references(template.conditions) if ref not in known]
    well_formed(not missing, SAYS["resource in Conditions"].format(", ".join(missing)))
    used = [name for name in (IMPORT, "Fn::If") if _uses(template.conditions, name)]
    require(not used, f"Template error: Cannot use {''.join(used[:1])} in Conditions.")
    in_order(template.conditions)


def _check_block(template: Template, block: str, value: object) -> None:
    found, resources = list(references(value)), template.resources.keys()
    undefined = [r.name for r in found if r.attribute is not None and r.name not in resources]
    require(not undefined, ANATOMY["no resource"].format("".join(undefined[:1])))
    known = PSEUDO_PARAMETERS | set(template.parameters) | resources
    missing = dict.fromkeys(r.name for r in found if r.name not in known)
    well_formed(not missing, SAYS["unresolved"].format(", ".join(missing), block))


def check_types(template: Template, allowed: Sequence[str]) -> None:
    """Refuse a type that is not among the types and the ``AWS::service::*`` of ResourceTypes."""
    for kind in dict.fromkeys(declared.type for declared in template.resources.values()):
        fits = any(fnmatchcase(kind, each) for each in allowed)
        require(fits, ANATOMY["type not allowed"].format(kind, ", ".join(allowed)))


def check_attributes(template: Template) -> None:
    """Raise ValidationError for an unknown attribute, which AWS finds when the work begins."""
    properties = {name: {"Properties": d.properties} for name, d in template.resources.items()}
    for path, part in parts({"Resources": properties, "Outputs": template.outputs}):
        function, _ = function_of(part) or ("", None)
        for reference in references(part) if function in {"Fn::GetAtt", "Fn::Sub"} else ():
            kind = TYPES.get(template.resources[reference.name].type if reference.attribute else "")
            place = "/".join(map(str, (*path, function)))
            if kind and reference.attribute not in kind.attributes:
                raise invalid(ANATOMY["no attribute"].format(place, kind.name, reference.attribute))


def needed_capabilities(template: Template) -> tuple[str, list[str]]:
    """The capability that a template needs, or empty, and the resource types that need it."""
    known = [declared for declared in template.resources.values() if declared.type in TYPES]
    demanding = [declared for declared in known if TYPES[declared.type].acknowledged]
    named = any(TYPES[one.type].name_property in one.properties for one in demanding)
    needed = NAMED_IAM if named else IAM
    return (needed, sorted({one.type for one in demanding})) if demanding else ("", [])


def check_capabilities(template: Template, given: Iterable[str]) -> None:
    capability, _ = needed_capabilities(template)
    if capability and not {capability, NAMED_IAM} & set(given):
        refusal = f"Requires capabilities : [{capability}]"
        raise ApiFault("InsufficientCapabilitiesException", refusal)
