"""A template evaluated with the parameters and tags of a stack, and its dependencies.

AWS CloudFormation User Guide, "Ref", "Fn::GetAtt", "Fn::Sub", "DependsOn attribute".
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from itertools import chain

from stslab.sandbox.api.faults import require
from stslab.sandbox.api.model import hashed
from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.template import functions, parameters, template
from stslab.sandbox.cloudformation.template.functions import NotText, Reference, conditions_in
from stslab.sandbox.cloudformation.template.template import Declared, Properties, Template, Value
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.stacks import Config, Stack, StackResource
from stslab.structures import listed, mapped

Lookup = Callable[[Reference], Value]  # returns the value of a reference to a resource
Needs = Mapping[str, frozenset[str]]
"""The dependencies: for each resource, those that must be created first."""


def waves(needs: Needs, what: str = "resources") -> list[list[str]]:
    """The resources in the order of creation; those of one wave are created together."""
    places = {name: place for place, name in enumerate(needs)}
    sorter = TopologicalSorter({name: needed & needs.keys() for name, needed in needs.items()})
    with suppress(CycleError):  # those outside the circle are ready all the same
        sorter.prepare()
    result: list[list[str]] = []
    while wave := sorted(sorter.get_ready(), key=places.__getitem__):
        result.append(wave)
        sorter.done(*wave)
        for name in wave:
            del places[name]
    require(not places, f"Circular dependency between {what}: [{', '.join(places)}]")
    return result


def deletions(needs: Needs) -> list[list[str]]:
    """The resources in the order of deletion: first what nothing needs."""
    return waves({name: frozenset(n for n in needs if name in needs[n]) for name in needs})


def in_order(conditions: Mapping[str, Value]) -> Iterator[str]:
    """The conditions, each after those that it needs. Raises ValidationError for a circle."""
    needs = {name: frozenset(conditions_in(body, conditions)) for name, body in conditions.items()}
    return chain.from_iterable(waves(needs, "conditions"))


def dependencies(resources: Sequence[Declared], holds: functions.Holds | None = None) -> Needs:
    """The dependencies among these resources, from ``DependsOn`` and from references."""
    names = frozenset(one.logical_id for one in resources)
    needs = dict[str, frozenset[str]]()
    for one in resources:
        found = functions.references([one.properties, one.metadata], holds)
        needs[one.logical_id] = names & {*one.depends_on, *(each.name for each in found)}
    return needs


class Blueprint:
    """A stack's template with its parameters, ready to evaluate.

    ``missing`` is the value of an export that no other stack has, which is an error without it.
    """

    def __init__(self, view: View, stack: Stack, config: Config, missing: str = "") -> None:
        self.stack = stack
        self.config = config
        self.template: Template = template.parse(config.template)
        self._view, self._missing = view, missing
        self._decided: dict[str, bool] = {}  # with the values that ``masked`` hides
        self._pseudo: Properties = {
            **template.ANATOMY["pseudo parameters"],
            "AWS::AccountId": stack.account,
            "AWS::NoValue": functions.NO_VALUE,
            "AWS::Region": stack.region,
            "AWS::StackId": stack.stack_id,
            "AWS::StackName": stack.name,
        }
        self.imported: dict[str, None] = {}  # the names, in order
        self._holds = self._scope(lambda _reference: functions.UNKNOWN).holds
        for condition in in_order(self.template.conditions):
            self._holds(condition)
        every = self.template.resources.items()
        self.active = [n for n, one in every if not one.condition or self._holds(one.condition)]
        self.needs = dependencies([*map(self.declared, self.active)], self._holds)

    def declared(self, logical_id: str) -> Declared:
        return self.template.resources[logical_id]

    def properties(self, logical_id: str, lookup: Lookup, *, masked: bool = False) -> Properties:
        """The evaluated properties of a resource; ``masked`` hides ``NoEcho`` parameters."""
        declared, scope = self.declared(logical_id), self._scope(lookup, masked=masked)
        value = _evaluated(dict(declared.properties), scope)
        properties: Properties = {} if value is functions.NO_VALUE else value
        require(isinstance(properties, dict), template.ANATOMY["no object"].format(logical_id))
        require("{{resolve:" not in str(properties), template.ANATOMY["dynamic reference"])
        return properties

    def metadata(self, logical_id: str, lookup: Lookup) -> Value:
        value = _evaluated(self.declared(logical_id).metadata, self._scope(lookup))
        return None if value is functions.NO_VALUE else value

    def tags(self, logical_id: str, properties: Properties) -> dict[str, str]:
        """All tags of a resource: CloudFormation's, then the stack's, then its own, which win.

        AWS CloudFormation User Guide, "Resource tag". Things of IAM do not get CloudFormation's:
        https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/277.
        """
        own = {
            template.as_text(tag.get("Key")): template.as_text(tag.get("Value"))
            for tag in listed(properties.get("Tags"))
            if isinstance(tag, dict)  # what is none fails the update
        }
        if self.declared(logical_id).type.startswith("AWS::IAM::"):
            return {**self.config.tags, **own}
        stack = self.stack
        ids = {"stack-name": stack.name, "logical-id": logical_id, "stack-id": stack.stack_id}
        system = {f"aws:cloudformation:{name}": value for name, value in ids.items()}
        return {**system, **self.config.tags, **own}

    def outputs(self, lookup: Lookup) -> list[dict[str, str]]:
        """The outputs, as in DescribeStacks. Raises ValidationError for duplicate exports."""
        scope = self._scope(lookup)
        outputs = [_output(name, body, scope) for name, body in self._active_outputs()]
        exports = Counter(output["ExportName"] for output in outputs if "ExportName" in output)
        duplicate = ", ".join(name for name, count in exports.items() if count > 1)
        template.well_formed(not duplicate, template.SAYS["same exports"].format(duplicate))
        return outputs

    def check_values(self) -> None:
        """Raise ValidationError for functions with wrong arguments and for unknown exports."""
        for name in self.active:
            self.properties(name, lambda _reference: functions.UNKNOWN)
        self.outputs(lambda _reference: functions.UNKNOWN)

    def check_references(self) -> None:
        """Raise ValidationError for references to resources whose condition is false."""
        absent = set(self.template.resources) - set(self.active)
        active = [self.declared(name) for name in self.active]
        resources = [[one.properties, one.metadata] for one in active]
        needed = [name for one in active for name in one.depends_on]
        outputs = [body["Value"] for _, body in self._active_outputs()]
        for values, others, block in ((resources, needed, "Resources"), (outputs, [], "Outputs")):
            found = (each.name for each in functions.references(values, self._holds))
            missing = [name for name in dict.fromkeys([*others, *found]) if name in absent]
            prefix = "Template format error: " if block == "Resources" else ""
            refusal = template.SAYS["unresolved"].format(", ".join(missing), block)
            require(not missing, prefix + refusal)

    def _active_outputs(self) -> Iterator[tuple[str, Mapping[str, Value]]]:
        for name, body in hashed(self.template.outputs).items():
            if not body.get("Condition") or self._holds(body["Condition"]):
                yield name, body

    def _scope(self, lookup: Lookup, *, masked: bool = False) -> functions.Scope:
        values = self.config.parameters
        if masked:
            values = parameters.masked(self.template.parameters, values)
        return functions.Scope(
            names={**parameters.typed(self.template.parameters, values), **self._pseudo},
            mappings=self.template.mappings,
            conditions=self.template.conditions,
            resource=lookup,
            imports=self._import,
            decided=self._decided,
        )

    def _import(self, name: str) -> str:
        exports = lookups.exports(self._view, self.stack.account, self.stack.region)
        exporter, value = exports.get(name, (None, self._missing))
        if exporter is not None and exporter.stack_id == self.stack.stack_id:
            value = self._missing
        require(value, f"No export named {name} found")
        self.imported[name] = None
        return value


def _evaluated(value: Value, scope: functions.Scope) -> Value:
    return mapped(functions.evaluate(value, scope), lambda each: each.value, NotText)


def _output(name: str, body: Mapping[str, Value], scope: functions.Scope) -> dict[str, str]:
    must = "The Value field of every Outputs member must evaluate to a String"
    function, _ = functions.function_of(body["Value"]) or ("", None)
    template.well_formed(function not in functions.DECIDERS, f"{must}.")
    value = functions.evaluate(body["Value"], scope)
    template.well_formed(not isinstance(value, NotText), "Every Value member must be a string")
    what = "List" if isinstance(value, list) else "Map"
    plain = function == "Ref" or value is functions.NO_VALUE
    told = f"{must}." if plain else f"{must} and not a {what}."
    template.well_formed(isinstance(value, str | int | float), told)
    result = {"OutputKey": name, "OutputValue": template.as_text(value)}
    if "Description" in body:
        result["Description"] = template.as_text(body["Description"])
    if "Export" in body:
        export = functions.evaluate(body["Export"], scope)
        result["ExportName"] = template.as_text(export.get("Name", ""))
        template.check_export_name(name, result["ExportName"])
    return result


def value_in(resources: Mapping[str, StackResource], reference: Reference) -> Value:
    """The value of a reference to one of these resources: its physical id, or an attribute."""
    resource = resources[reference.name]
    if reference.attribute is None:
        return resource.physical_id
    has = reference.attribute in resource.attributes
    require(has, f"Template error: resource {resource.logical_id} has no {reference.text}")
    value = resource.attributes[reference.attribute]
    return NotText(value) if isinstance(value, int) else value
