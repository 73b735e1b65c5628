"""What a simulation is about: the policies that are given, or are the principal's already."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from stslab.errors import MalformedPolicy
from stslab.policy import NamedPolicy, Policies, PolicyKind, Principal, parse
from stslab.sandbox.api import faults
from stslab.sandbox.api.model import ApiRequest, Params
from stslab.sandbox.iam import lookups
from stslab.sandbox.state.identities import Group, Identity, ManagedPolicy, Role, User
from stslab.sandbox.state.snapshot import View
from stslab.structures import listed, texts

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


def custom(request: ApiRequest) -> Simulation:
    params = request.params
    _require_caller(params)
    nobody = f"arn:aws:iam::{request.account}:user/{_NOBODY}"
    return _simulation(params, params.get("CallerArn", nobody), [], ())


def of_principal(view: View, request: ApiRequest) -> Simulation:
    """The input of SimulatePrincipalPolicy: with the entity's own policies and boundary."""
    params = request.params
    if params.get("PolicyExclusionList"):
        raise faults.invalid_input("The sandbox does not support PolicyExclusionList.")
    arn = params["PolicySourceArn"]
    if ":user/" not in arn:
        _require_caller(params)
    sources, boundary = attached_to(view, request)
    caller = params.get("CallerArn", arn)
    if ":group/" in caller:
        caller = f"arn:aws:iam::{request.account}:user/{_NOBODY}"
    return _simulation(params, caller, sources, boundary)


def _require_caller(params: Params) -> None:
    """A resource's policy needs somebody to be its principal (IAM API Reference, "CallerArn")."""
    if params.get("ResourcePolicy") and not params.get("CallerArn"):
        raise faults.invalid_input("CallerArn is required if you include a ResourcePolicy.")


def given(texts: Sequence[str], name: str, kind: PolicyKind) -> list[Source]:
    """Policies that a parameter gives, called by it and their place in it, from 1."""
    return [_source(f"{name}.{number}", text, kind) for number, text in enumerate(texts, start=1)]


def attached_to(view: View, request: ApiRequest) -> tuple[list[Source], list[Source]]:
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
    bounds = given(
        params.get("PermissionsBoundaryPolicyInputList", ()),
        "PermissionsBoundaryPolicyInputList",
        PolicyKind.BOUNDARY,
    )
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
    return Simulation(
        principal=principal,
        sources=[
            *sources,
            *given(params.get("PolicyInputList", ()), "PolicyInputList", PolicyKind.IDENTITY),
        ],
        boundary=bounds or boundary,
        resource=_source("ResourcePolicy", text, PolicyKind.RESOURCE) if text else None,
        controls=[
            given(level.get("ServiceControlPolicyInputList", ()), f"SCP.{number}", PolicyKind.SCP)
            for number, level in enumerate(
                params.get("OrderedOrganizationPolicyInputList", ()), start=1
            )
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
