"""The policy simulator's operations (IAM API Reference, "SimulatePrincipalPolicy")."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import chain, count, pairwise
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from stslab.errors import MalformedPolicy
from stslab.policy import Decision, Policies, Principal, Request, authorize, catalogue
from stslab.policy.conditions import OPERATORS, address, moment, number
from stslab.policy.documents.document import NamedPolicy, load, parse
from stslab.policy.request import account_of, split_arn
from stslab.sandbox.api import faults, pages
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Params
from stslab.sandbox.iam import lookups
from stslab.sandbox.state.identities import Group, Identity, ManagedPolicy, Role, User
from stslab.sandbox.state.snapshot import View
from stslab.structures import listed, texts, without
from stslab.vocabulary import LATEST, Outcome, PolicyKind

_WORDS = {
    Outcome.EXPLICITLY_DENIED: "explicitDeny",
    Outcome.IMPLICITLY_DENIED: "implicitDeny",
    Outcome.ALLOWED: "allowed",
}
_SEVERITY = tuple(_WORDS.values())  # from the most restrictive to the least
_LAYER_WORDS = {
    PolicyKind.IDENTITY: "IAM Policy",
    PolicyKind.RESOURCE: "Resource Policy",
    PolicyKind.TRUST: "Resource Policy",
    PolicyKind.BOUNDARY: "Permissions Boundary Policy",
}
_RESOURCE_KINDS = (PolicyKind.RESOURCE, PolicyKind.TRUST)
_MOST_QUESTIONS = 10_000  # actions times resources; AWS documents no limit
_MOST_WORK = 20_000_000  # a few seconds
_VALUE_SIZE = 100  # how many characters of context cost as much as one more value
_SOURCE = re.compile(r"arn:aws:iam::(\d{12}):(user|group|role)/(?:[\x21-\x7e]*/)?([\w+=,.@-]+)")
_ENTITIES: Mapping[str, type[User | Group | Role]] = {"user": User, "group": Group, "role": Role}
_NOBODY = "STUB_PRINCIPAL_FOR_POLICY_SIMULATOR"  # AWS's user id, where no caller is given
_OF_NOBODY = dict.fromkeys(("aws:principalarn", "aws:principalisawsservice", "aws:username"), ())
_SID = re.compile(r'(?<="Sid")(\s*:\s*")((?:[^"\\\x00-\x1f]|\\.)*)')
_VARIABLE = re.compile(r"\$\{([?*$](?=\})|[^{}?*$,]+)(?:[?*$,][^{}]*)?\}")
_SIGNS = {"?", "*", "$"}  # which ${?} and the like stand for
_WHOLE = {"Action": "*", "Resource": "*"}
_UNREAD = {*_WHOLE, "NotAction", "NotResource", "Principal", "NotPrincipal", "Sid"}
_reads_binary = OPERATORS["binaryequals"].reads
_FORMATS: Mapping[str, tuple[Callable[[str], object], str]] = {
    "numeric": (lambda text: text == text.strip() and number(text) is not None, "numeric format"),
    "date": (moment, "DateTime format"),
    "ip": (lambda text: "%" not in text and address(text), "IP address"),
    "binary": (lambda text: _reads_binary(text, False), "base-64 encoded binary format"),
}
"""For each type of context values what reads them, and its name."""
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()

Span = tuple[dict[str, int], dict[str, int]]
"""The start and the end of a part of a text: lines and columns, from 1."""


class Source(msgspec.Struct, frozen=True, dict=True):
    """One policy of a simulation. ``identifier`` and ``kind`` name it in the results."""

    identifier: str
    kind: PolicyKind
    text: str
    policy: NamedPolicy

    @cached_property
    def places(self) -> list[Span]:
        return places_of(self.text)

    @cached_property
    def keys(self) -> set[str]:
        return _keys(self.policy.document.document)


class Simulation(NamedTuple):
    """What is the same for each action and resource; ``sources`` are by their policies' names."""

    asked: Request
    policies: Policies
    sources: Mapping[str, Source]


def get_context_keys_for_principal_policy(view: View, request: ApiRequest) -> Answer:
    attached, boundary = _attached_to(view, request)
    own = {(one.policy.name, one.text): one.keys for one in (*attached, *boundary)}
    given = map(_keys_of_text, request.params.get("PolicyInputList", ()), count(1))
    return {"ContextKeyNames": [key for keys in (*own.values(), *given) for key in sorted(keys)]}


get_context_keys_for_custom_policy = get_context_keys_for_principal_policy


def _keys_of_text(text: str, number: int) -> set[str]:
    """The keys of a policy that may lack statements, and actions, resources or their principals.

    What there is of these is not read, by public records of AWS's answers. The policy may be a
    bucket's, whose statements have any ids.
    """
    try:
        document = load(text)
        statements = listed(document.get("Statement"))
        read = [{**without(one, *_UNREAD), **_WHOLE} for one in statements]
        parse({**document, "Statement": read or {"Effect": "Deny", **_WHOLE}}, PolicyKind.SESSION)
    except (MalformedPolicy, AttributeError) as error:
        raise _invalid(f"PolicyInputList.{number}", error) from error
    return _keys({**document, "Statement": statements})


def _keys(document: Mapping[str, Any]) -> set[str]:
    """The condition keys of all statements, in their conditions or as variables."""
    statements = listed(document["Statement"])
    tests = [test for each in statements for test in each.get("Condition", {}).values()]
    searched: list[object] = []
    for each in statements if document.get("Version") == LATEST else ():
        searched += listed(each.get("Resource")) + listed(each.get("NotResource"))
        searched += texts(each.get("Condition"))
    variables = (_VARIABLE.findall(text) for text in searched if isinstance(text, str))
    return {key.strip() for keys in variables for key in keys}.union(*tests)


def simulate_principal_policy(view: View, request: ApiRequest) -> Answer:
    """The simulation includes the policies and the boundary of the user, group or role, if any."""
    params, simulation = request.params, _simulation(view, request)
    actions, resources = params["ActionNames"], params.get("ResourceArns") or ["*"]
    _check_work(simulation, len(actions) * len(resources))
    if not all(":" in action for action in actions):
        raise faults.invalid_input("The action is invalid since it is missing names")
    unknown = [action for action in actions if not catalogue.is_action(action)]
    if resources != ["*"] and 0 < len(unknown) < len(actions):
        known = ",".join(action for action in actions if action not in unknown)
        raise lookups.fault("actions apart", known=known, unknown=",".join(unknown))
    if "*" in resources and len(resources) > 1:
        raise lookups.fault("all and single")
    for resource in resources:
        arn = split_arn(resource)
        if resource != "*" and not (arn and arn.partition and arn.service and arn.resource):
            raise faults.invalid_input(f"ResourceNames are not in a valid ARN format: {resource}.")
    show = partial(_action, simulation, resources)
    return pages.page(request, "EvaluationResults", actions, show, None)


simulate_custom_policy = simulate_principal_policy


def _check_work(simulation: Simulation, questions: int) -> None:
    """Refuse a request that would take too long: each question reads all policies and context."""
    policies = sum(len(source.text) for source in simulation.sources.values())
    values = (value for given in simulation.asked.context.values() for value in listed(given))
    context = 1 + sum(1 + len(value) // _VALUE_SIZE for value in values)
    if questions > _MOST_QUESTIONS or questions * policies * context > _MOST_WORK:
        raise lookups.fault("too large")


def _action(simulation: Simulation, resources: Sequence[str], action: str) -> Answer:
    """The result of one action, for all resources together and for each of them."""
    asked, policies, _ = simulation

    def decided(resource: str) -> Decision:
        owner = asked.resource_account and (account_of(resource) or asked.resource_account)
        one = replace(asked, action=action, resource=resource, resource_account=owner)
        return authorize(one, policies)

    decisions = [decided(resource) for resource in resources]
    each = [_specific(simulation, decision) for decision in decisions]
    matched = {repr(row): row for one in each for row in one["MatchedStatements"]}
    general: Answer = {
        "EvalActionName": action,
        "EvalResourceName": resources[0] if len(resources) == 1 else "*",
        "EvalDecision": min((one["EvalResourceDecision"] for one in each), key=_SEVERITY.index),
        "MatchedStatements": [*matched.values()],
        "MissingContextValues": sorted({key for r in each for key in r["MissingContextValues"]}),
    }
    if policies.boundaries:
        allowed = _allowed(decisions, PolicyKind.BOUNDARY)
        general["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    if policies.scps:
        allowed = _allowed(decisions, PolicyKind.SCP)
        general["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": allowed}
    if resources != ["*"]:
        details = [item for one in each for item in one.get("EvalDecisionDetails", {}).items()]
        details.sort(key=lambda item: _SEVERITY.index(item[1]), reverse=True)
        if details or not any(map(_is_across, decisions)):
            general["EvalDecisionDetails"] = dict(details)  # of each kind the most restrictive
        shown = [{name: value for name, value in one.items() if value != []} for one in each]
        general["ResourceSpecificResults"] = shown
    return general


def _specific(simulation: Simulation, decision: Decision) -> Answer:
    outcome = _outcome(simulation, decision)
    result: Answer = {
        "EvalResourceName": decision.request.resource,
        "EvalResourceDecision": _WORDS[outcome],
        "MatchedStatements": _matched(simulation, decision, outcome),
        "MissingContextValues": _missing(simulation, decision, outcome),
    }
    if simulation.policies.boundaries:
        allowed = _allowed([decision], PolicyKind.BOUNDARY)
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    if _is_across(decision) and _allowed([decision], PolicyKind.SCP):
        result["EvalDecisionDetails"] = {
            _LAYER_WORDS[layer.kind]: _WORDS[layer.outcome]
            for layer in decision.layers
            if layer.kind in _LAYER_WORDS
        }
    return result


def _is_across(decision: Decision) -> bool:
    """Whether the resource belongs to another account."""
    return decision.request.resource_account not in (None, decision.request.principal.account)


def _allowed(decisions: Iterable[Decision], kind: PolicyKind) -> bool:
    return all(layer.allows for one in decisions for layer in one.layers if layer.kind is kind)


def _outcome(simulation: Simulation, decision: Decision) -> Outcome:
    """The outcome: the policy of a role or bucket counts only if the request passes it.

    A resource of another account (``ResourceOwner``) needs one.
    """
    if not catalogue.can_have(decision.request.action, decision.request.resource):
        return Outcome.IMPLICITLY_DENIED
    if simulation.policies.resource or _is_across(decision) or not decision.layers:
        return decision.outcome
    own = (layer.outcome for layer in decision.layers if layer.kind not in _RESOURCE_KINDS)
    return min(own, key=tuple(_WORDS).index)


def _matched(simulation: Simulation, decision: Decision, outcome: Outcome) -> list[Answer]:
    """The statements that decided: the matching Denies, or the Allows of the shown kinds."""
    if outcome is Outcome.IMPLICITLY_DENIED:
        return []
    denied = outcome is Outcome.EXPLICITLY_DENIED
    hidden = (PolicyKind.SCP,) if denied else (PolicyKind.SCP, PolicyKind.BOUNDARY)
    shown = [layer for layer in decision.layers if layer.kind not in hidden]
    found = []
    for reading in (reading for layer in shown for reading in layer.readings):
        source = simulation.sources[reading.policy.name]
        where = {"SourcePolicyId": source.identifier, "SourcePolicyType": _LAYER_WORDS[source.kind]}
        statements = reading.policy.document.statements
        for (start, end), statement in zip(source.places, statements, strict=True):
            if not reading.mismatch(statement) and not (denied and statement.allows):
                found.append({**where, "StartPosition": start, "EndPosition": end})
    return found


def _missing(simulation: Simulation, decision: Decision, outcome: Outcome) -> list[str]:
    """The condition keys without a value, of all statements, where none of them decided."""
    if outcome is not Outcome.IMPLICITLY_DENIED or not _allowed([decision], PolicyKind.SCP):
        return []
    sources = (one for one in simulation.sources.values() if one.kind is not PolicyKind.SCP)
    keys, context = {key for one in sources for key in one.keys}, decision.question.context
    return sorted(key for key in keys if key not in _SIGNS and not context.get(key.lower()))


# -- the inputs of a simulation: policies of the request, and of the principal -------------------


def _given(params: Params, name: str, kind: PolicyKind, called: str = "") -> list[Source]:
    """The policies in a parameter, identified by its name and their number in it, from 1."""
    texts = enumerate(params.get(name, ()), start=1)
    return [_source(f"{called or name}.{number}", text, kind) for number, text in texts]


def entity_of(view: View, account: str, arn: str) -> User | Group | Role | None:
    """The user, group or role with this ARN, whatever its path; None if the account has none.

    Raises InvalidInput for another ARN.
    """
    match = _SOURCE.fullmatch(arn)
    if match is None:
        raise faults.invalid_input(f"Invalid ARN provided in the request: {arn}")
    owner, kind, name = match.groups()
    return lookups.find(view, _ENTITIES[kind], account, name) if owner == account else None


def _attached_to(view: View, request: ApiRequest) -> tuple[list[Source], list[Source]]:
    """The identity-based policies, and the boundary, of the user, group or role in a request."""
    if "PolicySourceArn" not in request.params:
        return [], []
    source = request.params["PolicySourceArn"]
    entity, owner = entity_of(view, request.account, source), source.split(":")[4]
    if owner != request.account:
        raise lookups.fault("other account", account=request.account, owner=owner)
    if entity is None:
        raise faults.no_such("Unable to retrieve specified IAM entity.")
    holders: list[Identity] = [entity]
    if isinstance(entity, User):
        holders += lookups.groups_of(view, entity)
    sources = []
    for holder in holders:
        start = f"{holder.table}_{holder.name}"
        for name, text in sorted(holder.inline.items()):
            sources.append(_source(f"{start}_{name}", text, PolicyKind.IDENTITY))
        for arn in sorted(holder.attached):
            sources += _managed(view, holder.account, arn, PolicyKind.IDENTITY)
    return sources, [*_managed(view, entity.account, entity.boundary, PolicyKind.BOUNDARY)]


def _simulation(view: View, request: ApiRequest) -> Simulation:
    params, nobody = request.params, f"arn:aws:iam::{request.account}:user/policy-simulator"
    sources, boundary = _attached_to(view, request)
    caller = params.get("CallerArn", params.get("PolicySourceArn", ""))
    bounds = _given(params, "PermissionsBoundaryPolicyInputList", PolicyKind.BOUNDARY) or boundary
    if len(bounds) > 1:
        raise lookups.fault("several boundaries")
    text, owner = params.get("ResourcePolicy"), params.get("ResourceOwner")
    arn = split_arn(owner or "")
    if owner and arn is None:
        raise faults.invalid_input(f"'{owner}' is not a valid as a Resource Owner.")
    if text and not caller:  # whose principals are compared with the caller
        raise faults.invalid_input("CallerArn is required if you include a ResourcePolicy.")
    if not _SOURCE.fullmatch(caller or nobody):
        raise faults.invalid_input("Invalid caller - Caller must be an IAM user in this context.")
    by = re.sub("^([^/]*):group/", r"\1:user/group/", caller or nobody)  # no policy names a group
    principal = Principal.from_arn(by, user_id=caller if by == caller else _NOBODY)
    identity = [*sources, *_given(params, "PolicyInputList", PolicyKind.IDENTITY)]
    resource = [_source("ResourcePolicy", text, PolicyKind.RESOURCE)] if text else []
    for statement in (each for one in resource for each in one.policy.document.statements):
        if statement.principal and "Service" in dict(statement.principal.names or ()):
            raise faults.invalid_input("Principal of type Service is not supported")
    controls = [
        _given(level, "ServiceControlPolicyInputList", PolicyKind.SCP, called=f"SCP.{number}")
        for number, level in enumerate(params.get("OrderedOrganizationPolicyInputList", ()), 1)
    ]
    context = {**({} if by == caller else _OF_NOBODY), **_context(params.get("ContextEntries", ()))}
    account = arn.account if arn else text and principal.account
    return Simulation(
        Request(principal, "", "*", context, account or None),
        Policies(
            identity=[one.policy for one in identity],
            resource=resource[0].policy if resource else None,
            boundaries=[one.policy for one in bounds] or None,
            scps=[[one.policy for one in level] for level in controls],
        ),
        {one.policy.name: one for one in chain(identity, bounds, *controls, resource)},
    )


def _context(entries: Iterable[Params]) -> dict[str, str | list[str]]:
    context: dict[str, str | list[str]] = {}
    for entry in filter(None, entries):
        name, kind = str(entry.get("ContextKeyName", "")), str(entry.get("ContextKeyType", ""))
        values = [str(value) for value in entry.get("ContextKeyValues", ())]
        scalar = kind.removesuffix("List")
        reads, form = _FORMATS.get(scalar, (lambda _: True, ""))
        problems = {
            "ContextKeyName cannot be null or empty.": not name,
            f"Context key {name} has invalid type null.": not kind,
            f"Context values for context key {name} cannot be null or empty.": not values,
            f"Duplicate context key: {name}.": name.lower() in context,
            f"Invalid context value for key {name}: expected {form}.": not all(map(reads, values)),
            f"Context key {kind} expected a single value, but received {len(values)}.": (
                kind == scalar and len(values) > 1
            ),
        }
        for problem in (problem for problem, found in problems.items() if found):
            raise faults.invalid_input(problem)
        # A list of one is given twice: no set operator notices, and nothing takes it for a scalar.
        context[name.lower()] = values[0] if kind == scalar else values * 2
    return context


def _managed(view: View, account: str, arn: str, kind: PolicyKind) -> Iterator[Source]:
    if policy := lookups.find(view, ManagedPolicy, account, arn):
        yield _source(policy.name, policy.document, kind, unique=f"{kind} {arn}")


def _source(identifier: str, text: str, kind: PolicyKind, unique: str = "") -> Source:
    """The policy as this kind. ``unique`` replaces an identifier that two have."""
    # AWS's simulator does not check the characters of a Sid: hexadecimal digits stand for them.
    plain = _SID.sub(lambda sid: sid[1] + sid[2].encode("utf-8", "surrogatepass").hex(), text)
    try:
        return Source(identifier, kind, text, NamedPolicy(unique or identifier, parse(plain, kind)))
    except MalformedPolicy as error:
        raise _invalid(identifier, error) from error


def _invalid(identifier: str, error: Exception) -> ApiFault:
    listed_as, _, number = identifier.partition(".")
    if listed_as == "PolicyInputList":
        return faults.invalid_input(f"Policy input list item {number} has invalid content")
    return faults.invalid_input(f"Policy {identifier} is not valid: {error}")


def places_of(text: str) -> list[Span]:
    """The start and end of each statement in a valid document (AWS CLI Command Reference).

    The start is right after the list's bracket, the statement before, or a single one's brace.
    """
    spans: list[tuple[int, int]] = []
    for key, start, end in _parts(text, _skip(text, 0)):
        if key == "Statement" and text[start] == "[":
            spans += pairwise([start + 1, *(after for _, _, after in _parts(text, start))])
        elif key == "Statement":
            spans.append((start + 1, end))
    return [(_position(text, start), _position(text, end)) for start, end in spans]


def _parts(text: str, at: int) -> Iterator[tuple[object, int, int]]:
    """The key (None in a list), start and end of each part of the object or list that is there."""
    key, is_object = None, text[at] == "{"
    at = _skip(text, at + 1)
    while text[at] not in "]}":
        if is_object:
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)  # after the colon
        _, end = _DECODER.raw_decode(text, at)
        yield key, at, end
        at = _skip(text, end)
        at = _skip(text, at + (text[at] == ","))


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _position(text: str, at: int) -> dict[str, int]:
    return {"Line": text.count("\n", 0, at) + 1, "Column": at - text.rfind("\n", 0, at)}
