"""The policy simulator's operations, answered by the engine that decides all requests.

IAM API Reference, "SimulatePrincipalPolicy" and "SimulateCustomPolicy".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stslab.policy import Decision, Outcome, PolicyKind, Request, authorize
from stslab.policy.principal import derived_context
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam import faults, paging
from stslab.sandbox.iam.policies import positions, simulation_input
from stslab.sandbox.iam.policies.simulation_input import Simulation, Source
from stslab.sandbox.saved.account import World

Answer = Mapping[str, Any]

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


def simulate_custom_policy(_world: World, request: ApiRequest) -> Answer:
    """SimulateCustomPolicy."""
    return _simulate(simulation_input.custom(request), request.params)


def simulate_principal_policy(world: World, request: ApiRequest) -> Answer:
    """SimulatePrincipalPolicy."""
    return _simulate(simulation_input.of_principal(world, request), request.params)


def get_context_keys_for_custom_policy(_world: World, request: ApiRequest) -> Answer:
    """GetContextKeysForCustomPolicy."""
    return _context_keys(request, [])


def get_context_keys_for_principal_policy(world: World, request: ApiRequest) -> Answer:
    """GetContextKeysForPrincipalPolicy."""
    sources, _ = simulation_input.attached_to(world, request, request.params["PolicySourceArn"])
    return _context_keys(request, sources)


def _context_keys(request: ApiRequest, sources: Sequence[Source]) -> Answer:
    texts = request.params.get("PolicyInputList", ())
    more = simulation_input.given(texts, "PolicyInputList", PolicyKind.IDENTITY)
    policies = [source.policy for source in (*sources, *more)]
    return {"ContextKeyNames": simulation_input.context_keys(policies)}


def _simulate(simulation: Simulation, params: Mapping[str, Any]) -> Answer:
    resources = params.get("ResourceArns") or ["*"]
    results = [_action(simulation, action, resources) for action in params["ActionNames"]]
    return paging.page("EvaluationResults", results, params)


def _action(simulation: Simulation, action: str, resources: Sequence[str]) -> dict[str, Any]:
    """The result of one action: of all resources together, and of each."""
    service, _, name = action.partition(":")
    if not service or not name or {"*", "?"} & set(action):
        raise faults.invalid_input(f"Invalid action name: {action}")
    each = [_result(simulation, action, resource) for resource in resources]
    decisions = [found["decision"] for found in each]
    general = {
        "EvalActionName": action,
        "EvalResourceName": resources[0] if len(resources) == 1 else "*",
        "EvalDecision": min(decisions, key=_SEVERITY.index),
        "MatchedStatements": _union(found["matched"] for found in each),
        "MissingContextValues": each[0]["missing"] if resources == ["*"] else [],
    }
    if simulation.boundary:
        general["PermissionsBoundaryDecisionDetail"] = _bounds(all(f["bounded"] for f in each))
    if simulation.controls:
        allowed = all(found["controlled"] for found in each)
        general["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": allowed}
    if resources != ["*"]:
        pairs = zip(resources, each, strict=True)
        general["ResourceSpecificResults"] = [
            _specific(simulation, resource, found) for resource, found in pairs
        ]
    return general


def _specific(simulation: Simulation, resource: str, found: Mapping[str, Any]) -> dict[str, Any]:
    shown = {
        "EvalResourceName": resource,
        "EvalResourceDecision": found["decision"],
        "MatchedStatements": found["matched"],
        "MissingContextValues": found["missing"],
    }
    if simulation.boundary:
        shown["PermissionsBoundaryDecisionDetail"] = _bounds(found["bounded"])
    if found["details"]:
        shown["EvalDecisionDetails"] = found["details"]
    return shown


def _bounds(allowed: object) -> dict[str, bool]:
    return {"AllowedByPermissionsBoundary": bool(allowed)}


def _result(simulation: Simulation, action: str, resource: str) -> dict[str, Any]:
    asked = Request(simulation.principal, action, resource, simulation.context, simulation.owner)
    decision = authorize(asked, simulation.policies)
    outcome = _outcome(simulation, decision)
    layers = {layer.kind: layer for layer in decision.layers}
    return {
        "decision": _WORDS[outcome],
        "matched": _matched(simulation, decision, outcome),
        "missing": _missing(simulation, decision),
        "bounded": PolicyKind.BOUNDARY not in layers or layers[PolicyKind.BOUNDARY].allows,
        "controlled": all(one.allows for one in decision.layers if one.kind is PolicyKind.SCP),
        "details": _details(simulation, decision),
    }


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


_OF_RESOURCES = (PolicyKind.RESOURCE, PolicyKind.TRUST)


def _matched(simulation: Simulation, decision: Decision, outcome: Outcome) -> list[dict[str, Any]]:
    """The statements that decided: the matching Denies, or else the matching Allows."""
    if outcome is Outcome.IMPLICITLY_DENIED:
        return []
    wanted = "Allow" if outcome is Outcome.ALLOWED else "Deny"
    return [
        _place(source, number)
        for source, number, said in _statements(simulation, decision)
        if said["matches"] and said["effect"] == wanted
    ]


def _statements(
    simulation: Simulation, decision: Decision
) -> Iterator[tuple[Source, int, Mapping[str, Any]]]:
    """Each statement that was read: its policy, its place in it from 0, what it said."""
    sources = {source.policy.name: source for source in simulation.all_sources}
    for layer in decision.as_dict()["layers"]:
        for read in layer["policies"]:
            for number, said in enumerate(read["statements"]):
                yield sources[read["policy"]], number, said


def _place(source: Source, number: int) -> dict[str, Any]:
    start, end = positions.of_statements(source.text)[number]
    return {
        "SourcePolicyId": source.identifier,
        "SourcePolicyType": source.kind,
        "StartPosition": start,
        "EndPosition": end,
    }


def _missing(simulation: Simulation, decision: Decision) -> list[str]:
    """The condition keys that statements about this action name, and nobody gave."""
    known = {key.lower() for key in simulation.context} | set(derived_context(simulation.principal))
    keys = {
        key
        for source, number, said in _statements(simulation, decision)
        if said.get("mismatch", {}).get("element") not in ("Action", "NotAction")
        for key in simulation_input.statement_keys(
            simulation_input.statements(source.policy)[number]
        )
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


def _union(lists: Any) -> list[dict[str, Any]]:
    together: list[dict[str, Any]] = []
    for found in lists:
        together += [statement for statement in found if statement not in together]
    return together


HANDLERS = {
    "SimulateCustomPolicy": simulate_custom_policy,
    "SimulatePrincipalPolicy": simulate_principal_policy,
    "GetContextKeysForCustomPolicy": get_context_keys_for_custom_policy,
    "GetContextKeysForPrincipalPolicy": get_context_keys_for_principal_policy,
}
