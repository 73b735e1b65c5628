"""The records of a new embedded account: two AWS accounts, each with a root user and an admin.

As in AWS, each account has two service-linked roles.
"""

import secrets
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec.structs import replace

from stslab.sandbox.api import identifiers
from stslab.sandbox.iam import roles
from stslab.sandbox.iam.users import new_key
from stslab.sandbox.state.identities import AccessKey, User
from stslab.sandbox.state.snapshot import Account, Record, Settings, View
from stslab.vocabulary import LEARNER, PARTNER

ADMINISTRATOR = "admin"


def new() -> Iterator[Record]:
    yield Settings(instance=new_instance())
    now = datetime.now(UTC)
    for account, name in ((LEARNER, "learner"), (PARTNER, "partner")):
        yield Account(account=account, name=name, canonical_id=secrets.token_hex(32))
        yield from roles.of_a_new_account(account, now)
        yield new_key(account, now, None)
        admin = User(
            account=account,
            name=ADMINISTRATOR,
            unique_id=identifiers.unique_id("AIDA", account),
            created=now,
            attached=("arn:aws:iam::aws:policy/AdministratorAccess",),
        )
        key = new_key(account, now, admin)
        yield key
        yield replace(admin, access_keys=(key.key,))


def new_instance() -> str:
    """A random id for an embedded account, which tells it from others."""
    return uuid.uuid4().hex[:12]


def usable_key(view: View, account: str, user: str) -> AccessKey | None:
    """The oldest active access key of a user; ``user`` is its name, empty for the root user."""
    keys = [one for one in view.all(AccessKey, account) if one.user == user and one.active]
    return min(keys, key=lambda key: (key.created, key.key), default=None)
