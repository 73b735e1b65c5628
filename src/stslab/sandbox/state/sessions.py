"""Sessions that STS has issued."""

from typing import ClassVar

import msgspec

from stslab.sandbox.state.record import Moment, Record


class SessionPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """A session policy: inline (``arn`` empty) or managed, with its text as it was passed.

    A managed one is judged by the text that the policy has when it is used; ``document`` is
    the one it had when the session was made.
    """

    name: str
    document: str
    arn: str = ""


class Session(Record, frozen=True, kw_only=True):
    """One set of temporary credentials, and all that is known of who holds them.

    ``kind`` is AssumedRole, FederatedUser or SessionToken. ``principal_arn`` and ``user_id``
    are what GetCallerIdentity says (``AROA…:name``, ``AIDA…``, ``ACCOUNT:name``). ``issuer_arn``
    and ``issuer_id`` name whose policies give the permissions: the role's, or the user's (or
    the root user's) who asked. ``session_policies`` is None where none were passed.
    ``tags`` are the session tags with those inherited; ``mfa`` is when a code was verified.
    ``provider_keys`` are the condition keys that the identity provider filled
    (``issuer.example.com:sub``). Times are aware, UTC, by the account's clock.
    """

    table: ClassVar[str] = "session"
    keyed_by: ClassVar[str] = "access_key_id"

    access_key_id: str
    kind: str
    principal_arn: str
    user_id: str
    issuer_arn: str
    issuer_id: str
    issued: Moment
    expires: Moment
    secret_access_key: str = ""
    session_token: str = ""
    role_arn: str = ""
    role_id: str = ""
    role_name: str = ""
    session_name: str = ""
    user_name: str = ""
    session_policies: tuple[SessionPolicy, ...] | None = None
    tags: tuple[tuple[str, str], ...] = ()
    transitive_tags: tuple[str, ...] = ()
    source_identity: str = ""
    mfa: Moment | None = None
    federated_provider: str = ""
    provider_keys: tuple[tuple[str, str], ...] = ()
    chained: bool = False
