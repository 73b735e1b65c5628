"""The policy simulator's operations, answered by the engine that decides all requests.

IAM API Reference, "SimulatePrincipalPolicy" and "SimulateCustomPolicy".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from stslab.policy import Decision, Outcome, PolicyKind, Request, authorize
from stslab.sandbox.api import faults
from stslab.sandbox.api.model import Answer, ApiRequest, Params
from stslab.sandbox.iam import shapes, simulation_input
from stslab.sandbox.iam.shapes import Members
from stslab.sandbox.iam.simulation_input import Simulation, Source
from stslab.sandbox.state.snapshot import View

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


class _Statement(NamedTuple):
    """A statement that was read: its policy, its place in it from 0, and what it said."""

    source: Source
    number: int
    said: Members


@dataclass(frozen=True, slots=True)
class _Result:
    """What came of one action on one resource, as the answer has it."""

    resource: str
    decision: str
    matched: Sequence[Members]
    missing: Sequence[str]
    bounded: bool
    controlled: bool
    details: Mapping[str, str]


def simulate_custom_policy(_view: View, request: ApiRequest) -> Answer:
    return _simulate(simulation_input.custom(request), request.params)


def simulate_principal_policy(view: View, request: ApiRequest) -> Answer:
    return _simulate(simulation_input.of_principal(view, request), request.params)


def get_context_keys_for_custom_policy(_view: View, request: ApiRequest) -> Answer:
    return _context_keys(request, [])


def get_context_keys_for_principal_policy(view: View, request: ApiRequest) -> Answer:
    sources, _ = simulation_input.attached_to(view, request)
    return _context_keys(request, sources)


def _context_keys(request: ApiRequest, sources: Sequence[Source]) -> Answer:
    texts = request.params.get("PolicyInputList", ())
    more = simulation_input.given(texts, "PolicyInputList", PolicyKind.IDENTITY)
    return {"ContextKeyNames": simulation_input.context_keys([*sources, *more])}


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
    each = [_result(simulation, action, resource) for resource in resources]
    decisions = [found.decision for found in each]
    general: Members = {
        "EvalActionName": action,
        "EvalResourceName": resources[0] if len(resources) == 1 else "*",
        "EvalDecision": min(decisions, key=_SEVERITY.index),
        "MatchedStatements": _union(found.matched for found in each),
        "MissingContextValues": each[0].missing if resources == ["*"] else [],
    }
    if simulation.boundary:
        general["PermissionsBoundaryDecisionDetail"] = _bounds(all(f.bounded for f in each))
    if simulation.controls:
        allowed = all(found.controlled for found in each)
        general["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": allowed}
    if resources != ["*"]:
        general["ResourceSpecificResults"] = [_specific(simulation, found) for found in each]
    return general


def _specific(simulation: Simulation, found: _Result) -> Members:
    shown: Members = {
        "EvalResourceName": found.resource,
        "EvalResourceDecision": found.decision,
        "MatchedStatements": found.matched,
        "MissingContextValues": found.missing,
    }
    if simulation.boundary:
        shown["PermissionsBoundaryDecisionDetail"] = _bounds(found.bounded)
    if found.details:
        shown["EvalDecisionDetails"] = found.details
    return shown


def _bounds(allowed: bool) -> dict[str, bool]:
    return {"AllowedByPermissionsBoundary": allowed}


def _result(simulation: Simulation, action: str, resource: str) -> _Result:
    asked = Request(simulation.principal, action, resource, simulation.context, simulation.owner)
    decision = authorize(asked, simulation.policies)
    outcome = _outcome(simulation, decision)
    read = _statements(simulation, decision)
    layers = {layer.kind: layer for layer in decision.layers}
    return _Result(
        resource=resource,
        decision=_WORDS[outcome],
        matched=_matched(read, outcome),
        missing=_missing(simulation, read),
        bounded=PolicyKind.BOUNDARY not in layers or layers[PolicyKind.BOUNDARY].allows,
        controlled=all(one.allows for one in decision.layers if one.kind is PolicyKind.SCP),
        details=_details(simulation, decision),
    )


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
        _place(source, number)
        for source, number, said in read
        if said["matches"] and said["effect"] == wanted
    ]


def _place(source: Source, number: int) -> Members:
    start, end = source.places[number]
    return {
        "SourcePolicyId": source.identifier,
        "SourcePolicyType": source.kind,
        "StartPosition": start,
        "EndPosition": end,
    }


def _missing(simulation: Simulation, read: Iterable[_Statement]) -> list[str]:
    """The condition keys that statements about this action name, and nobody gave."""
    known = {key.lower() for key in simulation.context} | set(simulation.principal.context)
    keys = {
        key
        for source, number, said in read
        if said.get("mismatch", {}).get("element") not in ("Action", "NotAction")
        for key in source.keys[number]
    }
    return sorted(key for key in keys if key.lower() not in known)


def _details(simulation: Simulation, decision: Decision) -> dict[str, str]:
    """What each type of policy said, where the resource belongs to another account."""
    if simulation.owner in (None, simulation.principal.account):
        return {}
    return {
        _LAYER_WORDS[layer.kind]: _WORDS[layer.outcome]
        for layer in decision.layers
        if layer.kind in _LAYER_WORDS
    }


def _union(lists: Iterable[Sequence[Members]]) -> list[Members]:
    """The statements of all lists, each once, in their order."""
    places = {
        (said["SourcePolicyId"], *said["StartPosition"].values()): said
        for found in lists
        for said in found
    }
    return list(places.values())
