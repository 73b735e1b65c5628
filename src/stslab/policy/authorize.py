"""Combines all types of policies into one decision.

IAM User Guide, "Policy evaluation logic", "Cross-account policy evaluation logic", "Permissions
boundaries for IAM entities"; AWS Organizations, "SCP evaluation" and "RCP evaluation".
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from stslab.policy import catalogue
from stslab.policy.decision import WITH_ARTICLE, Decision, Layer, Question, layer, level_of
from stslab.policy.documents.document import NamedPolicy, parse
from stslab.policy.documents.statement import Level, Mismatch
from stslab.policy.request import Context, PrincipalKind, Request, split_arn
from stslab.structures import beside
from stslab.vocabulary import Outcome, PolicyKind

# Globals: a look at an enum's member costs a tenth of a microsecond, and each request needs many.
_ROOT, _FEDERATED_USER = PrincipalKind.ROOT, PrincipalKind.FEDERATED_USER
_UNNAMED, _ISSUER, _DIRECT = Level.NONE, Level.ISSUER, Level.DIRECT
_IDENTITY, _RESOURCE, _TRUST = PolicyKind.IDENTITY, PolicyKind.RESOURCE, PolicyKind.TRUST
_BOUNDARY, _SESSION = PolicyKind.BOUNDARY, PolicyKind.SESSION
_SCP, _RCP = PolicyKind.SCP, PolicyKind.RCP
_ALLOWED, _NOT_ALLOWED = Outcome.ALLOWED, Outcome.IMPLICITLY_DENIED
_DENIED = Outcome.EXPLICITLY_DENIED


class Policies(msgspec.Struct, frozen=True):
    identity: Sequence[NamedPolicy] = ()  # of the user and its groups, or of the role
    resource: NamedPolicy | None = None  # the resource's policy, or the role's trust policy
    boundaries: Sequence[NamedPolicy] | None = None  # None: no boundary; empty: allows nothing
    session: Sequence[NamedPolicy] | None = None  # None: no session policy; empty: allows nothing
    scps: Sequence[Sequence[NamedPolicy]] = ()  # by level of the organization, from the root
    rcps: Sequence[Sequence[NamedPolicy]] = ()  # by level of the organization, from the root

    def all(self) -> Iterator[NamedPolicy]:
        yield from self.identity
        if self.resource is not None:
            yield self.resource
        yield from self.boundaries or ()
        yield from self.session or ()
        for level in (*self.scps, *self.rcps):
            yield from level


class Layers(msgspec.Struct, frozen=True):
    """The result of each type of policy, in the order of evaluation."""

    controls: Sequence[Layer]
    resource: Layer
    identity: Sequence[Layer]  # empty for a principal without an account
    limits: Sequence[Layer]  # the boundary and the session policies, if any


def authorize(request: Request, policies: Policies) -> Decision:
    arn = split_arn(request.resource)
    bounded = policies.boundaries is not None
    if policies.resource and arn and arn.service == "execute-api":
        policies = replace(policies, resource=_of_api(policies.resource, request.resource))
    question = Question(request, request.action.lower(), Context(request), arn, bounded)
    if request.principal.kind in _UNCONTROLLED.get(question.action, ()):
        reason = f"no permissions are required to perform {request.action}"
        return Decision(_ALLOWED, reason, (), question)
    same_account = request.principal.member and request.owner == request.principal.account
    layers = _read_layers(question, policies, same_account=same_account)
    outcome, reason = _decide(question, layers, same_account=same_account)
    shown = (layers.resource,) if policies.resource is not None or layers.resource.blocks else ()
    told = [*layers.controls, *shown, *layers.identity, *layers.limits]
    return Decision(outcome, reason, told, question)


def _of_api(policy: NamedPolicy, resource: str) -> NamedPolicy:
    """An API's policy, its ARN for ``execute-api:/`` ("API Gateway resource policy examples")."""
    own = msgspec.json.encode(resource.partition("/")[0]).decode().removesuffix('"')
    text = policy.document.text().replace('"execute-api:/', f"{own}/")
    return NamedPolicy(policy.name, parse(text, _RESOURCE))


def _read_layers(question: Question, policies: Policies, *, same_account: bool) -> Layers:
    principal = question.request.principal
    kind = _TRUST if _is_trust(question) else _RESOURCE
    resource = layer(kind, (policies.resource,) if policies.resource else (), question)
    is_root, is_federated = principal.kind is _ROOT, principal.kind is _FEDERATED_USER
    recovers = is_root and same_account and resource.denies
    if recovers and question.action in beside(__file__, "actions.yaml")["root recovers"]:
        resource.outcome = _NOT_ALLOWED
        resource.note = "Its Deny does not apply to the account's root user."
    controls = _read_controls(question, policies) if policies.scps or policies.rcps else ()
    if not principal.member:
        return Layers(controls, resource, (), ())
    identity = layer(_IDENTITY, policies.identity, question)
    by_root = is_federated and principal.issuer.endswith(":root")
    if (is_root or by_root) and not identity.denies:
        identity.outcome = _ALLOWED
        identity.note = "The root user has full access."
    session = policies.session
    if session is None and is_federated:
        session = ()  # "Policy evaluation logic": without a session policy it has no permissions
    limits = []
    if policies.boundaries is not None:
        limits.append(layer(_BOUNDARY, policies.boundaries, question))
    if session is not None:
        limits.append(layer(_SESSION, session, question))
    return Layers(controls, resource, (identity,), limits)


def _read_controls(question: Question, policies: Policies) -> list[Layer]:
    """The organization's policies: SCPs limit an account's principals, RCPs its resources.

    Neither limits a service-linked role ("Service control policies (SCPs)", "Resource control
    policies (RCPs)"). RCPs only deny: RCPFullAWSAccess is always attached at every level.
    """
    principal, service = question.request.principal, question.action.partition(":")[0]
    exempt = principal.service_linked or service in catalogue.table("unrestricted")
    scps = enumerate(policies.scps if principal.member and not exempt else (), 1)
    controls = [layer(_SCP, level, question, number) for number, level in scps]
    if policies.rcps and not _exempt_from_resource_control(question):
        for number, level in enumerate(policies.rcps, 1):
            control = layer(_RCP, level, question, number)
            if control.outcome is _NOT_ALLOWED:
                control.outcome = _ALLOWED
                control.note = "RCPFullAWSAccess allows it."
            controls.append(control)
    return controls


def _decide(question: Question, layers: Layers, *, same_account: bool) -> tuple[Outcome, str]:
    """The outcome and its reason, worded as in "Troubleshoot access denied error messages"."""
    resource = layers.resource
    every = (*layers.controls, resource, *layers.identity, *layers.limits)
    denying = [one for one in every if one.denies]
    arn = question.arn  # "Policy evaluation logic": a key's and a role's policy must allow anyway
    is_key = arn is not None and arn.service == "kms" and arn.resource.startswith("key/")
    must_allow = not same_account or is_key or resource.kind is _TRUST
    closest = resource.closest if same_account and resource.readings else _UNNAMED
    if in_chain := _passes_identity_on(question):
        closest = min(closest, Level.ACCOUNT)
    needed = _needed(layers, closest, must_allow)
    refusing = [one for one in needed if not one.allows]
    if not denying and not refusing:
        if rule := _forbidden(question):
            return _NOT_ALLOWED, rule
        return _ALLOWED, _grant(layers, must_allow, question.request.action)
    if same_account and must_allow and not (closest or in_chain):
        needed = _needed_if_conditions_held(question, layers) or needed
        refusing = [one for one in needed if not one.allows]
    for each in (*refusing, *denying):
        each.blocks = True
    if denying:
        return _DENIED, f"with an explicit deny in {WITH_ARTICLE[denying[0].kind]}"
    return _NOT_ALLOWED, f"no {refusing[0].kind} allows the {question.request.action} action"


def _needed_if_conditions_held(question: Question, layers: Layers) -> list[Layer]:
    """The layers that would have to allow if the resource policy's conditions held; or none."""
    failing = layers.resource.statements(Mismatch.CONDITION, allows=True)
    named = (level_of(statement, question) for _, statement in failing)
    closest = max(named, default=Level.NONE)
    return [*_needed(layers, closest, must_allow=False), layers.resource] if closest else []


def _needed(layers: Layers, closest: Level, must_allow: bool) -> list[Layer]:
    """The layers that must allow; ``closest``: how closely the resource's policy grants.

    "Policy evaluation logic", table "Resource-based policies and implicit denies in other
    policy types (same account)".
    """
    needed = [*layers.controls]
    if not layers.identity:
        return [*needed, layers.resource]
    if closest < _ISSUER:
        needed += layers.identity
        if must_allow:
            needed.append(layers.resource)
    if closest < _DIRECT:
        needed += layers.limits
    return needed


def _grant(layers: Layers, must_allow: bool, action: str) -> str:
    granting = [WITH_ARTICLE[each.kind] for each in layers.identity if each.allows]
    if layers.resource.allows and (must_allow or layers.resource.closest > Level.ACCOUNT):
        granting.append(WITH_ARTICLE[layers.resource.kind])
    verb = "allows" if len(granting) == 1 else "allow"
    return f"{' and '.join(granting)} {verb} the {action} action"


# -- exceptions of single services, each documented by its service ------------------------------

# Actions that no policy can allow or deny, and for which principals.
_UNCONTROLLED: Final = {
    # "GetCallerIdentity", AWS STS API reference: no permissions are required, and an
    # explicit deny does not take the permission away.
    "sts:getcalleridentity": frozenset(PrincipalKind) - {PrincipalKind.ANONYMOUS},
    # "Permissions for GetSessionToken": policies can't control authentication operations.
    "sts:getsessiontoken": frozenset({PrincipalKind.USER, PrincipalKind.ROOT}),
}


def _is_trust(question: Question) -> bool:
    """Whether the request is decided by a role's trust policy."""
    arn = question.arn
    return arn is not None and arn.is_role and question.action.startswith("sts:")


def _passes_identity_on(question: Question) -> bool:
    """Whether a role passes a source identity on: its own policies must allow that too.

    "Monitor and control actions taken with assumed roles".
    """
    kinds = (PrincipalKind.ROLE, PrincipalKind.SESSION)
    return question.action == "sts:setsourceidentity" and question.request.principal.kind in kinds


def _exempt_from_resource_control(question: Question) -> bool:
    """Whether RCPs don't apply to the request ("Resource control policies (RCPs)").

    They do apply to actions without a resource ("Resource control policy examples" denies
    sts:GetAccessKeyInfo), but not to a service that assumes its service-linked role.
    """
    principal, arn = question.request.principal, question.arn
    by_service = principal.kind is PrincipalKind.SERVICE and _is_trust(question)
    return (
        principal.service_linked
        or question.action.partition(":")[0] not in catalogue.table("controlled")
        or question.action == "kms:retiregrant"
        or (by_service and arn is not None and arn.resource.startswith("role/aws-service-role/"))
    )


def _forbidden(question: Question) -> str:
    """Why AWS refuses a request that all policies allow; empty if it does not."""
    request, arn = question.request, question.arn
    principal, table = request.principal, beside(__file__, "actions.yaml")
    refused = table["refused"].get(question.action)
    if refused and principal.kind in refused:
        return str(refused[principal.kind])
    outside = request.owner != principal.account and principal.kind is not PrincipalKind.SERVICE
    if outside and question.action in table["own account only"]:
        return f"callers of another account may not perform {request.action}"
    if arn and principal.member and not principal.arn.startswith(f"arn:{arn.partition}:"):
        # "How IAM roles differ from resource-based policies": only within one partition.
        return f"{request.resource} is in another partition than {principal.arn}"
    reserved = table["reserved"].get(question.action)
    return str(reserved[1]) if reserved and re.fullmatch(reserved[0], request.resource) else ""
