"""Asks the policy engine, in the name of the gate and of the services behind it."""

from __future__ import annotations

import threading

from stslab.policy import Decision, NamedPolicy, Policies, Principal, Request, authorize
from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.api.need import Context, Need
from stslab.sandbox.pipeline import context as contexts
from stslab.sandbox.pipeline import gather
from stslab.sandbox.saved.account import World

FORBIDDEN = 403


class Judge:
    """Decides what requests need, and remembers the decisions until they are logged."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._noted = threading.local()

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
        """Decide ``action`` on ``resource`` for the request's caller, and note the decision.

        ``context`` adds to the global condition keys, and wins. ``principal`` stands in for a
        caller whom the request itself identifies, and who has no policies of its own.
        """
        own = Policies() if principal else gather.policies_of(self._world, request.caller)
        policies = Policies(own.identity, resource_policy, own.boundaries, own.session)
        question = Request(
            principal or request.caller.principal,
            action,
            resource,
            {**contexts.of_request(self._world, request, resource_account), **context},
            resource_account,
        )
        decision = authorize(question, policies)
        self.notes().append(decision)
        return decision

    def decide_need(self, request: ApiRequest, need: Need) -> Decision:
        """Decide one need of a request, and note the decision."""
        return self.decide(
            request,
            need.action,
            need.resource,
            context=need.context,
            resource_policy=need.resource_policy,
            resource_account=need.resource_account,
        )

    def require(self, request: ApiRequest, need: Need) -> None:
        """Let pass what is allowed.

        Raises:
            ApiFault: AccessDenied, with AWS's message.
        """
        decision = self.decide_need(request, need)
        if not decision.allowed:
            raise denial(request, need, decision)

    def notes(self) -> list[Decision]:
        """The decisions noted in this thread since the last :meth:`start`."""
        noted: list[Decision] | None = getattr(self._noted, "decisions", None)
        if noted is None:
            noted = self.start()
        return noted

    def start(self) -> list[Decision]:
        """Begin a new list of notes, for a request or for a call inside one, and return it."""
        self._noted.decisions = []
        return self._noted.decisions  # type: ignore[no-any-return]

    def resume(self, notes: list[Decision]) -> None:
        """Go on with the notes of the request around the call that has ended."""
        self._noted.decisions = notes


def denial(request: ApiRequest, need: Need, decision: Decision) -> ApiFault:
    """AWS's AccessDenied for a need that was not allowed.

    S3 explains only requests within one account, others get ``Access Denied`` (S3 User Guide,
    "Troubleshoot access denied (403 Forbidden) errors in Amazon S3").
    """
    stranger = request.caller.kind == "Anonymous" or need.resource_account != request.caller.account
    if request.service == "s3" and stranger:
        return ApiFault("AccessDenied", "Access Denied", FORBIDDEN)
    return ApiFault("AccessDenied", message(need, decision), FORBIDDEN)


def message(need: Need, decision: Decision) -> str:
    """The decision's message, with the resource called as the service calls it."""
    if need.shown is None:
        return decision.message
    named = f" on resource: {need.shown}" if need.shown else ""
    return decision.message.replace(f" on resource: {need.resource}", named, 1)
