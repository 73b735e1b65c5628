"""Making a session and the answer that hands it out; the same for all that issue one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.sts import session_policies
from stslab.sandbox.sts.sessions import Session, SessionPolicy, SessionStore, new_credentials


@dataclass(frozen=True, slots=True)
class Grant:
    """What a new session carries beside who it is: policies, tags, and how long it lasts.

    ``always_limited``: without session policies the session may do nothing, instead of all
    that its issuer may.
    """

    seconds: int
    policies: tuple[SessionPolicy, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    least_token_size: int = 0
    always_limited: bool = False

    @property
    def packs(self) -> bool:
        """Whether anything takes room in the token that AWS tells the size of."""
        return bool(self.policies or self.tags)


def issue(
    store: SessionStore, request: ApiRequest, account: str, grant: Grant, **who: Any
) -> Session:
    """A new session in ``store``, from now, for whom the fields ``who`` of Session describe."""
    size = session_policies.token_size(grant.policies, grant.tags, grant.least_token_size)
    issued = request.now.replace(microsecond=0)
    session = Session(
        account=account,
        issued=issued,
        expires=issued + timedelta(seconds=grant.seconds),
        session_policies=grant.policies if grant.policies or grant.always_limited else None,
        tags=grant.tags,
        **who,
        **new_credentials(account, size),
    )
    return store.add(session)


def answer(session: Session, grant: Grant) -> dict[str, Any]:
    """The members that every operation answers which issues a session."""
    size = len(session.session_token)
    members: dict[str, Any] = {
        "Credentials": credentials(session),
        "SessionTokenSize": size,
        "SessionTokenUtilization": session_policies.percent(size),
    }
    if grant.packs:
        members["PackedPolicySize"] = session_policies.percent(size)
    return members


def credentials(session: Session) -> Mapping[str, Any]:
    """The Credentials structure of the session."""
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "SessionToken": session.session_token,
        "Expiration": session.expires,
    }
