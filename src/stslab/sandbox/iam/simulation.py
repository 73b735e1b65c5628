"""The policy simulator's operations, answered by the engine that decides all requests.

IAM API Reference, "SimulatePrincipalPolicy" and "SimulateCustomPolicy".
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import NamedTuple

from stslab.errors import MalformedPolicy
from stslab.policy import (
    Decision,
    NamedPolicy,
    Outcome,
    Policies,
    PolicyKind,
    Principal,
    Request,
    authorize,
    parse,
)
from stslab.sandbox.api import faults
from stslab.sandbox.api.model import Answer, ApiRequest, Params
from stslab.sandbox.iam import lookups, shapes
from stslab.sandbox.iam.shapes import Members
from stslab.sandbox.state.identities import Group, Identity, ManagedPolicy, Role, User
from stslab.sandbox.state.snapshot import View
from stslab.structures import listed, texts

_WORDS = {
    Outcome.ALLOWED: "allowed",
    Outcome.EXPLICITLY_DENIED: "explicitDeny",
    Outcome.IMPLICITLY_DENIED: "implicitDeny",
}
# From the most restrictive to the least.
_SEVERITY = ("explicitDeny", "implicitDeny", "allowed")
_LAYER_WORDS = {
    PolicyKind.IDENTITY: "IAM Policy",
    PolicyKind.RESOURCE: "Resource Policy",
    PolicyKind.TRUST: "Resource Policy",
    PolicyKind.BOUNDARY: "Permissions Boundary Policy",
}
_OF_RESOURCES = (PolicyKind.RESOURCE, PolicyKind.TRUST)
_MOST_QUESTIONS = 10_000
"""Of one request: its actions times its resources. AWS documents no limit."""
_MOST_WORK = 20_000_000
"""Of one request: some seconds' work; see :func:`_check_work`."""
_OF_A_VALUE = 100
"""The characters of context that weigh as much as looking at one more value."""
_SOURCE = re.compile(r"arn:aws:iam::(\d{12}):(user|group|role)/(?:[\x21-\x7e]*/)?([\w+=,.@-]+)")
_ENTITIES: Mapping[str, type[User | Group | Role]] = {"user": User, "group": Group, "role": Role}
_VARIABLE = re.compile(r"\$\{([^}?*$,]+)[^}]*\}")
_COLONS = 5  # in an ARN
_NOBODY = "policy-simulator"
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()

Span = tuple[dict[str, int], dict[str, int]]
"""Where something begins and ends in a text: lines and columns, from 1."""


@dataclass(frozen=True)
class Source:
    """One policy of a simulation: its identifier and type as results name it, and its text."""

    identifier: str
    kind: PolicyKind
    text: str
    policy: NamedPolicy

    @cached_property
    def places(self) -> list[Span]:
        return places_of(self.text)

    @cached_property
    def keys(self) -> list[set[str]]:
        """The condition keys that each statement names, in conditions or as variables."""
        found = self.policy.document.document.get("Statement", [])
        return [_keys_of(each) for each in listed(found)]


@dataclass(frozen=True)
class Simulation:
    """All that is put to the engine for each action and resource."""

    principal: Principal
    sources: Sequence[Source]
    boundary: Sequence[Source] = ()
    resource: Source | None = None
    controls: Sequence[Sequence[Source]] = ()
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    owner: str | None = None

    @cached_property
    def policies(self) -> Policies:
        return Policies(
            identity=[source.policy for source in self.sources],
            resource=self.resource.policy if self.resource else None,
            boundaries=[source.policy for source in self.boundary] if self.boundary else None,
            scps=[[source.policy for source in level] for level in self.controls],
        )

    @cached_property
    def all_sources(self) -> Mapping[str, Source]:
        """Every policy by its name, for results to name statements of."""
        more = [source for level in self.controls for source in level]
        last = [self.resource] if self.resource else []
        listed = [*self.sources, *self.boundary, *more, *last]
        return {source.policy.name: source for source in listed}


class _Statement(NamedTuple):
    """A statement that was read: its policy, its place in it from 0, and what it said."""

    source: Source
    number: int
    said: Members


def simulate_custom_policy(_view: View, request: ApiRequest) -> Answer:
    params = request.params
    _require_caller(params)
    return _simulate(_simulation(params, params.get("CallerArn", _nobody(request)), [], ()), params)


def simulate_principal_policy(view: View, request: ApiRequest) -> Answer:
    """With the entity's own policies and boundary."""
    params = request.params
    if params.get("PolicyExclusionList"):
        raise faults.invalid_input("The sandbox does not support PolicyExclusionList.")
    arn = params["PolicySourceArn"]
    if ":user/" not in arn:
        _require_caller(params)
    sources, boundary = _attached_to(view, request)
    caller = params.get("CallerArn", arn)
    caller = _nobody(request) if ":group/" in caller else caller
    return _simulate(_simulation(params, caller, sources, boundary), params)


def _nobody(request: ApiRequest) -> str:
    return f"arn:aws:iam::{request.account}:user/{_NOBODY}"


def get_context_keys_for_custom_policy(_view: View, request: ApiRequest) -> Answer:
    return _context_keys(request, [])


def get_context_keys_for_principal_policy(view: View, request: ApiRequest) -> Answer:
    return _context_keys(request, _attached_to(view, request)[0])


def _context_keys(request: ApiRequest, sources: Sequence[Source]) -> Answer:
    more = _given(request.params, "PolicyInputList", PolicyKind.IDENTITY)
    keys = {key for source in (*sources, *more) for named in source.keys for key in named}
    return {"ContextKeyNames": sorted(keys)}


def _simulate(simulation: Simulation, params: Params) -> Answer:
    actions, resources = params["ActionNames"], params.get("ResourceArns") or ["*"]
    _check_work(simulation, len(actions) * len(resources))
    for action in actions:
        service, _, name = action.partition(":")
        if not service or not name or {"*", "?"} & set(action):
            raise faults.invalid_input(f"Invalid action name: {action}")
    show = partial(_action, simulation, resources)
    return shapes.page("EvaluationResults", actions, params, show)


def _check_work(simulation: Simulation, questions: int) -> None:
    """Refuse what would take too long: questions, each about all policies and all context."""
    policies = sum(len(source.text) for source in simulation.all_sources.values())
    given = ([v] if isinstance(v, str) else v for v in simulation.context.values())
    context = 1 + sum(1 + len(value) // _OF_A_VALUE for values in given for value in values)
    if questions > _MOST_QUESTIONS or questions * policies * context > _MOST_WORK:
        raise faults.invalid_input(
            "The simulation is too large. Use fewer actions, resources, policies or context "
            "values in one request."
        )


def _action(simulation: Simulation, resources: Sequence[str], action: str) -> Members:
    """The result of one action: of all resources together, and of each."""
    who, context, owner = simulation.principal, simulation.context, simulation.owner
    asked = [Request(who, action, resource, context, owner) for resource in resources]
    decisions = [authorize(request, simulation.policies) for request in asked]
    each = [_specific(simulation, decision) for decision in decisions]
    general: Members = {
        "EvalActionName": action,
        "EvalResourceName": resources[0] if len(resources) == 1 else "*",
        "EvalDecision": min((one["EvalResourceDecision"] for one in each), key=_SEVERITY.index),
        "MatchedStatements": _union(one["MatchedStatements"] for one in each),
        "MissingContextValues": each[0]["MissingContextValues"] if resources == ["*"] else [],
    }
    if simulation.boundary:
        general["PermissionsBoundaryDecisionDetail"] = _bounds(decisions)
    if simulation.controls:
        allowed = _allowed(decisions, PolicyKind.SCP)
        general["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": allowed}
    if resources != ["*"]:
        general["ResourceSpecificResults"] = each
    return general


def _specific(simulation: Simulation, decision: Decision) -> Members:
    outcome, read = _outcome(simulation, decision), _statements(simulation, decision)
    shown: Members = {
        "EvalResourceName": decision.request.resource,
        "EvalResourceDecision": _WORDS[outcome],
        "MatchedStatements": _matched(read, outcome),
        "MissingContextValues": _missing(simulation, read),
    }
    if simulation.boundary:
        shown["PermissionsBoundaryDecisionDetail"] = _bounds([decision])
    if simulation.owner not in (None, simulation.principal.account):
        shown["EvalDecisionDetails"] = {
            _LAYER_WORDS[layer.kind]: _WORDS[layer.outcome]
            for layer in decision.layers
            if layer.kind in _LAYER_WORDS
        }
    return shown


def _allowed(decisions: Iterable[Decision], kind: PolicyKind) -> bool:
    return all(layer.allows for one in decisions for layer in one.layers if layer.kind is kind)


def _bounds(decisions: Iterable[Decision]) -> dict[str, bool]:
    return {"AllowedByPermissionsBoundary": _allowed(decisions, PolicyKind.BOUNDARY)}


def _outcome(simulation: Simulation, decision: Decision) -> Outcome:
    """The decision; without a resource policy, only by the policies that are simulated.

    The simulator takes a role's trust policy, or a bucket's, for given unless it is told.
    """
    if simulation.resource is not None or not decision.layers:
        return decision.outcome
    own = [layer for layer in decision.layers if layer.kind not in _OF_RESOURCES]
    if any(layer.denies for layer in own):
        return Outcome.EXPLICITLY_DENIED
    allowed = all(layer.allows for layer in own)
    return Outcome.ALLOWED if allowed else Outcome.IMPLICITLY_DENIED


def _statements(simulation: Simulation, decision: Decision) -> list[_Statement]:
    return [
        _Statement(simulation.all_sources[read["policy"]], number, said)
        for layer in decision.as_dict()["layers"]
        for read in layer["policies"]
        for number, said in enumerate(read["statements"])
    ]


def _matched(read: Iterable[_Statement], outcome: Outcome) -> list[Members]:
    """The statements that decided: the matching Denies, or else the matching Allows."""
    if outcome is Outcome.IMPLICITLY_DENIED:
        return []
    wanted = "Allow" if outcome is Outcome.ALLOWED else "Deny"
    return [
        {
            "SourcePolicyId": source.identifier,
            "SourcePolicyType": _LAYER_WORDS.get(source.kind, "none"),
            "StartPosition": source.places[number][0],
            "EndPosition": source.places[number][1],
        }
        for source, number, said in read
        if said["matches"] and said["effect"] == wanted
    ]


def _missing(simulation: Simulation, read: Iterable[_Statement]) -> list[str]:
    """The condition keys that statements about this action name, and nobody gave."""
    given = {key.lower(): value for key, value in simulation.context.items()}
    known = {key for key, value in {**simulation.principal.context, **given}.items() if value}
    keys = {
        key
        for source, number, said in read
        if said.get("mismatch", {}).get("element") not in ("Action", "NotAction")
        for key in source.keys[number]
    }
    return sorted(key for key in keys if key.lower() not in known)


def _union(lists: Iterable[Sequence[Members]]) -> list[Members]:
    """The statements of all lists, each once, in their order."""
    places = {
        (said["SourcePolicyId"], *said["StartPosition"].values()): said
        for found in lists
        for said in found
    }
    return list(places.values())


# -- what a simulation is about: the policies that are given, or are the principal's already -----


def _require_caller(params: Params) -> None:
    """A resource's policy needs somebody to be its principal (IAM API Reference, "CallerArn")."""
    if params.get("ResourcePolicy") and not params.get("CallerArn"):
        raise faults.invalid_input("CallerArn is required if you include a ResourcePolicy.")


def _given(params: Params, name: str, kind: PolicyKind, called: str = "") -> list[Source]:
    """Policies that a parameter gives, called by it and their place in it, from 1."""
    texts = enumerate(params.get(name, ()), start=1)
    return [_source(f"{called or name}.{number}", text, kind) for number, text in texts]


def _attached_to(view: View, request: ApiRequest) -> tuple[list[Source], list[Source]]:
    """The identity-based policies and the boundary of the user, group or role with this ARN."""
    arn = request.params["PolicySourceArn"]
    match = _SOURCE.fullmatch(arn)
    if match is None or match[1] != request.account:
        raise faults.invalid_input(
            f"Invalid Entity Arn: {arn} does not clearly define entity type and name."
        )
    kind = _ENTITIES[match[2]]
    entity = lookups.existing(view, kind, request.account, match[3])
    holders: list[Identity] = [entity]
    if isinstance(entity, User):
        holders += lookups.groups_of(view, entity)
    sources = [source for holder in holders for source in _held(view, holder)]
    arn = "" if isinstance(entity, Group) else entity.boundary
    text = lookups.managed_text(view, entity.account, arn)
    if text is None:
        return sources, []
    return sources, [_source(arn, text, PolicyKind.BOUNDARY)]


def _keys_of(statement: Params) -> set[str]:
    conditions = statement.get("Condition", {})
    named = {key for operator in conditions.values() for key in operator}
    searched = [statement.get(element) for element in ("Resource", "NotResource", "Condition")]
    return named | {key.strip() for text in texts(searched) for key in _VARIABLE.findall(text)}


def _simulation(
    params: Params, caller: str, sources: list[Source], boundary: Sequence[Source]
) -> Simulation:
    bounds = _given(params, "PermissionsBoundaryPolicyInputList", PolicyKind.BOUNDARY)
    if len(bounds) > 1:
        raise faults.invalid_input("You can input only one permissions boundary.")
    text, owner = params.get("ResourcePolicy"), params.get("ResourceOwner") or ""
    if owner.startswith("arn:") and owner.count(":") >= _COLONS:
        owner = owner.split(":")[4]
    if not _SOURCE.fullmatch(caller):
        raise faults.invalid_input(f"Invalid CallerArn: {caller}")
    principal = Principal.from_arn(caller)
    unknown = dict.fromkeys(principal.context, ()) if principal.name == _NOBODY else {}
    context = {
        entry["ContextKeyName"]: _values(entry)
        for entry in params.get("ContextEntries", ())
        if "ContextKeyName" in entry
    }
    levels = params.get("OrderedOrganizationPolicyInputList", ())
    return Simulation(
        principal=principal,
        sources=[*sources, *_given(params, "PolicyInputList", PolicyKind.IDENTITY)],
        boundary=bounds or boundary,
        resource=_source("ResourcePolicy", text, PolicyKind.RESOURCE) if text else None,
        controls=[
            _given(level, "ServiceControlPolicyInputList", PolicyKind.SCP, f"SCP.{number}")
            for number, level in enumerate(levels, start=1)
        ],
        context={**unknown, **context},
        owner=owner or None,
    )


def _values(entry: Params) -> str | list[str]:
    values = list(entry.get("ContextKeyValues", ()))
    several = str(entry.get("ContextKeyType", "")).endswith("List") or len(values) != 1
    return values if several else str(values[0])


def _held(view: View, holder: Identity) -> Iterator[Source]:
    word = holder.table
    for name, text in sorted(holder.inline.items()):
        yield _source(f"{word}_{holder.name}_{name}", text, PolicyKind.IDENTITY)
    for arn in sorted(holder.attached):
        policy = lookups.find(view, ManagedPolicy, holder.account, arn)
        if policy is None:
            continue
        identifier = arn if policy.account == holder.account else policy.name
        yield _source(identifier, policy.document, PolicyKind.IDENTITY)


def _source(identifier: str, text: str, kind: PolicyKind) -> Source:
    try:
        return Source(identifier, kind, text, NamedPolicy(identifier, parse(text, kind)))
    except MalformedPolicy as error:
        raise faults.invalid_input(f"Policy {identifier} is not valid: {error.message}") from error


def places_of(text: str) -> list[Span]:
    """Begin and end of each statement of a valid policy document."""
    return [(_position(text, start), _position(text, end)) for start, end in _placed(text)]


def _placed(text: str) -> Iterator[tuple[int, int]]:
    at = _skip(text, 0) + 1  # behind the opening brace
    while text[_skip(text, at)] != "}":
        key, at = _DECODER.raw_decode(text, _skip(text, at))
        start = _skip(text, _skip(text, at) + 1)  # behind the colon
        _, at = _DECODER.raw_decode(text, start)
        if key == "Statement":
            yield from _elements(text, start, at)
        at = _skip(text, at)
        at += text[at] == ","


def _elements(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    if text[start] != "[":
        yield start, end
        return
    at = _skip(text, start + 1)
    while text[at] != "]":
        _, after = _DECODER.raw_decode(text, at)
        yield at, after
        at = _skip(text, after)
        at = _skip(text, at + (text[at] == ","))


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _position(text: str, at: int) -> dict[str, int]:
    return {"Line": text.count("\n", 0, at) + 1, "Column": at - text.rfind("\n", 0, at)}
