"""Asks the policy engine, for the pipeline and for the services behind it."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping

from stslab.policy import Decision, NamedPolicy, Policies, PolicyKind, Principal, Request, authorize
from stslab.sandbox.api.model import ApiRequest, Caller
from stslab.sandbox.api.need import Context, Need
from stslab.sandbox.api.policies import named
from stslab.sandbox.api.services import denial
from stslab.sandbox.iam import lookups
from stslab.sandbox.pipeline import context as contexts
from stslab.sandbox.state.identities import Identity, Role, User
from stslab.sandbox.state.sessions import Session, SessionPolicy
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.sts import callers


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
        own = Policies() if principal else _policies_of(self.seen(view), request.caller)
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


def _policies_of(view: View, caller: Caller) -> Policies:
    """The caller's identity-based policies, boundaries and session policies.

    A user or role that is gone has no policies, and so no permissions (IAM User Guide, "Policies
    and permissions in IAM").
    """
    gatherer = _BY_KIND.get(caller.kind)
    return Policies() if gatherer is None else gatherer(view, caller)


def of_user(view: View, user: User | None) -> Policies:
    """The policies of the user and its groups."""
    if user is None:
        return Policies()
    identity = [*_own(view, user, f"user {user.name}")]
    for group in lookups.groups_of(view, user):
        identity += _own(view, group, f"group {group.name}")
    return Policies(identity=tuple(identity), boundaries=_boundary(view, user))


def _of_role(view: View, role: Role | None) -> Policies:
    """The policies of the role."""
    if role is None:
        return Policies()
    identity = tuple(_own(view, role, f"role {role.name}"))
    return Policies(identity=identity, boundaries=_boundary(view, role))


def _of_root(_view: View, caller: Caller) -> Policies:
    return _root(caller.account)


def _root(account: str) -> Policies:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": everything})
    return Policies(identity=(named(f"root user of {account}", text, PolicyKind.IDENTITY),))


def _own(view: View, owner: Identity, whose: str) -> Iterable[NamedPolicy]:
    for name, text in owner.inline.items():
        yield named(f"inline policy {name} of {whose}", text, PolicyKind.IDENTITY)
    for arn in owner.attached:
        managed = lookups.managed_text(view, owner.account, arn)
        if managed is not None:
            yield named(f"managed policy {arn} of {whose}", managed, PolicyKind.IDENTITY)


def _boundary(view: View, owner: User | Role) -> tuple[NamedPolicy, ...] | None:
    if not owner.boundary:
        return None
    text = lookups.managed_text(view, owner.account, owner.boundary)
    if text is None:
        return ()
    return (named(f"permissions boundary {owner.boundary}", text, PolicyKind.BOUNDARY),)


def _of_user(view: View, caller: Caller) -> Policies:
    user = view.get(User, caller.account, caller.user_name.lower())
    return of_user(view, user if user and user.unique_id == caller.user_id else None)


def _of_session(view: View, caller: Caller) -> Policies:
    session = caller.session
    if session is None:
        return Policies()
    own = _issuer(view, session)
    if session.session_policies is None:
        return own
    passed = tuple(_session_policy(view, session, one) for one in session.session_policies)
    return Policies(identity=own.identity, boundaries=own.boundaries, session=passed)


def _issuer(view: View, session: Session) -> Policies:
    if session.issuer_id == session.account:
        return _root(session.account)
    issuer = callers.issuer(view, session)
    return _of_role(view, issuer) if isinstance(issuer, Role) else of_user(view, issuer)


def _session_policy(view: View, session: Session, passed: SessionPolicy) -> NamedPolicy:
    current = lookups.managed_text(view, session.account, passed.arn) if passed.arn else None
    name = f"session policy {passed.name}"
    return named(name, current or passed.document, PolicyKind.SESSION)


_BY_KIND: Mapping[str, Callable[[View, Caller], Policies]] = {
    "Root": _of_root,
    "IAMUser": _of_user,
    "AssumedRole": _of_session,
    "FederatedUser": _of_session,
    "SessionToken": _of_session,
    "WebIdentityUser": _of_session,
}
