"""A message as a value: who asked for what, on what, and which gate refused."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from stslab.policy.request import account_of, split_arn
from stslab.policy.vocabulary import Gate

_ASSUMING: Final = frozenset(
    """
    sts:assumerole sts:assumerolewithsaml sts:assumerolewithwebidentity sts:setsourceidentity
    sts:tagsession
    """.split()
)


@cache
def table(name: str) -> dict[str, Any]:
    """One of the YAML files of this folder: what errors there are, and what to look at."""
    import yaml

    text = (Path(__file__).parent / f"{name}.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


class OtherGate(StrEnum):
    """What AWS's messages name beside the gates that decide in the embedded account."""

    ENDPOINT = "vpc endpoint policy"
    PUBLIC_ACCESS = "block public access"


class Known(msgspec.Struct, frozen=True):
    """An error that no policy decides: a row of known.yaml, where ``match`` are its patterns.

    ``says``: what happened. ``open``: what the message can't say. ``look``: steps as rows.
    """

    match: tuple[str, ...]
    says: str
    look: tuple[Any, ...]
    gate: Gate | None = None
    open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """What a message says; an empty text or None is what it does not say.

    ``caller``, ``resource`` and ``policy`` stand as they are given, so that account ids that
    were blacked out stay so. ``explicit``: a Deny applied (True), or nothing allowed (False).
    ``setting``: the setting of S3 Block Public Access that refused. ``encoded``: an encoded
    authorization message is there, which is never kept. ``more``: further refusals in the
    same text.
    """

    caller: str = ""
    action: str = ""
    resource: str = ""
    gate: Gate | OtherGate | None = None
    explicit: bool | None = None
    policy: str = ""
    setting: str = ""
    code: str = ""
    operation: str = ""
    service: str = ""
    encoded: bool = False
    known: Known | None = None
    more: int = 0

    @property
    def caller_kind(self) -> str:
        """What sort of caller the ARN names; empty where it can't be told."""
        forms = table("facts")["callers"].items()
        return next((kind for form, kind in forms if re.match(form, self.caller)), "")

    @property
    def resource_arn(self) -> str:
        """The resource's ARN, without the kind that IAM writes before it; empty for a name."""
        named = self.resource[max(self.resource.find("arn:"), 0) :]
        return named if split_arn(named) else ""

    @property
    def same_account(self) -> bool | None:
        """Whether caller and resource are of one account; None where an ARN names none."""
        ours, theirs = account_of(self.caller), account_of(self.resource_arn)
        return ours == theirs if ours and theirs else None

    @property
    def assumes_role(self) -> bool:
        """Whether a session of a role was asked for, which the role's trust policy decides."""
        return self.action.lower() in _ASSUMING

    @property
    def with_token(self) -> bool:
        """Whether a role was asked for on the word of an identity provider."""
        return self.action.lower().startswith("sts:assumerolewith")
