"""Validates a policy by IAM's grammar, with IAM's own messages where they are known.

"Grammar of the IAM JSON policy language", "IAM JSON policy elements reference", and for the
messages "Troubleshoot IAM policies". An error's hint says where.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import chain
from typing import Any, Final

from stslab.errors import MalformedPolicy
from stslab.policy.catalogue import suggestions, table
from stslab.policy.conditions import OPERATORS, Test, read_test
from stslab.policy.documents.statement import Element, PrincipalElement, Statement
from stslab.policy.patterns import ARN_SEPARATORS, glob, no_value, remembered
from stslab.structures import beside, listed
from stslab.vocabulary import LATEST, LEGACY, PolicyKind

SYNTAX: Final = "Syntax errors in policy."
_LEGACY_PARSING: Final = "The policy failed legacy parsing"
_SID: Final = re.compile(r"[A-Za-z0-9]*")
_says: Final = partial(beside, __file__, "messages.yaml")

_POLICY_ELEMENTS: Final = {"Version", "Id", "Statement"}
_STATEMENT_ELEMENTS: Final = set(
    "Sid Effect Principal NotPrincipal Action NotAction Resource NotResource Condition".split()
)
# Globals are found faster than members of an enum.
_IDENTITY, _RESOURCE, _TRUST = PolicyKind.IDENTITY, PolicyKind.RESOURCE, PolicyKind.TRUST
_BOUNDARY, _SESSION = PolicyKind.BOUNDARY, PolicyKind.SESSION
_RCP = PolicyKind.RCP
_OF_RESOURCES: Final = (_RESOURCE, _TRUST)
_WITH_PRINCIPAL: Final = (*_OF_RESOURCES, _RCP)
_OF_IDENTITIES: Final = (_IDENTITY, _BOUNDARY, _SESSION)
_PLAIN: Final = {"Effect": "Allow", "Action": "*", "Resource": "*"}
_RCP_FULL: Final = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


def read_policy(document: object, kind: PolicyKind) -> list[Statement]:
    statements = _statements(document, kind)
    variables = isinstance(document, dict) and document.get("Version") == LATEST
    found: list[Statement] = []
    errors: list[MalformedPolicy] = []
    for index, source in chain(enumerate(statements), _parts(statements, kind, errors)):
        try:
            found.append(_statement(index, source, kind, variables=variables))
        except MalformedPolicy as error:
            errors.append(MalformedPolicy(error.message, f"Statement {index + 1}{error.hint}"))
    twins = _says()["twins of trust" if kind is _TRUST else "twins"]
    sids = [str(sid) for each in statements if isinstance(each, dict) and (sid := each.get("Sid"))]
    if len(sids) != len(set(sids)) and kind is not _RESOURCE:
        errors.append(MalformedPolicy(twins))
    # IAM tells what is wrong in any statement's syntax first, then in values, then in ids.
    order = [SYNTAX, _LEGACY_PARSING, twins] if kind is _IDENTITY else []
    if errors:
        raise min(errors, key=lambda one: [*order, one.message].index(one.message))
    for each in found if kind is _RCP else ():
        _check_rcp(each)
    return found


def _parts(
    statements: Sequence[object], kind: PolicyKind, errors: list[MalformedPolicy]
) -> Iterator[tuple[int, object]]:
    """If there are errors, each element of an identity's policy among plain ones."""
    for index, source in enumerate(statements) if errors and kind is _IDENTITY else ():
        given = source if isinstance(source, dict) else {}
        for name in ("Effect", *given):
            others = {key: value for key, value in _PLAIN.items() if f"Not{key}" != name}
            yield index, {**others, name: given.get(name)}


def _check_rcp(statement: Statement) -> None:
    """Refuse what "RCP syntax" (AWS Organizations) does not support."""
    source = {name: value for name, value in statement.source.items() if name != "Sid"}
    if source["Effect"] == "Allow" and source != _RCP_FULL:
        raise MalformedPolicy(SYNTAX, "No resource control policy but RCPFullAWSAccess can Allow.")
    if "NotAction" in source:
        raise MalformedPolicy(SYNTAX, "A resource control policy can't have NotAction.")
    for action in listed(source["Action"]) if source["Effect"] == "Deny" else ():
        if action.partition(":")[0].lower() not in table("controlled"):
            what = f"A resource control policy can't deny '{action}', only some services' actions."
            raise MalformedPolicy(SYNTAX, what)


def _statements(document: object, kind: PolicyKind) -> Sequence[object]:
    if not isinstance(document, dict):
        raise MalformedPolicy(SYNTAX, "A policy must be a JSON object.")
    of_resource = kind in _OF_RESOURCES
    _check_names(document, _POLICY_ELEMENTS, kind, "A policy has no element")
    # "SCP syntax" and "RCP syntax" (AWS Organizations): one version, and no Id.
    versions = (LATEST, LEGACY) if kind in (*_OF_RESOURCES, *_OF_IDENTITIES) else (LATEST,)
    if document.get("Version", LEGACY) not in versions:
        message = "The policy must contain a valid version string" if of_resource else SYNTAX
        raise MalformedPolicy(message, f"Version must be {' or '.join(map(repr, versions))}.")
    if "Id" in document and LEGACY not in versions:
        raise MalformedPolicy(SYNTAX, f"A {kind} can't have an Id.")
    if not isinstance(document.get("Id", ""), str):
        raise MalformedPolicy(SYNTAX, "Id must be a text.")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        return [statements]
    if not isinstance(statements, list) or not statements:
        message = _says()["no statements"] if of_resource and statements == [] else SYNTAX
        if kind is _RESOURCE and "Statement" not in document:
            message = "Missing required field Statement"
        raise MalformedPolicy(message, "Statement must be a statement, or a list of one or more.")
    return statements


def _check_names(given: Iterable[str], known: set[str], kind: PolicyKind, lacks: str) -> None:
    for name in given:
        if name not in known:
            message = f"Unknown field {name}" if kind in _OF_RESOURCES else SYNTAX
            raise MalformedPolicy(message, f"{lacks} {name!r}.")


def _statement(index: int, source: object, kind: PolicyKind, *, variables: bool) -> Statement:
    if not isinstance(source, dict):
        raise MalformedPolicy(SYNTAX, " is not a JSON object.")
    principal, action, resource = _names(tuple(source), kind)
    effect = source.get("Effect")
    if kind is _TRUST and isinstance(effect, str):
        effect = effect.capitalize()
    if effect not in ("Allow", "Deny"):
        problem = "has no Effect" if effect is None else f"has the Effect {effect!r}"
        text = effect if isinstance(effect, str) else ""
        near = kind in _OF_IDENTITIES and text.lower() in ("allow", "deny")
        other = f"Invalid effect: {source['Effect']}" if text and kind in _OF_RESOURCES else SYNTAX
        message = _LEGACY_PARSING if near else other
        raise MalformedPolicy(message, f" {problem}: it must be 'Allow' or 'Deny'.")
    if principal == "NotPrincipal":
        if effect == "Allow":
            raise MalformedPolicy("Allow with NotPrincipal is not allowed.")
        if kind is _TRUST:
            raise MalformedPolicy("AssumeRole policy must not contain NotPrincipal field.")
    sid = source.get("Sid", "")
    if not isinstance(sid, str):
        raise MalformedPolicy(SYNTAX, ": Sid must be a text.")
    if kind is not _RESOURCE and not _SID.fullmatch(sid):
        others = f"The following Statement Ids are invalid: {sid}"
        problem = _says()["bad Sid"] if kind in _OF_IDENTITIES else others
        raise MalformedPolicy(problem, ": A Sid can have only letters and digits.")
    return Statement(
        index,
        source,
        effect == "Allow",
        principal=_principal(principal, source[principal], kind) if principal else None,
        resources=(resource, _resources(source[resource], resource, kind)) if resource else None,
        action=_action(action, source[action], kind),
        tests=_tests(source["Condition"], kind) if "Condition" in source else (),
        variables=variables,
    )


@lru_cache(maxsize=1024)
def _names(given: tuple[str, ...], kind: PolicyKind) -> tuple[str, str, str]:
    """The elements for principals, actions, resources, or "". Most statements have the same."""
    _check_names(given, _STATEMENT_ELEMENTS, kind, " has an unknown element")
    principal, action, resource = (
        _either(given, name, f"Not{name}") for name in ("Principal", "Action", "Resource")
    )
    if principal and kind not in _WITH_PRINCIPAL:
        raise MalformedPolicy("Policy document should not specify a principal.")
    if "Effect" not in given and kind in _OF_RESOURCES:
        raise MalformedPolicy("Missing required field Effect")
    if kind is _TRUST and resource == "NotResource":
        raise MalformedPolicy("AssumeRole policy must not contain resources.")
    if kind is _TRUST and resource:
        raise MalformedPolicy("Has prohibited field Resource")
    if not principal and kind in _WITH_PRINCIPAL:
        raise MalformedPolicy("Missing required field Principal")
    if principal == "NotPrincipal" and kind is _RCP:
        raise MalformedPolicy("Has prohibited field NotPrincipal")
    if not action:
        raise MalformedPolicy(_says()["no action" if kind in _OF_RESOURCES else "no actions"])
    if not resource and kind not in _OF_RESOURCES:
        raise MalformedPolicy(_says()["no resources"])
    return principal, action, resource


def _either(given: tuple[str, ...], name: str, negated: str) -> str:
    if name in given and negated in given:
        raise MalformedPolicy(SYNTAX, f" has both {name} and {negated}.")
    return name if name in given else negated if negated in given else ""


_BETWEEN: Final = "\0"
_AN_ACTION: Final = r"(?:[A-Za-z0-9][A-Za-z0-9.-]*:[^:\0]*|\*)"
_ACTIONS: Final = re.compile(rf"{_AN_ACTION}(?:\0{_AN_ACTION})*")
# The usual form; actions that do not match are examined more closely.
_ACTION: Final = re.compile(r"[A-Za-z0-9*?][A-Za-z0-9.*?-]*:[^:]*|\*")
_FOREIGN: Final = re.compile(r"[^\x00-\xff]")
_TYPES: Final = ("AWS", "Service", "Federated", "CanonicalUser")  # of a Principal's names
_AWS: Final = re.compile(
    r"\*|[0-9]{4}-?[0-9]{4}-?[0-9]{4}|A[A-Z0-9]{11,127}"
    r"|arn:[a-z-]+:(?:iam::[\w-]+:(?:root|(?:user|role)/(?:.*/)?[^*?/]+)"
    r"|sts::[0-9]{12}:(?:assumed-role/[^*?/]+/[^*?/]+|federated-user/[^*?]+))"
)
"""Everyone, an account, a unique id, an ARN. Names can't have wildcards; a path may have such."""
_PROVIDER: Final = re.compile(
    r"arn:[^:]+:iam::[0-9]{12}:(?:saml|oidc)-provider/.+|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
)
_SERVICE: Final = re.compile(
    r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:amazonaws\.com(?:\.cn)?|amazon\.com|aws\.internal)"
)
_PARTITION: Final = re.compile(r"aws(?:-[a-z0-9-]+)?|[^:${}*?]*[*?][^:${}]*")
# The usual form; a resource that does not match is examined more closely.
_ARN: Final = re.compile(
    r"arn:aws:(?!iam:|route53:|s3:(?!::))[^:*?]+:(?![^:]*--)[\w*-]*:(?:[0-9]{12}|aws|\*|):.*",
    re.DOTALL,
)
# Service, Region, account: if it is not IAM, perhaps with a word, as in AWS's examples.
_PLACE: Final = re.compile(
    r"(?!iam:[^:]*:(?!aws$)[a-z-]+$)[^:]+:(?![^:]*--)[\w*?-]*:(?:[0-9]{12}|[a-z-]*|[^*?\n]*[*?].*)"
)
# A service, perhaps with a Region, and then with an account.
_PARTIAL: Final = re.compile(r"^arn:[^:]+:[^:*?\s]+(:([a-z]+(-[a-z\d]+)+)?(:(\d{12})?)?)?\Z")
_VARIABLE: Final = re.compile(r"\$\{[\w-]+:[^:{}]+\}")
_NO_PATH: Final = (
    'IAM resource path must either be "*", root, or start with user/, federated-user/, role/, '
    "group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, "
    "oidc-provider/, report/, access-report/."
)
_PATHS: Final = "|".join(re.findall(r"[\w-]+(?=/)", _NO_PATH))
# The others are types of the Service Authorization Reference.
_OTHER: Final = "assumed-role|contextProvider|delegation-request|role-template"
_OF_IAM: Final = re.compile(rf"\*|root|(?:{_PATHS}|{_OTHER})/.*", re.DOTALL)
# A wildcard in place of the service; in arn:* it stands for that too.
_VAGUE: Final = re.compile(r"arn:(?:[^:]*:[^:]*[*?]|[^:*?]*[*?][^:]*$)")
_UNQUOTED: Final = (int, float)  # and bool: quotation marks are optional ("... language and JSON")
_CONDITION_KEY: Final = re.compile(r"[^\s:*?][^:*?]*(:.+)?", re.DOTALL)
_OF_URL: Final = re.compile("https?://.*:", re.DOTALL)


def _action(name: str, value: object, kind: PolicyKind) -> Element:
    """Actions are compared in lower case ("IAM JSON policy elements: Action")."""
    actions = _texts(value, name)
    if not actions:
        raise MalformedPolicy(_says()["no actions"])
    return _actions(_BETWEEN.join(actions), len(actions), name, kind)


@remembered(512, 2048)
def _actions(together: str, number: int, element: str, kind: PolicyKind) -> Element:
    lower = together.lower().split(_BETWEEN)
    if not _ACTIONS.fullmatch(together) or len(lower) != number:
        _check_actions(together.split(_BETWEEN), number, kind)
    for each in together.split(_BETWEEN) if kind is _TRUST else ():
        named = glob(each, variables=False)
        if each in ("*", "sts:*") or not any(named.matches(o, no_value) for o in table("trusted")):
            near = suggestions(each, table("trusted"))
            meant = f": did you mean {near[0]}?" if near else ""
            raise MalformedPolicy(_says()["other actions"], meant)
    return Element(element, lower, variables=False, arn=False)


def _check_actions(actions: Sequence[str], number: int, kind: PolicyKind) -> None:
    wrong = next((each for each in actions if not _ACTION.fullmatch(each)), None)
    if wrong is not None or len(actions) != number:
        vendor, colon, name = (wrong or "").partition(":")
        problem = f"Vendor {vendor} is not valid" if colon else _says()["no vendor"]
        if ":" in name:
            problem = "Actions/Condition can contain only one colon."
        raise MalformedPolicy(problem, f": {wrong or ''!r}")
    if kind in _OF_IDENTITIES:
        raise MalformedPolicy("Action vendors (e.g., aws, ec2, etc.) must not contain wildcards.")


def _texts(value: object, name: str, *, foreign: bool = False) -> list[str]:
    found: object = [value] if isinstance(value, str) else value
    if not isinstance(found, list):
        raise MalformedPolicy(SYNTAX, f": {name} must be a text or a list of texts.")
    together = _joined(found, name)
    if not (foreign or together.isascii()) and _FOREIGN.search(together):
        raise MalformedPolicy(SYNTAX, f": {name} has a character beyond U+00FF.")
    return found


def _joined(values: list[Any], name: str) -> str:
    """All values in one text, which is searched faster than each of them."""
    try:
        return "".join(values)
    except TypeError:
        wrong = next(each for each in values if not isinstance(each, str))
        raise MalformedPolicy(SYNTAX, f": {name} has {wrong!r}, which is not a text.") from None


def _resources(value: object, name: str, kind: PolicyKind) -> Sequence[str]:
    """Each is an ARN or ``*``, which at the end may replace parts ("... elements: Resource")."""
    found = _texts(value, name, foreign=kind is _RESOURCE)  # S3's keys have any characters
    if not found:
        raise MalformedPolicy(_says()["no resources"])
    if kind in _OF_IDENTITIES:  # "... language": resource_string
        found = [_PARTIAL.sub(r"\g<0>:*", text) for text in found]
    for text in found:
        if _ARN.fullmatch(text) or (text and not text.strip("*")):
            continue
        if _VAGUE.match(text) or (text == "arn:aws" and kind is not _RESOURCE):
            raise MalformedPolicy(_says()["no service"], f": {text}")
        if kind is not _RESOURCE and (message := _broken(text)):
            raise MalformedPolicy(message, "" if text in message else f": {text}")
    return found


def _broken(text: str) -> str:
    """IAM's message about a resource in its policies, as users report it; empty if it is valid."""
    parts = _VARIABLE.sub("?", text).split(":", ARN_SEPARATORS)
    start, partition, service, region, account = (*parts, *[""] * ARN_SEPARATORS)[:ARN_SEPARATORS]
    whole = len(parts) > ARN_SEPARATORS
    if start != "arn" and (not partition or _PARTITION.fullmatch(partition)):
        return f'Resource {text} must be in ARN format or "*".'
    ends = whole or text.endswith("*")
    # The message puts "arn" before all that follows the first colon, and adds the missing parts.
    text = f"arn:{text.partition(':')[2]}{':*' * (ARN_SEPARATORS + 1 - len(parts))}"
    if not _PARTITION.fullmatch(partition):
        return f'Partition "{partition}" is not valid for resource "{text}".'
    there = _PLACE.fullmatch(f"{service}:{region}:{account}")
    if not there or not ends:
        return _LEGACY_PARSING
    bucket = service == "s3" and not (whole and "/" in parts[-1])
    if region.strip("*?") and (bucket or service in ("iam", "route53")):
        what = f"IAM resource {text} cannot" if service == "iam" else f"Resource {text} can not"
        return f"{what} contain region information."
    if bucket and account.strip("*?"):
        return f"Resource {text} cannot contain an account id."
    named = not whole or service != "iam" or _OF_IAM.fullmatch(parts[-1])
    return "" if named else _NO_PATH


def _principal(name: str, value: object, kind: PolicyKind) -> PrincipalElement:
    if kind is _RCP and value not in ("*", {"AWS": "*"}):
        raise MalformedPolicy(SYNTAX, ": the Principal of a resource control policy must be '*'.")
    if value == "*":
        if kind is _TRUST:
            raise MalformedPolicy(_says()["star"], ': write {"AWS": "*"} for everyone.')
        return PrincipalElement(name, None)
    if kind is _TRUST and value == {"AWS": []}:
        raise MalformedPolicy(_says()["no principals"])
    if not value or value in ({"AWS": []}, {"AWS": ""}):
        raise MalformedPolicy(f"Missing required field {name} cannot be empty!")
    if not isinstance(value, dict):
        refusal = f"Invalid principal in policy: {json.dumps(value)}"
        at_s3 = kind is _RESOURCE
        raise MalformedPolicy("Invalid policy syntax." if at_s3 else refusal, f": {name}")
    principals = []
    for type_, names in value.items():
        if type_ not in _TYPES or (type_ == "CanonicalUser" and kind is not _RESOURCE):
            raise MalformedPolicy(
                f'Invalid principal in policy: "{type_}":{json.dumps(names)}', f": {name}"
            )
        for each in _texts(names, name) or [""]:
            _check_principal(type_, each, kind)
            principals.append((type_, each))
    return PrincipalElement(name, principals)


def _check_principal(type_: str, name: str, kind: PolicyKind) -> None:
    if not name or (type_ == "AWS" and not _AWS.fullmatch(name)):
        raise MalformedPolicy(f'Invalid principal in policy: "{type_}":"{name}"')
    every = kind is _RESOURCE and name == "*"
    if type_ == "Service" and kind in _OF_RESOURCES and not (every or _SERVICE.fullmatch(name)):
        raise MalformedPolicy(f'Invalid principal in policy: "SERVICE":"{name}"')
    if type_ == "Federated" and not _PROVIDER.fullmatch(name):
        raise MalformedPolicy(_says()["no provider"], f": {name!r}")


def _tests(element: object, kind: PolicyKind) -> list[tuple[Test, str, Sequence[str]]]:
    """The tests of a Condition; IAM reads the values of those in identity-based policies."""
    found = read_tests(element, SYNTAX if kind in _OF_IDENTITIES else "")
    if kind is _TRUST and any(_OF_URL.match(key) for _, key, _ in found):
        raise MalformedPolicy("Condition can contain only one colon.", ": leave out https://.")
    for test, _, values in found if kind in _OF_IDENTITIES else ():
        wants, reads = test.operator.wants, test.operator.reads
        at_sts = kind is _SESSION and test.operator.name != "BinaryEquals"
        if at_sts or wants in ("text", "true or false"):
            continue
        arn = wants == "an ARN"  # the SageMaker guide has "*key/NAME" as one
        if not all((arn and one.startswith("*")) or reads(one, True) for one in values):
            message = SYNTAX if test.operator.name == "BinaryEquals" else _LEGACY_PARSING
            raise MalformedPolicy(message, f": a value of {test.written} is not {wants}.")
    return found


def read_tests(element: object, unknown: str = "") -> list[tuple[Test, str, Sequence[str]]]:
    """The tests of a Condition; ``unknown`` is the message for an unknown operator."""
    if not isinstance(element, dict):
        raise MalformedPolicy(SYNTAX, ": Condition must be a JSON object.")
    found = []
    for written, keys in element.items():
        test = read_test(written)
        if keys == {} and unknown:  # which IAM takes for any operator's name
            continue
        if test is None:
            near = suggestions(written, [one.name for one in OPERATORS.values()])
            meant = f"; did you mean {near[0]}?" if near else "."
            hint = f": there is no operator {written}{meant}"
            raise MalformedPolicy(unknown or f"Invalid Condition type : {written}.", hint)
        if not isinstance(keys, dict):
            raise MalformedPolicy(SYNTAX, f": {written} must be a JSON object.")
        found += [(test, key, _condition_values(key, value)) for key, value in keys.items()]
    return found


def _condition_values(key: str, value: object) -> Sequence[str]:
    """The values of a key. IAM accepts an empty list, which never matches."""
    if not _CONDITION_KEY.fullmatch(key):
        raise MalformedPolicy(_says()["no vendor"], f": condition key {key!r}")
    if isinstance(value, str):
        return [value]
    values: list[Any] = value if isinstance(value, list) else [value]
    texts = [json.dumps(each) if isinstance(each, _UNQUOTED) else each for each in values]
    _joined(texts, key)
    return texts
