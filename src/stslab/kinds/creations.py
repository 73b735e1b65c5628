"""The operations that make things, and what names a thing that is made."""

from collections.abc import Mapping

from stslab.kinds.kind import Creation, search
from stslab.kinds.table import KINDS, rows

CREATIONS: Mapping[str, Creation] = rows("creations", Creation)
# Other operations that may be made again with the same parameters, told by their first word.
_REPEATABLE = tuple(
    """
    Abort Assume Attach BatchGet Decode Delete Describe Detach Disable Enable Get Head List Put
    Remove Set Simulate Tag Untag Update Validate
    """.split()
)


def creation_of(call: str, params: Mapping[str, object]) -> Creation | None:
    """The row of a call (``service.Operation``), or None where it makes nothing that is known."""
    return CREATIONS.get(f"{call} {params.get('ChangeSetType', '')}", CREATIONS.get(call))


def names_made(
    creation: Creation,
    params: Mapping[str, object],
    answer: Mapping[str, object],
    account: str,
    partition: str,
) -> dict[str, str]:
    """What names the thing that a call makes, as far as its parameters and its answer tell."""
    known = {
        "params": params,
        "answer": answer,
        "target": {"account": account, "partition": partition},
        "host": str(params.get("Url", "")).partition("://")[2],
    }
    plain = {name: f"params.{name}" for name in KINDS[creation.kind].names}
    expressions = creation.names or plain
    found = {name: search(expression, known) for name, expression in expressions.items()}
    return {name: str(value) for name, value in found.items() if value}


def is_repeatable(call: str) -> bool:
    """Whether a call (``service.Operation``) whose answer was lost may simply be made again."""
    creation = CREATIONS.get(call)
    return creation.repeatable if creation else call.partition(".")[2].startswith(_REPEATABLE)
