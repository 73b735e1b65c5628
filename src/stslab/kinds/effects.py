"""What a call makes of its thing, and where a look-up shows it: for comparing the two."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stslab.kinds.creations import CREATIONS
from stslab.kinds.table import KINDS, rows


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


DOCUMENT = "{}"
"""In ``put_back``: where the policy document goes."""

EFFECTS: Mapping[str, Effect] = {
    **{call: Effect(creation.kind) for call, creation in CREATIONS.items()},
    **rows("effects", Effect),
}
