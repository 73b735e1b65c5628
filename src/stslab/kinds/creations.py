"""The operations that make things or change them, and what they make: to name it, to compare it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stslab.kinds.kind import search
from stslab.kinds.table import KINDS, rows


@dataclass(frozen=True, slots=True)
class Creation:
    """An operation that makes a thing.

    ``repeatable``: making it again changes nothing. ``overwrites``: it succeeds although
    the thing was there before, so one looks first. ``names`` maps names to expressions,
    where they are not parameters of the same name. ``adopt`` builds its response from that
    of the kind's lookup. ``discover`` lists the ids of the kind, where only the answer tells the
    id (``discovered`` is its name). ``tags``: the parameter that takes tags.
    """

    kind: str
    repeatable: bool = False
    overwrites: bool = False
    names: Mapping[str, str] | None = None
    adopt: str = ""
    discover: str = ""
    discovered: str = ""
    tags: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one operation makes of a thing of ``kind``.

    ``shows`` maps a parameter to where the look-up's answer has it; ``made`` tells when the
    thing was made. ``more`` is a second look-up, whose answer is added to the first's: an
    operation, and its parameters as expressions over ``{answer, thing}``. ``put_back`` gives
    the thing its document again: an operation, and its parameters beside the thing's names,
    each a value or a document's ``{}``.
    """

    kind: str
    shows: Mapping[str, str] = field(default_factory=dict)
    made: str = ""
    more: tuple[str, Mapping[str, str]] | None = None
    put_back: tuple[str, Mapping[str, object]] | None = None

    def names(self, params: Mapping[str, object]) -> dict[str, str]:
        """What names the thing that a call with these parameters is about, as far as they tell."""
        return {name: str(params[name]) for name in KINDS[self.kind].names if name in params}


CREATIONS: Mapping[str, Creation] = rows("creations", Creation)
DOCUMENT = "{}"
"""In ``put_back``: where the policy document goes."""

EFFECTS: Mapping[str, Effect] = {
    **{call: Effect(creation.kind) for call, creation in CREATIONS.items()},
    **rows("effects", Effect),
}
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
