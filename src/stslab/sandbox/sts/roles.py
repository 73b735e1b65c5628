"""Sessions of a role, for any caller: the role, what a call needs, and its answer."""

import re
from collections.abc import Iterator

import msgspec

from stslab.policy import NamedPolicy, PolicyKind, Principal, catalogue
from stslab.sandbox.api import faults, model, policies
from stslab.sandbox.api.model import Answer, ApiRequest, Params
from stslab.sandbox.state.identities import Role
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.sts import sessions

_ROLE_ARN = re.compile(r"arn:aws:iam::(\d+):role(/(?:[\x21-\x7e]*/)?)([\w+=,.@-]{1,64})", re.ASCII)
_ANY_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:(?:[^:]*:.+|[^:]+)")
_HOUR, _MOST = 3600, 43200
_LASTING = re.compile(
    r"aws:FederatedProvider|saml:(?:namequalifier|sub|sub_type)|(?!saml:).*:(?:amr|aud|sub)"
)
"""The condition keys of a federated user that its later requests also have."""


class Target(msgspec.Struct, frozen=True):
    """The role that a call is for. ``role`` and ``trust`` are None if it does not exist."""

    arn: str
    account: str
    name: str
    role: Role | None = None
    trust: NamedPolicy | None = None


class RoleRequest(msgspec.Struct, frozen=True):
    """A request for a session of a role.

    ``context`` are the condition keys of this operation only. ``principal`` is the federated
    user of a call that is not signed.
    """

    operation: str
    target: Target
    session_name: str
    tags: sessions.SessionTags
    source_identity: str
    context: model.Keys
    principal: Principal | None = None

    def keys(self, action: str) -> model.Keys:
        """The condition keys of one of this call's actions, beside the global ones."""
        keys: model.Keys = {"sts:RoleSessionName": self.session_name}
        if self.source_identity:  # in a chain of roles, also that of the earlier session
            keys["sts:SourceIdentity"] = self.source_identity
        if self.target.role:
            keys |= model.resource_tags(self.target.role.tags, "iam")
        keys |= self.tags.context() | self.context
        return {key: one for key, one in keys.items() if catalogue.may_have(key, action)}

    def lasting(self) -> Iterator[tuple[str, str | tuple[str, ...]]]:
        """The condition keys of a federated user that the session's requests have too."""
        derived = self.principal.keys if self.principal else {}
        for key, value in {**derived, **self.context}.items():
            if _LASTING.fullmatch(key):
                yield key, value if isinstance(value, str) else tuple(value)


class RoleSessions:
    """Issues sessions of roles to callers that the policies allow."""

    def __init__(self, judge: model.Judge, managed_text: model.ManagedText) -> None:
        self._judge, self._managed_text = judge, managed_text

    def target(self, view: View, arn: str, wrong: str = "") -> Target:
        """The role with this ARN. Raises ValidationError, with the message ``wrong`` if given.

        Unless it is given, any other ARN is a role that nobody may assume, of no account.
        """
        match = _ROLE_ARN.fullmatch(arn)
        if match is None:
            if wrong or not _ANY_ARN.fullmatch(arn):
                raise faults.invalid(wrong or f"{arn} is invalid")
            return Target(arn, "", "")
        account, _, name = match.groups()
        seen = self._judge.seen(view)
        role = seen.get(Role, account, name.lower())
        if role is None or role.arn != arn:
            return Target(arn, account, name)
        text = policies.with_arns(role.trust, seen)
        trust = policies.named(f"trust policy of role {name}", text, PolicyKind.TRUST)
        return Target(arn, account, name, role, trust)

    def session(
        self, tx: Transaction, request: ApiRequest, wanted: RoleRequest, at_most: int = _MOST
    ) -> Answer:
        """Issue a session of the role, of ``at_most`` seconds, and return the answer.

        Raises AccessDenied unless the policies allow every action.
        """
        role = self._authorized(tx, request, wanted)
        chained = not wanted.principal and request.caller.kind in ("AssumedRole", "SessionToken")
        account = wanted.target.account
        passed = sessions.session_policies(tx, account, request.params, self._managed_text)
        session, members = sessions.issue(
            tx,
            request,
            account,
            min(_duration(request.params, role, chained=chained), at_most),
            policies=passed or None,
            tags=wanted.tags.all,
            kind="AssumedRole",
            principal_arn=f"arn:aws:sts::{account}:assumed-role/{role.name}/{wanted.session_name}",
            user_id=f"{role.unique_id}:{wanted.session_name}",
            issuer_arn=role.arn,
            issuer_id=role.unique_id,
            role_name=role.name,
            transitive_tags=wanted.tags.transitive,
            source_identity=wanted.source_identity,
            provider_keys=tuple(wanted.lasting()),
        )
        user = {"AssumedRoleId": session.user_id, "Arn": session.principal_arn}
        return members | {"AssumedRoleUser": user, "SourceIdentity": wanted.source_identity or None}

    def _authorized(self, view: View, request: ApiRequest, wanted: RoleRequest) -> Role:
        target = wanted.target
        # By public records of AWS's answers, the operation itself comes last.
        further = {"SetSourceIdentity": wanted.source_identity, "TagSession": wanted.tags.all}
        operations = [*(one for one, sent in further.items() if sent), wanted.operation]
        for action in (f"sts:{one}" for one in operations):
            need = model.Need(action, target.arn, wanted.keys(action), target.trust, target.account)
            decision = self._judge.decide(view, request, need, wanted.principal)
            if not decision.allowed:  # a federated user is told no reason
                short = f"Not authorized to perform sts:{wanted.operation}"
                raise faults.access_denied(short if wanted.principal else decision.message)
        if target.role is None:
            raise RuntimeError(f"{target.arn} does not exist, but a trust policy allowed it")
        return target.role


def _duration(params: Params, role: Role, *, chained: bool) -> int:
    """At most the role's maximum, and an hour in a chain (IAM User Guide, "Using IAM roles").

    A session of GetSessionToken also starts one: https://github.com/99designs/aws-vault/issues/263.
    """
    seconds = int(params.get("DurationSeconds", _HOUR))
    limits = {
        "MaxSessionDuration set for this role.": role.max_session,
        "1 hour session limit for roles assumed by role chaining.": _HOUR if chained else _MOST,
    }
    for what, most in limits.items():
        faults.require(seconds <= most, f"The requested DurationSeconds exceeds the {what}")
    return seconds
