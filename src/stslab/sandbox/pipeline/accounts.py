"""The records of a new embedded account: two AWS accounts, each with a root user and an admin.

The administrator is named ``admin``, and has AdministratorAccess and an access key.
"""

import secrets
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

from stslab.sandbox.api import identifiers
from stslab.sandbox.api.identifiers import LEARNER, PARTNER
from stslab.sandbox.state.identities import AccessKey, User
from stslab.sandbox.state.snapshot import Account, Record, Settings, View

ADMINISTRATOR = "admin"
_ADMINISTRATOR_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"


def new() -> Iterator[Record]:
    yield Settings(instance=new_instance())
    now = datetime.now(UTC)
    for account, name in ((LEARNER, "learner"), (PARTNER, "partner")):
        yield Account(account=account, name=name, canonical_id=secrets.token_hex(32))
        yield _key(account, now, owner=account)
        user_id = identifiers.unique_id("AIDA", account)
        key = _key(account, now, owner=user_id, user=ADMINISTRATOR)
        yield key
        yield User(
            account=account,
            name=ADMINISTRATOR,
            unique_id=user_id,
            created=now,
            attached=(_ADMINISTRATOR_POLICY,),
            access_keys=(key.key,),
        )


def new_instance() -> str:
    """A random id for an embedded account, which tells it from others."""
    return uuid.uuid4().hex[:12]


def usable_key(view: View, account: str, user: str) -> AccessKey | None:
    """The oldest active access key of a user; ``user`` is its name, empty for the root user."""
    keys = [one for one in view.all(AccessKey, account) if one.user == user and one.active]
    return min(keys, key=lambda key: (key.created, key.key), default=None)


def _key(account: str, now: datetime, *, owner: str, user: str = "") -> AccessKey:
    return AccessKey(
        account=account,
        access_key_id=identifiers.access_key_id("AKIA", account),
        secret_access_key=identifiers.secret_access_key(),
        owner=owner,
        user=user,
        created=now,
    )
