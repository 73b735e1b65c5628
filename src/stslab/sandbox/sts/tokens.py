"""GetSessionToken and GetFederationToken: sessions of an IAM user, or of the root user.

IAM User Guide, "Permissions for GetSessionToken" and "Permissions for GetFederationToken".
"""

from dataclasses import dataclass

from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.services import Judge, ManagedText, VerifyMfa
from stslab.sandbox.state.identities import User
from stslab.sandbox.state.transaction import Transaction
from stslab.sandbox.sts import faults, issuing, session_policies, session_tags

_DEFAULT_SECONDS = 43200
_ROOT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Tokens:
    """The two operations that take long-term credentials only."""

    judge: Judge
    managed_text: ManagedText
    verify_mfa: VerifyMfa

    def get_session_token(self, tx: Transaction, request: ApiRequest) -> Answer:
        """Carry out GetSessionToken, for which nobody needs a permission."""
        caller, params = request.caller, request.params
        user = tx.get(User, caller.account, caller.user_name.lower())
        serial, code = params.get("SerialNumber"), params.get("TokenCode")
        proved = self.verify_mfa(tx, user, serial, code, request.now)
        least = int(params.get("MinimumSessionTokenSize", 0))
        grant = issuing.Grant(_duration(request), least_token_size=least)
        session = issuing.issue(
            tx,
            caller.account,
            request.now,
            grant,
            kind="SessionToken",
            principal_arn=caller.principal.arn,
            user_id=caller.user_id,
            issuer_arn=caller.principal.arn,
            issuer_id=caller.user_id,
            user_name=caller.user_name,
            mfa=request.now.replace(microsecond=0) if proved else None,
        )
        return issuing.answer(session, grant)

    def get_federation_token(self, tx: Transaction, request: ApiRequest) -> Answer:
        """Carry out GetFederationToken."""
        caller, params = request.caller, request.params
        arn = f"arn:aws:sts::{caller.account}:federated-user/{params['Name']}"
        tags = session_tags.from_params(params, None)
        self._authorize(tx, request, arn, tags)
        grant = issuing.Grant(
            _duration(request),
            session_policies.from_params(tx, caller.account, params, self.managed_text),
            tags.all,
            int(params.get("MinimumSessionTokenSize", 0)),
            always_limited=True,
        )
        session = issuing.issue(
            tx,
            caller.account,
            request.now,
            grant,
            kind="FederatedUser",
            principal_arn=arn,
            user_id=f"{caller.account}:{params['Name']}",
            issuer_arn=caller.principal.arn,
            issuer_id=caller.user_id,
            user_name=caller.user_name,
            session_name=params["Name"],
        )
        user = {"FederatedUserId": session.user_id, "Arn": arn}
        return issuing.answer(session, grant) | {"FederatedUser": user}

    def _authorize(
        self, tx: Transaction, request: ApiRequest, arn: str, tags: session_tags.SessionTags
    ) -> None:
        actions = ["sts:GetFederationToken", *(["sts:TagSession"] if tags.all else [])]
        for action in actions:
            decision = self.judge.decide(tx, request, action, arn, context=tags.context())
            if not decision.allowed:
                raise faults.denied(decision)


def _duration(request: ApiRequest) -> int:
    """The seconds asked for; the root user gets an hour at most, and by default."""
    asked = int(request.params.get("DurationSeconds", _DEFAULT_SECONDS))
    return min(asked, _ROOT_SECONDS) if request.caller.kind == "Root" else asked
