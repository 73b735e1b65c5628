"""Decisions for programs: a case in, what was decided and why out, both JSON values."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

from stslab.errors import MalformedPolicy, PolicyError
from stslab.policy import arn as arns
from stslab.policy.authorize import Policies, authorize
from stslab.policy.context import Request
from stslab.policy.decision import Decision
from stslab.policy.documents.document import NamedPolicy
from stslab.policy.documents.parser import decode, json_problem, parse
from stslab.policy.principal import Principal
from stslab.policy.remembered import remembered
from stslab.policy.vocabulary import PolicyKind

_FIELDS: Final = frozenset(
    {
        "id",
        "principal",
        "principal_is_service_linked",
        "action",
        "resource",
        "resource_account",
        "context",
        "identity_policies",
        "resource_policy",
        "permissions_boundaries",
        "session_policies",
        "service_control_policies",
        "resource_control_policies",
    }
)
_ESCAPED: Final = re.compile("[\ud800-\udfff]")
"""What is left of bytes that are no UTF-8."""
_PROVIDERS: Final = (":saml-provider/", ":oidc-provider/")
_FEDERATED_ACTIONS: Final = frozenset({"sts:assumerolewithwebidentity", "sts:assumerolewithsaml"})


def decide(case: Mapping[str, Any]) -> dict[str, Any]:
    """Decide one case: ``{id, decision, reason, layers}``, or ``{id, error}``.

    The case has ``principal`` (an ARN, ``anonymous``, a service's or an identity provider's
    name), ``action`` and ``resource``, and may have ``id``, ``principal_is_service_linked``,
    ``resource_account``, ``context`` ({key: value or list}), ``identity_policies``,
    ``resource_policy``, ``permissions_boundaries``, ``session_policies``, and
    ``service_control_policies`` and ``resource_control_policies``, lists of policies for each
    level of the organization. A policy is a JSON object, or its text.
    """
    identifier = None
    try:
        identifier = _object(case).get("id")
        return {"id": identifier, **decision(case).as_dict()}
    except PolicyError as error:
        return {"id": identifier, "error": _sentence(error)}


def decision(case: Mapping[str, Any]) -> Decision:
    """The Decision of one case.

    Raises:
        PolicyError: the case, or a policy in it, can't be read.
    """
    if not case.keys() <= _FIELDS:
        unknown = min(case.keys() - _FIELDS, key=str)
        raise PolicyError(f"A case has no field {unknown!r}.")
    return authorize(_request(case), _policies(case))


def decide_lines(
    lines: Iterable[str], first: int = 1, *, decisions_only: bool = False
) -> Iterator[tuple[str, bool]]:
    """Decide JSON Lines, one by one, as they come: (JSON text, whether it could be read).

    Empty lines are passed over; ``first`` is the number of the first. With ``decisions_only``
    reasons and layers are left out.
    """
    for number, line in enumerate(lines, first):
        if line and not line.isspace():
            yield _decide_line(line, number, decisions_only=decisions_only)


def decide_chunk(first: int, lines: Sequence[str], decisions_only: bool) -> tuple[str, bool]:
    """The same of several lines at once: (all answers, whether all could be read)."""
    found = list(decide_lines(lines, first, decisions_only=decisions_only))
    return "\n".join(text for text, _ in found), all(readable for _, readable in found)


def _decide_line(line: str, number: int, *, decisions_only: bool) -> tuple[str, bool]:
    identifier = None
    try:
        case = _object(_json(line))
        identifier = case.get("id")
        decided = decision(case)
        told = {"decision": decided.outcome} if decisions_only else decided.as_dict()
        return json_text({"id": identifier, **told}), True
    except PolicyError as error:
        problem = _sentence(error)
    except (ValueError, RecursionError) as error:
        problem = f"Line {number} is no JSON: {json_problem(line, error)}."
    return json_text({"id": identifier, "error": problem}), False


def _json(line: str) -> Any:
    """The value in a line that was read with its bytes escaped (``surrogateescape``)."""
    if not line.isascii() and _ESCAPED.search(line):
        raise ValueError("it is not UTF-8")
    try:
        return decode(line)
    except MalformedPolicy as error:
        raise PolicyError("Syntax errors in the case.", error.hint) from error


_ascii: Final = json.JSONEncoder(separators=(",", ":")).encode


def json_text(value: object) -> str:
    """A JSON value in one line of ASCII."""
    try:
        written = _encoder()(value)
    except (UnicodeEncodeError, OverflowError):  # a surrogate without its pair; a very long number
        return _ascii(value)
    return written.decode() if written.isascii() else _ascii(value)


@cache
def _encoder() -> Callable[[object], bytes]:
    """The one that takes a fifth of the time of Python's own."""
    import msgspec

    return msgspec.json.Encoder().encode


def _object(case: object) -> Mapping[str, Any]:
    if not isinstance(case, dict):
        raise PolicyError("A case is a JSON object.")
    return case


def _sentence(error: PolicyError) -> str:
    """The message may be IAM's, which need not end with a full stop."""
    if not error.hint:
        return error.message
    stop = "" if error.message.endswith(".") else ":"
    return f"{error.message}{stop} {error.hint}"


def _text(case: Mapping[str, Any], field: str) -> str:
    value = case.get(field)
    if not isinstance(value, str) or not value:
        problem = "has no" if value is None else "has an unusable"
        raise PolicyError(f"The case {problem} {field!r}: it is a text.")
    return value


def _request(case: Mapping[str, Any]) -> Request:
    action = _text(case, "action")
    federated = _is_federated(action)
    account = case.get("resource_account")
    if account is not None and not (isinstance(account, str) and arns.ACCOUNT.fullmatch(account)):
        raise PolicyError("The case's 'resource_account' is a text of 12 digits.")
    linked = case.get("principal_is_service_linked")
    if linked is None:
        linked = False
    elif not isinstance(linked, bool):
        raise PolicyError("The case's 'principal_is_service_linked' is true or false.")
    context, user_id = _context(case)
    principal = read_principal(_text(case, "principal"), federated, linked, user_id)
    resource = _text(case, "resource")
    if resource != "*" and not resource.startswith("arn:"):
        raise PolicyError("The case's 'resource' is an ARN, or * where there is none.")
    return Request(principal, action, resource, context, account)


def _is_federated(action: str) -> bool:
    """Whether an identity provider vouches for who asks for the action, once it is readable."""
    service, _, operation = action.partition(":")
    if not service or not operation or ":" in operation:
        raise PolicyError(f"The action {action!r} is not of the form service:Operation.")
    if "*" in action or "?" in action:
        raise PolicyError(f"The action {action!r} has wildcards: a request asks for one action.")
    return action.lower() in _FEDERATED_ACTIONS


def read_principal(
    text: str, federated: bool = False, service_linked: bool = False, user_id: str = ""
) -> Principal:
    """The principal that ``text`` names, as a case names it.

    A host is a service, or with ``federated`` an identity provider. A federated user's issuer
    is taken to be the user of its name.

    Raises:
        PolicyError: it names none.
    """
    principal = _named_principal(text, federated, service_linked)
    return replace(principal, user_id=user_id) if user_id and principal.member else principal


@remembered(4096)
def _named_principal(text: str, federated: bool, service_linked: bool) -> Principal:
    if text == "anonymous":
        return Principal.anonymous()
    if any(each in text for each in _PROVIDERS):
        return Principal.federated(text, arns.account_of(text) or "")
    if ":" in text or "." not in text:
        return Principal.from_arn(text, service_linked=service_linked, issuer=_issuer(text))
    return Principal.federated(text) if federated else Principal.service(text)


def _issuer(text: str) -> str:
    if ":federated-user/" not in text:
        return ""
    return text.replace(":sts:", ":iam:").replace(":federated-user/", ":user/")


def _context(case: Mapping[str, Any]) -> tuple[dict[str, str | list[str]], str]:
    """The context; and what it says is the principal's unique id, by which policies may name it."""
    given = case.get("context")
    if given is None:
        return {}, ""
    if not isinstance(given, dict):
        raise PolicyError("The case's 'context' is a JSON object of keys and values.")
    context: dict[str, str | list[str]] = {}
    user_id = ""
    for key, value in given.items():
        context[key] = found = value if isinstance(value, str) else _context_value(key, value)
        if not user_id and key.lower() == "aws:userid" and isinstance(found, str):
            user_id = found
    return context, user_id


def _context_value(key: str, value: object) -> str | list[str]:
    if isinstance(value, list):
        return [_scalar(key, each) for each in value]
    return _scalar(key, value)


def _scalar(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise PolicyError(f"The context's key {key!r} has neither a text nor a list of texts.")


def _policies(case: Mapping[str, Any]) -> Policies:
    """The policies; a list that is empty is none, as if it were not there."""
    resource = case.get("resource_policy")
    kind = kind_of_resource_policy(case["resource"])
    return Policies(
        _each_named(case, "identity_policies", PolicyKind.IDENTITY) or (),
        None if resource is None else _named(resource, kind, 0),
        _each_named(case, "permissions_boundaries", PolicyKind.BOUNDARY),
        _each_named(case, "session_policies", PolicyKind.SESSION),
        _levels(case, "service_control_policies", PolicyKind.SCP),
        _levels(case, "resource_control_policies", PolicyKind.RCP),
    )


def kind_of_resource_policy(resource: str) -> PolicyKind:
    """A role has one resource-based policy, its trust policy ("IAM role trust policies")."""
    arn = arns.split(resource)
    of_role = arn is not None and arn.service == "iam" and arn.resource.startswith("role/")
    return PolicyKind.TRUST if of_role else PolicyKind.RESOURCE


def _levels(
    case: Mapping[str, Any], field: str, kind: PolicyKind
) -> tuple[tuple[NamedPolicy, ...], ...]:
    levels = case.get(field)
    if levels is None:
        return ()
    if not isinstance(levels, list):
        raise PolicyError(f"The case's {field!r} is a list, of lists of policies.")
    if not all(isinstance(level, list) for level in levels):
        raise PolicyError(f"Each level of the case's {field!r} is a list of policies.")
    return tuple([_numbered(level, kind) for level in levels])


def _each_named(
    case: Mapping[str, Any], field: str, kind: PolicyKind
) -> tuple[NamedPolicy, ...] | None:
    documents = case.get(field)
    if documents is not None and not isinstance(documents, list):
        raise PolicyError(f"The case's {field!r} is no list of policies.")
    return _numbered(documents, kind) if documents else None


def _numbered(documents: Sequence[object], kind: PolicyKind) -> tuple[NamedPolicy, ...]:
    return tuple([_named(each, kind, number) for number, each in enumerate(documents, 1)])


def _named(document: Any, kind: PolicyKind, number: int) -> NamedPolicy:
    name = f"{kind} {number}" if number else str(kind)
    if not isinstance(document, dict) and not isinstance(document, str):
        raise PolicyError(f"The {name} is no JSON object.")
    try:
        return NamedPolicy(name, parse(document, kind))
    except PolicyError as error:
        raise PolicyError(f"The {name} is malformed: {error.message}", error.hint) from error
