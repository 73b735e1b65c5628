"""What a run of a lab knows before it begins. Pure.

What only an answer will tell stands as its name in angle brackets: ``<role_arn>``.
"""

from collections.abc import Mapping

import msgspec

from stslab.errors import UnresolvedReference
from stslab.kinds.own import Allowed
from stslab.lab.model import LabFile
from stslab.lab.reading.expressions import OPEN, Data
from stslab.lab.references import Scope, resolve, resolve_vars
from stslab.structures import mapped

PARTNER = "partner"
BASE: Scope = {
    "run": {"id": "<run>"},
    "account": "<account>",
    "region": "<region>",
    "partition": "aws",
    "accounts": {PARTNER: {"id": f"<{PARTNER}>"}},
}


class Foresight(msgspec.Struct, frozen=True):
    """What is known (``scope``), and the texts that stand for what is not (``unknown``)."""

    scope: Mapping[str, Data]
    unknown: frozenset[str] = msgspec.field(default_factory=frozenset)

    def params(self, params: Mapping[str, Data] | None) -> dict[str, Data]:
        """Parameters as far as they are known; the rest stays as it is written."""
        return {name: as_known(value, self.scope) for name, value in (params or {}).items()}


def foresee(lab: LabFile, base: Scope = BASE) -> Foresight:
    """What a run of the whole lab will know, with ``base`` for what every run begins with."""
    steps = [step for stage in lab.stages for step in stage.steps]
    saved = {name: f"<{name}>" for step in steps for name in step.save}
    made = [step.profile.name for step in steps if step.profile]
    profiles = {
        name: {"access_key_id": f"<access key of {name}>", "expiration": f"<end of {name}>"}
        for name in made
    }
    codes = {
        name: {"code": f"<code of {name}>", "next": f"<next code of {name}>"}
        for name in (*saved, *lab.vars)
    }
    live = {"now": "<now>", "token": "<token>"}
    tokens = {name: f"<token {name}>" for name in lab.tokens}
    unknown = [*live.values(), *saved.values()]
    for one in (tokens, *codes.values(), *profiles.values()):
        unknown += one.values()
    try:
        variables = resolve_vars(lab.vars, base)
    except UnresolvedReference:
        variables = dict(lab.vars)
    named = {"mfa": codes, "tokens": tokens, "profiles": profiles}
    scope = {**base, **live, **variables, **saved, **named}
    return Foresight(scope, frozenset({*unknown, OPEN}))


def as_known(value: Data, scope: Scope) -> Data:
    """A value with all that is known put in; a text that refers to anything else stays."""

    def known(text: str) -> Data:
        try:
            return resolve(text, scope)
        except UnresolvedReference:
            return text

    return mapped(value, known)


def allowed(lab: LabFile, scope: Scope) -> Allowed:
    return Allowed(
        roles=tuple(str(as_known(one, scope)) for one in lab.uses.roles),
        accounts=tuple(str(as_known(one, scope)) for one in lab.uses.accounts),
        services=lab.services,
    )
