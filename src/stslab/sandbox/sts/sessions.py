"""The sessions that STS has issued, and the key records that authentication asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from stslab.sandbox.api import identifiers
from stslab.sandbox.saved.tables import Table

_REMEMBERED = timedelta(hours=36)
_PRUNE_FROM = 1024


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """A session policy: inline (``arn`` empty) or managed, with its text as it was passed.

    A managed one is judged by the text that the policy has when it is used; ``document`` is
    the one it had when the session was made.
    """

    name: str
    document: str
    arn: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """One set of temporary credentials, and all that is known of who holds them.

    ``kind`` is AssumedRole, FederatedUser or SessionToken. ``principal_arn`` and ``user_id``
    are what GetCallerIdentity says (``AROA…:name``, ``AIDA…``, ``ACCOUNT:name``). ``issuer_arn``
    and ``issuer_id`` name whose policies give the permissions: the role's, or the user's (or
    the root user's) who asked. ``session_policies`` is None where none were passed.
    ``tags`` are the session tags with those inherited; ``mfa`` is when a code was verified.
    ``provider_keys`` are the condition keys that the identity provider filled
    (``issuer.example.com:sub``). Times are aware, UTC, by the sandbox's clock.
    """

    access_key_id: str
    kind: str
    account: str
    principal_arn: str
    user_id: str
    issuer_arn: str
    issuer_id: str
    issued: datetime
    expires: datetime
    secret_access_key: str = field(repr=False, default="")
    session_token: str = field(repr=False, default="")
    role_arn: str = ""
    role_id: str = ""
    role_name: str = ""
    session_name: str = ""
    user_name: str = ""
    session_policies: tuple[SessionPolicy, ...] | None = None
    tags: tuple[tuple[str, str], ...] = ()
    transitive_tags: tuple[str, ...] = ()
    source_identity: str = ""
    mfa: datetime | None = None
    federated_provider: str = ""
    provider_keys: tuple[tuple[str, str], ...] = ()
    chained: bool = False


class SessionStore:
    """Every session that is still of interest: live, or expired not long ago.

    Part of what the account saves; writers hold the account's write lock.
    """

    def __init__(self) -> None:
        self._sessions: Table[str, Session] = Table()
        self._prune_at = _PRUNE_FROM

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, session: Session) -> Session:
        """Keep ``session``, and forget those that expired long ago."""
        if len(self._sessions) >= self._prune_at:
            self._forget(session.issued - _REMEMBERED)
        self._sessions[session.access_key_id] = session
        return session

    def find(self, access_key_id: str) -> Session | None:
        """The session with this key, expired or not."""
        return self._sessions.get(access_key_id)

    def _forget(self, before: datetime) -> None:
        for key in [key for key, one in self._sessions.items() if one.expires <= before]:
            del self._sessions[key]
        self._prune_at = max(_PRUNE_FROM, 2 * len(self._sessions))


def new_credentials(account: str, token_size: int) -> dict[str, Any]:
    """The three fields of a Session that are secret or unique, freshly made."""
    return {
        "access_key_id": identifiers.access_key_id("ASIA", account),
        "secret_access_key": identifiers.secret_access_key(),
        "session_token": identifiers.session_token(token_size),
    }
