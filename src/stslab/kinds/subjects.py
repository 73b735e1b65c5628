"""What a call changes, in words. Pure."""

from collections.abc import Iterator, Mapping

from stslab.kinds.judge import resources_of
from stslab.kinds.operations import CHANGES, HOME, RESOURCES, Must, Rule, changes
from stslab.kinds.own import Own
from stslab.kinds.table import BY_REMOVAL, BY_RESOURCE_TYPE, KINDS, creation_of, names_made, search

_ROLE = "iam.role"


def subjects(
    call: str, params: Mapping[str, object], own: Own, caller: str = ""
) -> tuple[str, ...]:
    """What people call the things that a call changes; nothing where it only reads.

    What is not known yet of a thing's names is left out of them.
    """
    if not changes(call):
        return ()
    service = call.partition(".")[0]
    found = tuple(dict.fromkeys(_subjects(call, params, own, caller)))
    return found or ((_of_another(service, params),) if service not in HOME else ())


def _of_another(service: str, params: Mapping[str, object]) -> str:
    """What a call names, where nothing is known of what it changes."""
    texts = {name: str(value) for name, value in params.items() if isinstance(value, str)}
    named = ", ".join(f"{name} {value[:_LONGEST]}" for name, value in texts.items())
    return f"something of {service}: {named}" if named else f"something of {service}"


_LONGEST = 200


def _subjects(call: str, params: Mapping[str, object], own: Own, caller: str) -> Iterator[str]:
    creation, removal = creation_of(call, params), BY_REMOVAL.get(call)
    if creation:
        names = names_made(creation, params, {}, own.account, own.partition)
        inside = ", ".join(_inside(params, own))
        label = _label(creation.kind, {"UserName": caller, **names})
        yield f"{label} with {inside}" if inside else label
    elif removal:
        yield _label(removal.id, {"UserName": caller, **params})
    else:
        for rule in CHANGES.get(call, ()):
            for one in rule.either or (rule,):
                yield from _named_by(one, params, caller)


def _named_by(rule: Rule, params: Mapping[str, object], caller: str) -> Iterator[str]:
    kind = _ROLE if rule.must is Must.ROLE else rule.kind
    if rule.must not in (Must.OWN, Must.ROLE):
        return
    found = search(rule.where, params) or (caller if rule.implied else None)
    for name in found if isinstance(found, list) else [found]:
        if name:
            yield _label(kind, {KINDS[kind].names[0]: str(name)})


def _inside(params: Mapping[str, object], own: Own) -> Iterator[str]:
    """What a template makes, with the names that it gives."""
    said: dict[str, str] = {}
    for one in resources_of(params, own) if "TemplateBody" in params else ():
        kind = BY_RESOURCE_TYPE.get(one.type)
        what = kind.what.partition(" {")[0] if kind else one.type
        names = (search(rule.where, one.properties) for rule in RESOURCES.get(one.type, ())
                 if rule.must is Must.NEW)  # fmt: skip
        known = next((str(name) for name in names if name and str(name).isprintable()), "")
        said.setdefault(one.logical, f"{what} {known}".strip())
    yield from said.values()


def kinds_made(call: str, params: Mapping[str, object], own: Own) -> tuple[str, ...]:
    """The kind of each thing that a call makes; what its template makes too."""
    creation = creation_of(call, params)
    inside = resources_of(params, own) if "TemplateBody" in params else []
    types = {one.logical: one.type for one in inside}.values()
    kinds = [BY_RESOURCE_TYPE[each].id for each in types if each in BY_RESOURCE_TYPE]
    return tuple([creation.kind, *kinds] if creation else kinds)


def _label(kind: str, names: Mapping[str, object]) -> str:
    """What people call it; what is not known of its names is left out."""
    known = {
        **dict.fromkeys(KINDS[kind].names, ""),
        **{key: str(one) for key, one in names.items()},
    }
    return " ".join(KINDS[kind].label(known).split())
