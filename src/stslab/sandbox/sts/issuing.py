"""Making a session and the answer that hands it out; the same for all that issue one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from stslab.sandbox.api import identifiers
from stslab.sandbox.state.sessions import Session, SessionPolicy
from stslab.sandbox.state.transaction import Transaction
from stslab.sandbox.sts import session_policies

_REMEMBERED = timedelta(hours=36)
# Of so many new sessions one looks for those that expired long ago, and forgets so many at most.
_LOOKS_EVERY, _FORGETS = 1024, 4096


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


def issue(tx: Transaction, account: str, now: datetime, grant: Grant, **who: Any) -> Session:
    """A new session that the fields ``who`` of Session describe."""
    size = session_policies.token_size(grant.policies, grant.tags, grant.least_token_size)
    issued = now.replace(microsecond=0)
    session = Session(
        account=account,
        access_key_id=identifiers.access_key_id("ASIA", account),
        secret_access_key=identifiers.secret_access_key(),
        session_token=identifiers.session_token(size),
        issued=issued,
        expires=issued + timedelta(seconds=grant.seconds),
        session_policies=grant.policies if grant.policies or grant.always_limited else None,
        tags=grant.tags,
        **who,
    )
    if tx.count(Session, account) % _LOOKS_EVERY == 0:
        _forget(tx, account, issued - _REMEMBERED)
    tx.put(session)
    return session


def answer(session: Session, grant: Grant) -> dict[str, Any]:
    """The members that every operation answers which issues a session."""
    size = len(session.session_token)
    members: dict[str, Any] = {
        "Credentials": _credentials(session),
        "SessionTokenSize": size,
        "SessionTokenUtilization": session_policies.percent(size),
    }
    if grant.packs:
        members["PackedPolicySize"] = session_policies.percent(size)
    return members


def _credentials(session: Session) -> Mapping[str, Any]:
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "SessionToken": session.session_token,
        "Expiration": session.expires,
    }


def _forget(tx: Transaction, account: str, before: datetime) -> None:
    long_gone = (one for one in tx.all(Session, account) if one.expires <= before)
    for session in tuple(islice(long_gone, _FORGETS)):
        tx.delete(session)
