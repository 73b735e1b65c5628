"""The policy simulator's operations, answered by the engine that decides all requests.

IAM API Reference, "SimulatePrincipalPolicy" and "SimulateCustomPolicy".
"""

from collections.abc import Iterable, Sequence
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
