"""Which capabilities a template needs acknowledged.

AWS CloudFormation User Guide, "Acknowledging IAM resources in AWS CloudFormation templates".
"""

from __future__ import annotations

from collections.abc import Iterable

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.resources.types import TYPES
from stslab.sandbox.cloudformation.template.template import Declared, Template

IAM = "CAPABILITY_IAM"
NAMED_IAM = "CAPABILITY_NAMED_IAM"


def needed(template: Template) -> tuple[str, tuple[str, ...]]:
    """The capability that a template needs ("" if none), and the types it needs it for."""
    demanding = [declared for declared in template.resources.values() if _is_iam(declared)]
    if not demanding:
        return "", ()
    types = tuple(sorted({declared.type for declared in demanding}))
    named = any(_is_named(declared) for declared in demanding)
    return (NAMED_IAM if named else IAM), types


def check(template: Template, given: Iterable[str]) -> None:
    """Refuse, with ``InsufficientCapabilitiesException``, what is not acknowledged."""
    capability, _ = needed(template)
    enough = {IAM: {IAM, NAMED_IAM}, NAMED_IAM: {NAMED_IAM}}
    if capability and not enough[capability] & set(given):
        raise ApiFault(
            "InsufficientCapabilitiesException", f"Requires capabilities : [{capability}]"
        )


def reason(types: Iterable[str]) -> str:
    """Why, as ValidateTemplate says it."""
    return f"The following resource(s) require capabilities: [{', '.join(types)}]"


def _is_iam(declared: Declared) -> bool:
    kind = TYPES.get(declared.type)
    return kind is not None and kind.acknowledged


def _is_named(declared: Declared) -> bool:
    kind = TYPES[declared.type]
    return bool(kind.name_property) and kind.name_property in declared.properties
