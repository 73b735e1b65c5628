"""GetSessionToken and GetFederationToken: sessions of an IAM user, or of the root user.

IAM User Guide, "Permissions for GetSessionToken" and "Permissions for GetFederationToken".
"""

from __future__ import annotations

from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam.mfa import devices as mfa_devices
from stslab.sandbox.saved.account import World
from stslab.sandbox.sts import faults, issuing, session_policies, session_tags
from stslab.sandbox.sts.ports import Judge
from stslab.sandbox.sts.sessions import SessionStore

_DEFAULT_SECONDS = 43200
_ROOT_SECONDS = 3600


class Tokens:
    """The two operations that take long-term credentials only."""

    def __init__(self, world: World, judge: Judge, store: SessionStore) -> None:
        self._world = world
        self._judge = judge
        self._store = store

    def get_session_token(self, request: ApiRequest) -> dict[str, Any]:
        """Carry out GetSessionToken, for which nobody needs a permission."""
        caller, params = request.caller, request.params
        serial, code = params.get("SerialNumber"), params.get("TokenCode")
        iam = self._world.account(caller.account).iam
        user = iam.users.get(caller.user_name)
        proved = mfa_devices.verified(iam, user, serial, code, request.now)
        least = int(params.get("MinimumSessionTokenSize", 0))
        grant = issuing.Grant(_duration(request), least_token_size=least)
        session = issuing.issue(
            self._store,
            request,
            caller.account,
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

    def get_federation_token(self, request: ApiRequest) -> dict[str, Any]:
        """Carry out GetFederationToken."""
        caller, params = request.caller, request.params
        arn = f"arn:aws:sts::{caller.account}:federated-user/{params['Name']}"
        tags = session_tags.from_params(params, None)
        self._authorize(request, arn, tags)
        managed = self._world.account(caller.account).iam.managed_policies
        grant = issuing.Grant(
            _duration(request),
            session_policies.from_params(params, managed),
            tags.all,
            int(params.get("MinimumSessionTokenSize", 0)),
            always_limited=True,
        )
        session = issuing.issue(
            self._store,
            request,
            caller.account,
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

    def _authorize(self, request: ApiRequest, arn: str, tags: session_tags.SessionTags) -> None:
        actions = ["sts:GetFederationToken", *(["sts:TagSession"] if tags.all else [])]
        for action in actions:
            decision = self._judge.decide(request, action, arn, context=tags.context())
            if not decision.allowed:
                raise faults.denied(decision)


def _duration(request: ApiRequest) -> int:
    """The seconds asked for; the root user gets an hour at most, and by default."""
    asked = int(request.params.get("DurationSeconds", _DEFAULT_SECONDS))
    return min(asked, _ROOT_SECONDS) if request.caller.kind == "Root" else asked
