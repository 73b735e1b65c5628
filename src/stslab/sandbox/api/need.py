"""What a request needs: the questions that IAM must answer with yes before it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from stslab.policy import NamedPolicy
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.saved.account import World

Context = Mapping[str, str | Sequence[str]]
Needs = Sequence["Need"]


@dataclass(frozen=True, slots=True)
class Need:
    """One action on one resource, with the condition keys that this action adds.

    ``resource_policy`` is the resource's own, where it has one; ``resource_account`` owns the
    resource. ``shown`` is how the service's messages call the resource, where that is not its
    ARN: IAM says ``user bob``, S3 puts the ARN in quotes, and an empty text leaves it out.
    """

    action: str
    resource: str
    context: Context = field(default_factory=dict)
    resource_policy: NamedPolicy | None = None
    resource_account: str | None = None
    shown: str | None = None


NeedsOf = Callable[[ApiRequest, World], Needs]
