"""What STS and the sandbox's own IAM need of the rest of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from stslab.policy import Decision, NamedPolicy, Principal
from stslab.sandbox.api.model import ApiRequest

Context = Mapping[str, str | Sequence[str]]


class Judge(Protocol):
    """The gate's judgement, for calls that only their service can put into questions."""

    def decide(
        self,
        request: ApiRequest,
        action: str,
        resource: str,
        *,
        context: Context,
        resource_policy: NamedPolicy | None = None,
        principal: Principal | None = None,
        resource_account: str | None = None,
    ) -> Decision:
        """Decide ``action`` on ``resource`` for the request's caller, and log the decision.

        The caller's own policies and the global condition keys are the gate's to gather;
        ``context`` adds to them and wins. ``principal`` stands in for a caller whom the
        request itself identifies (a web identity), who has no policies of its own.
        """
        ...
