"""Decisions for programs: a case in, what was decided and why out, both JSON values."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from stslab.errors import PolicyError
from stslab.policy import arn as arns
from stslab.policy.authorize import Policies, authorize
from stslab.policy.context import Request
from stslab.policy.decision import Decision
from stslab.policy.document import NamedPolicy
from stslab.policy.parser import parse, without_twins
from stslab.policy.principal import Principal
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
    identifier = case.get("id") if isinstance(case, Mapping) else None
    try:
        return {"id": identifier, **decision(case).as_dict()}
    except PolicyError as error:
        return {"id": identifier, "error": " ".join(filter(None, (error.message, error.hint)))}


def decision(case: Mapping[str, Any]) -> Decision:
    """The Decision of one case.

    Raises:
        PolicyError: the case, or a policy in it, can't be read.
    """
    if not isinstance(case, Mapping):
        raise PolicyError("A case is a JSON object.")
    unknown = case.keys() - _FIELDS
    if unknown:
        raise PolicyError(f"A case has no field {min(unknown, key=str)!r}.")
    return authorize(_request(case), _policies(case))


def decide_lines(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Decide JSON Lines, one by one, as they come; empty lines are passed over."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            case = json.loads(line, object_pairs_hook=without_twins)
        except (ValueError, RecursionError) as error:
            yield {"id": None, "error": f"Line {number} is no JSON: {error}"}
        except PolicyError as error:
            yield {"id": None, "error": f"Line {number}: {error.hint}"}
        else:
            yield decide(case)


def _text(case: Mapping[str, Any], field: str, default: str | None = None) -> str:
    value = case.get(field, default)
    if not isinstance(value, str) or not value:
        problem = "has no" if value is None else "has an unusable"
        raise PolicyError(f"The case {problem} {field!r}: it is a text.")
    return value


def _request(case: Mapping[str, Any]) -> Request:
    action = _text(case, "action")
    if action.count(":") != 1 or action.startswith(":") or action.endswith(":"):
        raise PolicyError(f"The action {action!r} is not of the form service:Operation.")
    account = case.get("resource_account")
    if account is not None and not (isinstance(account, str) and arns.ACCOUNT.fullmatch(account)):
        raise PolicyError("The case's 'resource_account' is a text of 12 digits.")
    return Request(
        read_principal(
            _text(case, "principal"),
            action,
            service_linked=case.get("principal_is_service_linked") is True,
        ),
        action,
        _text(case, "resource"),
        _context(case.get("context") or {}),
        account,
    )


def read_principal(text: str, action: str, *, service_linked: bool = False) -> Principal:
    """The principal that ``text`` names; a federated user's issuer is the user of its name.

    Raises:
        PolicyError: it names none.
    """
    if text == "anonymous":
        return Principal.anonymous()
    if text.startswith("arn:"):
        if any(each in text for each in _PROVIDERS):
            return Principal.federated(text, arns.account_of(text) or "")
        return Principal.from_arn(text, service_linked=service_linked, issuer=_issuer(text))
    if "." in text and " " not in text:
        if action.lower() in _FEDERATED_ACTIONS:
            return Principal.federated(text)
        return Principal.service(text)
    return Principal.from_arn(text)


def _issuer(text: str) -> str:
    return text.replace(":sts:", ":iam:").replace(":federated-user/", ":user/") * (
        ":federated-user/" in text
    )


def _context(given: object) -> dict[str, str | list[str]]:
    if not isinstance(given, Mapping):
        raise PolicyError("The case's 'context' is a JSON object of keys and values.")
    return {key: _context_value(key, value) for key, value in given.items()}


def _context_value(key: str, value: object) -> str | list[str]:
    if isinstance(value, str):
        return value
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
    resource = case.get("resource_policy")
    return Policies(
        identity=_read(case, "identity_policies", PolicyKind.IDENTITY) or (),
        resource=None if resource is None else _named("resource policy", resource, _RESOURCE),
        boundaries=_read(case, "permissions_boundaries", PolicyKind.BOUNDARY),
        session=_read(case, "session_policies", PolicyKind.SESSION),
        scps=_levels(case, "service_control_policies", PolicyKind.SCP),
        rcps=_levels(case, "resource_control_policies", PolicyKind.RCP),
    )


_RESOURCE: Final = PolicyKind.RESOURCE


def _list(value: object, field: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise PolicyError(f"The case's {field!r} is a list.")
    return value


def _read(case: Mapping[str, Any], field: str, kind: PolicyKind) -> tuple[NamedPolicy, ...] | None:
    """A limit that is given as an empty list is none, as if it were not given."""
    documents = case.get(field)
    if documents is None or documents == []:
        return None
    return _named_all(_list(documents, field), kind)


def _named_all(documents: Sequence[Any], kind: PolicyKind) -> tuple[NamedPolicy, ...]:
    return tuple(_named(f"{kind} {number}", each, kind) for number, each in enumerate(documents, 1))


def _levels(
    case: Mapping[str, Any], field: str, kind: PolicyKind
) -> tuple[tuple[NamedPolicy, ...], ...]:
    levels = case.get(field)
    if not levels and levels is None:
        return ()
    return tuple(_named_all(_list(level, field), kind) for level in _list(levels, field))


def _named(name: str, document: Any, kind: PolicyKind) -> NamedPolicy:
    if not isinstance(document, Mapping | str):
        raise PolicyError(f"The {name} is no JSON object.")
    try:
        return NamedPolicy(name, parse(document, kind))
    except PolicyError as error:
        raise PolicyError(f"The {name} is malformed: {error.message}", error.hint) from error
