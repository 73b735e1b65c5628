"""How the types of policies combine into one decision.

"Policy evaluation logic", "Cross-account policy evaluation logic", "Permissions boundaries for
IAM entities", "SCP evaluation" and "RCP evaluation".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stslab.policy import arn as arns
from stslab.policy import services
from stslab.policy.context import Context, Request
from stslab.policy.decision import Decision, denied_explicitly, denied_implicitly, with_article
from stslab.policy.document import NamedPolicy
from stslab.policy.matching import Level
from stslab.policy.principal import PrincipalKind
from stslab.policy.reading import Layer, Question, layer, read, read_naming
from stslab.policy.vocabulary import Outcome, PolicyKind


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies that apply to a request.

    ``identity``: of the user and its groups, or of the role. ``resource``: the resource's own,
    or the role's trust policy. ``boundaries`` and ``session``: None where there are none; an
    empty sequence is a boundary that allows nothing. ``scps`` and ``rcps``: the policies of
    each level of the organization, from its root to the account.
    """

    identity: Sequence[NamedPolicy] = ()
    resource: NamedPolicy | None = None
    boundaries: Sequence[NamedPolicy] | None = None
    session: Sequence[NamedPolicy] | None = None
    scps: Sequence[Sequence[NamedPolicy]] = ()
    rcps: Sequence[Sequence[NamedPolicy]] = ()


@dataclass(slots=True)
class _Layers:
    """What each type of policy said; None where the type does not apply."""

    controls: list[Layer]
    resource: Layer
    identity: Layer | None
    boundary: Layer | None
    session: Layer | None

    def all(self) -> list[Layer]:
        """In the order in which they are considered."""
        own = (self.identity, self.boundary, self.session)
        return [*self.controls, self.resource, *(each for each in own if each is not None)]


@dataclass(frozen=True, slots=True)
class _Setting:
    """What is known of a request before any policy is read."""

    same_account: bool
    resource_must_allow: bool
    resource_kind: PolicyKind
    unlimited: bool


def authorize(request: Request, policies: Policies) -> Decision:
    """Decide ``request`` as IAM documents it."""
    action = request.action.lower()
    question = Question(request, action, Context(request), bounded=policies.boundaries is not None)
    if services.needs_no_permission(request, action):
        reason = f"no permissions are required to perform {request.action}"
        return Decision(Outcome.ALLOWED, reason, (), question)
    setting = _setting(question)
    layers = _read_layers(question, policies, setting)
    outcome, reason = _decide(question, layers, setting)
    return Decision(outcome, reason, layers.all(), question)


def _setting(question: Question) -> _Setting:
    request = question.request
    principal = request.principal
    account = request.resource_account or arns.account_of(request.resource) or principal.account
    same = principal.member and account == principal.account
    trust = services.is_trust(request, question.action)
    return _Setting(
        same_account=same,
        resource_must_allow=not same or services.resource_policy_must_allow(question),
        resource_kind=PolicyKind.TRUST if trust else PolicyKind.RESOURCE,
        unlimited=principal.unlimited,
    )


def _read_layers(question: Question, policies: Policies, setting: _Setting) -> _Layers:
    principal = question.request.principal
    resource = _read_resource(question, policies.resource, setting)
    controls = _read_controls(question, policies)
    if not principal.member:
        return _Layers(controls, resource, None, None, None)
    identity = _read_all(PolicyKind.IDENTITY, policies.identity, question)
    if setting.unlimited and not identity.denies:
        identity = _unlimited_identity(identity)
    return _Layers(
        controls,
        resource,
        identity,
        _read_limit(PolicyKind.BOUNDARY, policies.boundaries, question),
        _read_limit(PolicyKind.SESSION, _session_policies(question, policies), question),
    )


def _read_resource(question: Question, policy: NamedPolicy | None, setting: _Setting) -> Layer:
    readings = [] if policy is None else [read_naming(policy, question)]
    found = layer(setting.resource_kind, readings)
    if found.denies and services.root_overrides(question, same_account=setting.same_account):
        return layer(setting.resource_kind, [], note="The account's root user overrides it.")
    return found


def _read_controls(question: Question, policies: Policies) -> list[Layer]:
    """Service control policies limit an account's principals, resource control policies its
    resources; neither limits a service-linked role.
    """
    principal = question.request.principal
    controls = []
    if principal.member and not principal.service_linked:
        controls += [
            _read_all(PolicyKind.SCP, level, question, number)
            for number, level in enumerate(policies.scps, 1)
        ]
    if not services.exempt_from_resource_control(question):
        controls += [
            _read_rcps(level, question, number) for number, level in enumerate(policies.rcps, 1)
        ]
    return controls


def _read_rcps(policies: Sequence[NamedPolicy], question: Question, number: int) -> Layer:
    """RCPFullAWSAccess is at every level and can't be detached: they can only deny."""
    found = _read_all(PolicyKind.RCP, policies, question, number)
    if found.outcome is Outcome.IMPLICITLY_DENIED:
        found.outcome = Outcome.ALLOWED
        found.note = "RCPFullAWSAccess allows it."
    return found


def _read_all(
    kind: PolicyKind, policies: Iterable[NamedPolicy], question: Question, level: int = 0
) -> Layer:
    return layer(kind, [read(policy, question) for policy in policies], level)


def _read_limit(
    kind: PolicyKind, policies: Sequence[NamedPolicy] | None, question: Question
) -> Layer | None:
    return None if policies is None else _read_all(kind, policies, question)


def _session_policies(question: Question, policies: Policies) -> Sequence[NamedPolicy] | None:
    """Without a session policy a federated user's session has no permissions."""
    if policies.session is None and question.request.principal.kind is PrincipalKind.FEDERATED_USER:
        return ()
    return policies.session


def _unlimited_identity(identity: Layer) -> Layer:
    found = layer(identity.kind, identity.readings, note="The root user has full access.")
    found.outcome = Outcome.ALLOWED
    return found


def _decide(question: Question, layers: _Layers, setting: _Setting) -> tuple[Outcome, str]:
    denying = [each for each in layers.all() if each.denies]
    if denying:
        for each in denying:
            each.blocks = True
        return Outcome.EXPLICITLY_DENIED, denied_explicitly(denying[0].kind)
    missing = _missing(question, layers, setting)
    for each in missing:
        each.blocks = True
    action = question.request.action
    if missing:
        return Outcome.IMPLICITLY_DENIED, denied_implicitly(missing[0].kind, action)
    forbidden = services.forbidden(question)
    if forbidden:
        return Outcome.IMPLICITLY_DENIED, forbidden
    return Outcome.ALLOWED, _grant(layers, setting, action)


def _missing(question: Question, layers: _Layers, setting: _Setting) -> list[Layer]:
    """The layers that would have to allow, and do not; the first gives the reason."""
    missing = [each for each in layers.controls if not each.allows]
    needed = _needed(layers, setting)
    missing += [each for each in needed if each is not None and not each.allows]
    return missing


def _needed(layers: _Layers, setting: _Setting) -> list[Layer | None]:
    """The layers that must allow: what the resource's policy grants decides which.

    "Policy evaluation logic", table "Resource-based policies and implicit denies in other
    policy types (same account)".
    """
    if layers.identity is None:
        return [layers.resource]
    own = [layers.identity, layers.boundary, layers.session]
    if not setting.same_account:
        return [layers.identity, layers.resource, layers.boundary, layers.session]
    closest = layers.resource.closest
    if closest >= Level.DIRECT:
        return []
    if closest is Level.ISSUER:
        return own[1:]
    if setting.resource_must_allow:
        return [layers.identity, layers.resource, *own[1:]]
    return list(own)


def _grant(layers: _Layers, setting: _Setting, action: str) -> str:
    granting = [
        each.kind
        for each in (layers.identity, layers.resource)
        if each is not None and each.allows and _counts(each, layers, setting)
    ]
    verb = "allows" if len(granting) == 1 else "allow"
    return f"{' and '.join(map(with_article, granting))} {verb} the {action} action"


def _counts(each: Layer, layers: _Layers, setting: _Setting) -> bool:
    """An Allow for the whole account counts only where the resource's policy must allow."""
    if each is layers.resource and each.closest is Level.ACCOUNT:
        return setting.resource_must_allow
    return True
