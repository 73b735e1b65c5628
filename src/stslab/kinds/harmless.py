"""Judges whether a call changes only what is the run's own, by :mod:`~.operations`' rules. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from stslab.kinds import documents, template
from stslab.kinds.operations import CHANGES, HOME, RESOURCES, Must, Rule, Rules, changes
from stslab.kinds.own import Own
from stslab.kinds.table import BY_RESOURCE_TYPE, KINDS, RUN_TAG, Params, search
from stslab.structures import beside, parts, said

_SAYS: Mapping[str, tuple[str, str]] = beside(__file__, "objections.yaml")
_ID = r"\d{12}|<account>|<partner>"
_PRIVATE_LISTS = {"private", "bucketownerread", "bucketownerfullcontrol", "logdeliverywrite"}
_NAMES_A_ROLE = re.compile(r"(?i).*(role|instanceprofile).*")
_A_ROLE = re.compile(r"arn:[^:]*:iam::[^:]*:(role|instance-profile)/.+")
_LONGEST_SHOWN = 120


class Objection(msgspec.Struct, frozen=True):
    """Why a call may not be made, and the fix. ``parameter`` and ``word`` are the place."""

    reason: str
    fix: str = _SAYS["own"][1]
    parameter: str = ""
    word: str = ""


Finding = Objection | str
_SESSION = re.compile(r"(arn:[^:]+):sts::([^:]*):assumed-role/([^/]+)/.+")


class _Judging(msgspec.Struct, frozen=True):
    call: str
    own: Own
    who: str  # the subject of messages: the call, or the template's resource
    caller: str = ""
    params: Params = {}
    inside: Mapping[str, str] = {}  # the kinds of a template's resources, by logical id

    def is_own(self, kind: str, value: object) -> bool:
        """Whether a value names a thing of the run, or one in the same template."""
        text = str(value)
        marks = template.MARK.findall(text)
        if not marks:
            return self.own.has(kind, text)
        if len(marks) > 1 or self.inside.get(marks[0]) != kind:
            return False
        alone = template.MARK.fullmatch(text) is not None
        return alone or self.own.named_by(kind, template.MARK.sub("x", text)) == "x"


def _objection(says: str, case: _Judging, word: str = "", **names: object) -> Objection:
    """An objection with the texts of objections.yaml."""
    return Objection(*said(_SAYS, says, call=case.call, who=case.who, **names), word=word)


def judged(call: str, params: Params, own: Own, caller: str = "") -> Iterator[Finding]:
    """Objections and notes; ``caller`` is the run's user whose key signs the call, if it is one."""
    service, case = call.partition(".")[0], _Judging(call, own, call, caller, params)
    if service not in HOME and service not in own.allowed.services:
        yield _objection("service", case, service=service)
    elif not changes(call):
        return
    elif service not in HOME:
        yield from _roles(params, case)
    else:
        rules = CHANGES.get(f"{call} {params.get('ChangeSetType', '')}", CHANGES.get(call))
        if rules is None:
            yield _objection("operation", case)
        else:
            yield from _by_rules(rules, params, case)


def objections(call: str, params: Params, own: Own, caller: str) -> Iterator[Objection]:
    return (one for one in judged(call, params, own, caller) if isinstance(one, Objection))


def _by_rules(rules: Rules, given: Params, case: _Judging) -> Iterator[Finding]:
    for rule in rules:
        ways = [list(_by_rule(one, given, case)) for one in rule.either or (rule,)]
        if all(ways):
            yield from ways[0]


def _by_rule(rule: Rule, given: Params, case: _Judging) -> Iterator[Finding]:
    values = _values(rule, given)
    if not values and rule.implied and case.caller:
        values = [case.caller]
    if not values and rule.needed:
        yield replace(_lacking(rule, case), parameter=_parameter(rule))
    for value in values:
        text = value if isinstance(value, str) else ""
        unread = text and rule.must not in _READ and case.own.is_unknown(text)
        for one in () if unread else _CHECKS[rule.must](value, rule, case):
            if isinstance(one, Objection):
                parameter = one.parameter or _parameter(rule)
                yield replace(one, parameter=parameter, word=one.word or text)
            else:
                yield one


def _values(rule: Rule, given: Params) -> list[object]:
    if not rule.where:
        return [given]
    found = search(rule.where, given)
    if found is None or found == []:
        return []
    whole = rule.must in (Must.TAGGED, Must.UNTAGGED) or not isinstance(found, list)
    return [found] if whole else [one for one in found if one is not None]


def _parameter(rule: Rule) -> str:
    return re.split(r"\W", rule.where.lstrip("["))[0]


def _lacking(rule: Rule, case: _Judging) -> Objection:
    if rule.must is Must.TAGGED:
        return _lacks_tag(rule, case)
    return _objection("implied" if rule.implied else "lacking", case, where=rule.where)


# Documents are checked even if some values in them are not known yet.
_READ = (Must.TEMPLATE, Must.TRUST, Must.RIGHTS)


# The checks: the findings of each about one value. Each is named after its word in ``Must``.


def _own(value: object, rule: Rule, case: _Judging) -> Iterator[Finding]:
    if not case.is_own(rule.kind, value):
        yield _objection("own", case, thing=f"{KINDS[rule.kind].noun} {_shown(value)}")


def _new(value: object, rule: Rule, case: _Judging) -> Iterator[Finding]:
    if case.own.run not in str(value):
        thing = f"{KINDS[rule.kind].noun} {_shown(value)}"
        yield _objection("new", case, thing=thing, start=str(value)[:40] or "name")


def _tagged(value: object, rule: Rule, case: _Judging) -> Iterator[Finding]:
    if {"Key": RUN_TAG, "Value": case.own.run} not in (value if isinstance(value, list) else []):
        yield _lacks_tag(rule, case)


def _lacks_tag(rule: Rule, case: _Judging) -> Objection:
    tag = f'[{{Key: "{RUN_TAG}", Value: "${{{{ run.id }}}}"}}]'
    outer = rule.where.split(".")
    written = f"{outer[-1]}: {tag}" if len(outer) == 1 else f"{outer[0]}: {{{outer[1]}: {tag}}}"
    return _objection("untagged", case, tag=RUN_TAG, written=written)


def _untagged(value: object, _rule: Rule, case: _Judging) -> Iterator[Finding]:
    for tag in value if isinstance(value, list) else [value]:
        key, kept = (tag.get("Key"), tag.get("Value")) if isinstance(tag, Mapping) else (tag, None)
        if key == RUN_TAG and kept != case.own.run:
            yield _objection("tag", case, tag=RUN_TAG)


def _attached(value: object, rule: Rule, case: _Judging) -> Iterator[Finding]:
    arn = str(value)
    if re.fullmatch(rf"arn:{re.escape(case.own.partition)}:iam::aws:policy/.+", arn):
        name = arn.rpartition("/")[2]
        limits = rule.where.startswith("PermissionsBoundary")
        if documents.WIDE_POLICIES.fullmatch(name) and not limits:
            yield f"{case.call} gives wide rights: {name}"
    elif not case.is_own("iam.policy", arn):
        yield _objection("attached", case, arn=_shown(arn))


def _role(value: object, _rule: Rule, case: _Judging) -> Iterator[Finding]:
    if case.is_own("iam.role", value):
        return
    if str(value) in case.own.allowed.roles:
        yield f"{case.call} uses the role {value}, which is not the run's"
    else:
        yield _objection("role", case, role=_shown(value))


def _trust(value: object, _rule: Rule, case: _Judging) -> Iterator[Finding]:
    try:
        everybody = list(documents.let_in(value))
    except documents.UnreadablePolicy as error:
        if not case.own.is_unknown(value):
            yield _objection("unreadable", case, error=error)
        return
    for one in everybody:
        yield from _let_in(one, case)


def _let_in(one: documents.LetIn, case: _Judging) -> Iterator[Finding]:
    if case.own.is_unknown(one.name) or _is_trusted(one, case):
        if one.form == "Federated":
            yield f"{case.call} lets in users of the identity provider {_shown(one.name)}"
        return
    found = re.fullmatch(rf"({_ID})|arn:[^:]+:(?:iam|sts)::({_ID}):.+", one.name)
    account = (found[1] or found[2]) if found else ""
    if one.form == "AWS" and account in case.own.accounts:
        yield f"{case.call} lets in account {account}, the lab's other account"
        return
    who = "everyone" if one.name == documents.EVERYONE else _shown(one.name)
    if one.form == "AWS" and (account or one.name) in case.own.allowed.accounts:
        whole = who if who == "everyone" else f"account {account}"
        yield f"{case.call} lets in {whole}, as the lab declares"
        return
    needed = documents.EVERYONE if who == "everyone" else account or "..."
    yield _objection("lets in", case, one.name, others=who, needed=needed)


def _is_trusted(one: documents.LetIn, case: _Judging) -> bool:
    """Whether it is this account, a thing or provider of the run, or an AWS service."""
    own = case.own
    if one.form == "Service":
        return one.name.endswith((".amazonaws.com", ".amazonaws.com.cn"))
    if one.form == "Federated":
        return any(case.is_own(f"iam.{kind}_provider", one.name) for kind in ("oidc", "saml"))
    if one.form != "AWS":
        return False
    if one.name == documents.EVERYONE:
        return any(_is_here(*condition, own) for condition in one.conditions)
    if one.name in (own.account, f"arn:{own.partition}:iam::{own.account}:root"):
        return True
    session = _SESSION.fullmatch(one.name)
    arn = f"{session[1]}:iam::{session[2]}:role/{session[3]}" if session else one.name
    return any(case.is_own(kind, arn) for kind in ("iam.user", "iam.role"))


def _is_here(operator: str, key: str, values: tuple[str, ...], own: Own) -> bool:
    """Whether a condition is true only for callers of this account."""
    if operator == "stringequals" and key == "aws:principalaccount":
        return set(values) == {own.account}
    exact = operator in {"stringequals", "arnequals"} and key == "aws:principalarn"
    here = f"arn:{own.partition}:iam::{own.account}:"
    return exact and bool(values) and all(one.startswith(here) for one in values)


def _rights(value: object, _rule: Rule, case: _Judging) -> Iterator[Finding]:
    if documents.is_wide(value):
        yield f"{case.who} gives wide rights: all actions of a service, or more"


def _private(value: object, _rule: Rule, case: _Judging) -> Iterator[Finding]:
    if str(value).lower().replace("-", "") in _PRIVATE_LISTS:
        return
    if documents.EVERYONE in case.own.allowed.accounts:
        yield f"{case.who} lets in others, as the lab declares"
    else:
        yield _objection("list", case)


def _source(value: object, _rule: Rule, case: _Judging) -> Iterator[Finding]:
    source = value.get("Bucket") if isinstance(value, Mapping) else str(value).removeprefix("/")
    bucket = str(source).partition("/")[0]
    if not case.own.has("s3.bucket", bucket):
        yield _objection("source", case, bucket=bucket)


def _template(value: object, _rule: Rule, case: _Judging) -> Iterator[Finding]:
    try:
        whole = list(_resources(value, case.params, case.own))
    except template.Unjudgeable as error:
        if not case.own.is_unknown(value):
            yield _objection("template", case, error.word, error=error)
        return
    kinds = {one.logical: BY_RESOURCE_TYPE.get(one.type) for one in whole}
    inside = {logical: kind.id for logical, kind in kinds.items() if kind}
    yield from dict.fromkeys(
        finding
        for one in whole
        for finding in _resource(one, replace(case, inside=inside, who=one.logical))
    )


def _resources(text: object, params: Params, own: Own) -> Iterator[template.Resource]:
    parameters = params.get("Parameters")
    given = {
        str(one.get("ParameterKey")): str(one.get("ParameterValue", template.UNKNOWN))
        for one in (parameters if isinstance(parameters, list | tuple) else ())
        if isinstance(one, Mapping)
    }
    pseudo = {
        "AccountId": own.account,
        "Partition": own.partition,
        "StackName": str(params.get("StackName", template.UNKNOWN)),
        "URLSuffix": "amazonaws.com.cn" if own.partition == "aws-cn" else "amazonaws.com",
    }
    return template.resources(str(text), given, pseudo)


# The kinds whose things are known by their ARNs, with the word for them in it.
_BY_ARN = {"iam.policy": "policy", "iam.saml_provider": "saml-provider", "iam.mfa_device": "mfa"}


def things_of_template(params: Params, own: Own) -> Iterator[tuple[str, str]]:
    """The things that a template makes with a fixed name, as (kind, name); or (kind, ARN)."""
    for one in resources_of(params, own):
        for kind, name in named_in(one):
            if kind in _BY_ARN:
                path = f"{_BY_ARN[kind]}{one.properties.get('Path', '/')}{name}"
                yield kind, f"arn:{own.partition}:iam::{own.account}:{path}"
            else:
                yield kind, name


def named_in(one: template.Resource) -> Iterator[tuple[str, str]]:
    """The fixed names of the things that a resource makes, with their kinds."""
    for rule in RESOURCES.get(one.type, ()):
        if rule.must is Must.NEW:
            yield from ((rule.kind, str(name)) for name in _values(rule, one.properties))


def resources_of(params: Params, own: Own) -> list[template.Resource]:
    """The resources of a call's template; empty if there is none, or it can't be judged."""
    if "TemplateBody" in params:
        with suppress(template.Unjudgeable):
            return list(_resources(params["TemplateBody"], params, own))
    return []


def _resource(one: template.Resource, case: _Judging) -> Iterator[Finding]:
    for finding in _by_type(one, case):
        if isinstance(finding, Objection):
            known = finding.word and not template.MARK.search(finding.word)
            word = finding.word if known and template.UNKNOWN not in finding.word else one.logical
            yield replace(finding, parameter="TemplateBody", word=word)
        else:
            yield finding


def _by_type(one: template.Resource, case: _Judging) -> Iterator[Finding]:
    if one.type in RESOURCES:
        yield from _by_rules(RESOURCES[one.type], one.properties, case)
        return
    service = one.type.split("::")[1].lower() if one.type.startswith("AWS::") else ""
    if service in HOME or service not in case.own.allowed.services:
        says = "type" if not service or service in HOME else "type of a service"
        names = {"logical": one.logical, "type": one.type, "service": service}
        yield _objection(says, case, one.type, **names)
        return
    if one.stays:
        yield _objection("stays", case, logical=one.logical)
    yield from _roles(one.properties, case)


def _roles(value: object, case: _Judging) -> Iterator[Finding]:
    """The findings about every role in a value, by its ARN or by its parameter's name."""
    for path, part in parts(value):
        key = ".".join(map(str, path))
        if isinstance(part, str) and (_A_ROLE.fullmatch(part) or _NAMES_A_ROLE.fullmatch(key)):
            yield from _role(part, Rule(Must.ROLE), case)


def _name(value: object, rule: Rule, case: _Judging) -> Iterator[Finding]:
    if ":" in str(value):
        yield _objection("name", case, where=rule.where)


def _absent(value: object, rule: Rule, case: _Judging) -> Iterator[Finding]:
    if value:
        yield _objection("absent", case, parameter=_parameter(rule), why=rule.says)


def _embedded(_value: object, _rule: Rule, case: _Judging) -> Iterator[Finding]:
    if not case.own.embedded:
        yield _objection("embedded", case)


_Check = Callable[[object, Rule, _Judging], Iterator[Finding]]
_CHECKS: Mapping[Must, _Check] = {must: globals()[f"_{must}"] for must in Must}


def _shown(value: object) -> str:
    text = template.MARK.sub(r"\1", str(value)).replace(template.UNKNOWN, "(unknown)")
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
