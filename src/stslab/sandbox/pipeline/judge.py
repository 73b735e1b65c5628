"""Asks the policy engine, for the pipeline and for the services behind it."""

import threading
from collections.abc import Callable

from stslab.policy import Decision, NamedPolicy, Policies, Principal, Request, authorize
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.api.need import Context, Need
from stslab.sandbox.api.services import denial
from stslab.sandbox.pipeline import context as contexts
from stslab.sandbox.pipeline import gather
from stslab.sandbox.state.snapshot import View


class Judge:
    """Decides what requests need, and remembers the decisions until they are logged.

    ``seen`` gives the view that the rest of AWS has of IAM; a rehearsal puts an older one there.
    """

    def __init__(self) -> None:
        self.seen: Callable[[View], View] = _everything
        self._noted = threading.local()

    def decide(
        self,
        view: View,
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
        caller whom the request itself identifies, and that has no policies of its own.
        """
        own = Policies() if principal else gather.policies_of(self.seen(view), request.caller)
        policies = Policies(own.identity, resource_policy, own.boundaries, own.session)
        question = Request(
            principal or request.caller.principal,
            action,
            resource,
            {**contexts.of_request(view, request, resource_account), **context},
            resource_account,
        )
        decision = authorize(question, policies)
        self.notes().append(decision)
        return decision

    def decide_need(self, view: View, request: ApiRequest, need: Need) -> Decision:
        """Decide one need of a request, and note the decision."""
        return self.decide(
            view,
            request,
            need.action,
            need.resource,
            context=need.context,
            resource_policy=need.resource_policy,
            resource_account=need.resource_account,
        )

    def require(self, view: View, request: ApiRequest, need: Need) -> None:
        """Let pass what is allowed.

        Raises:
            ApiFault: AccessDenied, with AWS's message.
        """
        decision = self.decide_need(view, request, need)
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


def _everything(view: View) -> View:
    return view
