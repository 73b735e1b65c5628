"""Decides cases for programs: a JSON object in, the decision with its reasons out as JSON."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from json import JSONEncoder
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, ValidationError, convert, json
from msgspec.structs import replace

from stslab.errors import MalformedPolicy, PolicyError
from stslab.policy.authorize import Policies, authorize
from stslab.policy.catalogue import suggestions
from stslab.policy.decision import Decision
from stslab.policy.documents.document import NamedPolicy, decode, json_problem, parse
from stslab.policy.patterns import remembered
from stslab.policy.request import Principal, PrincipalKind, Request, account_of, split_arn
from stslab.vocabulary import PolicyKind

_Text = Annotated[str, Meta(min_length=1)]
_Documents = list[Any] | None  # Policies, which are validated when they are parsed
_ESCAPED: Final = re.compile("[\ud800-\udfff]")  # Bytes that are not UTF-8, as Python escapes them
_PROVIDERS: Final = (":saml-provider/", ":oidc-provider/")
_FEDERATED_ACTIONS: Final = frozenset({"sts:assumerolewithwebidentity", "sts:assumerolewithsaml"})
_UNKNOWN: Final = re.compile("unknown field `([^`]*)`")  # in msgspec's message
_ACTION: Final = re.compile(r"[^:*?]+:[^:*?]+")
_ascii: Final = JSONEncoder(separators=(",", ":")).encode
_quickly: Final = json.Encoder().encode


class Case(Struct, forbid_unknown_fields=True):
    """A case to decide ("For programs" in docs/policy.md). Null is the same as a missing value."""

    principal: _Text  # an ARN, ``anonymous``, or the name of a service or an identity provider
    action: _Text
    resource: _Text
    id: object = None
    principal_is_service_linked: bool | None = None
    resource_account: Annotated[str, Meta(pattern=r"^[0-9]{12}\Z")] | None = None
    context: dict[str, object] | None = None
    identity_policies: _Documents = None  # each policy is a JSON object or its text
    resource_policy: Any = None
    permissions_boundaries: _Documents = None
    session_policies: _Documents = None
    service_control_policies: list[_Documents] | None = None  # a list for each level
    resource_control_policies: list[_Documents] | None = None


def decision(case: Mapping[str, object]) -> Decision:
    """The Decision of one case. PolicyError: the case, or a policy in it, can't be read."""
    parsed = read_case(case)
    return authorize(request(parsed), _policies(parsed))


def read_case(case: Mapping[str, object]) -> Case:
    try:
        return convert(case, Case)
    except ValidationError as error:
        unknown = _UNKNOWN.search(str(error))
        near = suggestions(unknown[1], Case.__struct_fields__) if unknown else ()
        meant = "".join(f" Did you mean {one!r}?" for one in near)
        raise PolicyError("The case can't be read.", f"{error}.{meant}") from error


def decide_lines(
    lines: Iterable[str], first: int = 1, *, decisions_only: bool = False
) -> Iterator[tuple[str, bool]]:
    """Decide JSON Lines one by one: (JSON text of the answer, whether the line could be read).

    An answer is ``{id, decision, reason, layers}``, with ``decisions_only`` without the last two,
    or ``{id, error}``. Empty lines are skipped; ``first`` is the number of the first line.
    """
    for number, line in enumerate(lines, first):
        if not line or line.isspace():
            continue
        case: Any = None
        try:
            case = _json(line)
            decided = decision(case)
            answer = {"decision": decided.outcome} if decisions_only else decided.as_dict()
            yield json_text({"id": case.get("id"), **answer}), True
            continue
        except PolicyError as error:
            problem = f"Line {number}: {_sentence(error)}"
        except (ValueError, RecursionError) as error:
            problem = f"Line {number} is not JSON: {json_problem(line, error)}."
        id_ = case.get("id") if isinstance(case, dict) else None
        yield json_text({"id": id_, "error": problem}), False


def decide_chunk(first: int, lines: Sequence[str], decisions_only: bool) -> tuple[str, bool]:
    """The same for several lines at once: (all answers, whether all could be read)."""
    answers = list(decide_lines(lines, first, decisions_only=decisions_only))
    return "\n".join(text for text, _ in answers), all(readable for _, readable in answers)


def _json(line: str) -> Any:
    """The JSON value in a line that was read with ``surrogateescape``."""
    if not line.isascii() and _ESCAPED.search(line):
        raise ValueError("it is not UTF-8")
    try:
        return decode(line)
    except MalformedPolicy as error:
        raise PolicyError("Syntax errors in the case.", error.hint) from error


def json_text(value: object) -> str:
    """A JSON value in one line of ASCII."""
    try:
        written = _quickly(value)
    except (UnicodeEncodeError, OverflowError):  # an unpaired surrogate; a very long number
        return _ascii(value)
    return written.decode() if written.isascii() else _ascii(value)


def _sentence(error: PolicyError) -> str:
    """The message with its hint. IAM's own messages may lack a full stop."""
    if not error.hint:
        return error.message
    stop = "" if error.message.endswith(".") else ":"
    return f"{error.message}{stop} {error.hint}"


def request(case: Case) -> Request:
    if not _ACTION.fullmatch(case.action):
        fix = "Give one action without wildcards, such as s3:GetObject."
        raise PolicyError(f"{case.action!r} is not an action of the form service:Operation.", fix)
    if case.resource != "*" and not case.resource.startswith("arn:"):
        fix = "Give an ARN, such as arn:aws:s3:::bucket/key, or * for an action without a resource."
        raise PolicyError(f"{case.resource!r} is not an ARN.", fix)
    given = (case.context or {}).items()
    context = {key: one if isinstance(one, str) else _texts(key, one) for key, one in given}
    # Policies may name the principal by its unique id, which is in the context.
    named = context.items()
    ids = [one for key, one in named if key.lower() == "aws:userid" and isinstance(one, str)]
    federated = case.action.lower() in _FEDERATED_ACTIONS
    linked = bool(case.principal_is_service_linked)
    principal = read_principal(case.principal, federated, linked, ids[0] if ids else "")
    return Request(principal, case.action, case.resource, context, case.resource_account)


def read_principal(text: str, federated: bool, service_linked: bool, user_id: str) -> Principal:
    """The principal of a case: a host is a service, or with ``federated`` an identity provider.

    A federated user's issuer is assumed to be the user of that name. PolicyError: it is nobody.
    """
    principal = _named_principal(text, federated, service_linked)
    return replace(principal, user_id=user_id) if user_id and principal.member else principal


@remembered(4096)
def _named_principal(text: str, federated: bool, service_linked: bool) -> Principal:
    if text == "anonymous":
        return Principal(PrincipalKind.ANONYMOUS, "anonymous")
    if any(each in text for each in _PROVIDERS):
        return Principal(PrincipalKind.PROVIDER, text, account_of(text) or "")
    if ":" in text or "." not in text:
        user = text.replace(":sts:", ":iam:").replace(":federated-user/", ":user/")
        issuer = user if ":federated-user/" in text else ""
        return Principal.from_arn(text, service_linked=service_linked, issuer=issuer)
    return Principal(PrincipalKind.PROVIDER if federated else PrincipalKind.SERVICE, text)


def _texts(key: str, value: object) -> str | list[str]:
    return [_text(key, each) for each in value] if isinstance(value, list) else _text(key, value)


def _text(key: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value).lower()
    raise PolicyError(f"The context key {key!r} must have a text or a list of texts.")


def _policies(case: Case) -> Policies:
    """The policies of a case; an empty list is the same as a missing one."""
    shared = None
    if case.resource_policy is not None:
        kind = kind_of_resource_policy(case.resource)
        shared = _named_policy(str(kind), case.resource_policy, kind)
    return Policies(
        _numbered(case.identity_policies, PolicyKind.IDENTITY),
        shared,
        _numbered(case.permissions_boundaries, PolicyKind.BOUNDARY) or None,
        _numbered(case.session_policies, PolicyKind.SESSION) or None,
        [_numbered(each, PolicyKind.SCP) for each in case.service_control_policies or ()],
        [_numbered(each, PolicyKind.RCP) for each in case.resource_control_policies or ()],
    )


def kind_of_resource_policy(resource: str) -> PolicyKind:
    """A role's is its trust policy ("IAM role trust policies"), others are resource-based."""
    arn = split_arn(resource)
    return PolicyKind.TRUST if arn is not None and arn.is_role else PolicyKind.RESOURCE


def _numbered(documents: _Documents, kind: PolicyKind) -> list[NamedPolicy]:
    return [_named_policy(f"{kind} {at}", one, kind) for at, one in enumerate(documents or (), 1)]


def _named_policy(name: str, document: Any, kind: PolicyKind) -> NamedPolicy:
    try:
        return NamedPolicy(name, parse(document, kind))
    except PolicyError as error:
        raise PolicyError(f"The {name} is malformed: {error.message}", error.hint) from error
