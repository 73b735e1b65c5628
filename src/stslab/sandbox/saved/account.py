"""The world that the sandbox serves: its accounts, its clock, and everything that is saved.

IAM and S3 live in moto's own backends, one of each an account. There is one world in a
process: moto keeps its backends in module-wide dictionaries, and a new world replaces them.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"  # read by moto when an account is made
os.environ.pop("MOTO_ACCOUNT_ID", None)  # would send every request to that one account

from stslab.sandbox.api import identifiers
from stslab.sandbox.api.model import ApiRequest, Caller
from stslab.sandbox.saved import moto_backends, moto_patches
from stslab.sandbox.saved.tables import Table

if TYPE_CHECKING:
    from stslab.sandbox.rehearsal.replica import Replica

LEARNER = "111122223333"
PARTNER = "444455556666"
REGION = "us-east-1"
PARTITION = "aws"
_HEADER = "header"
ADMINISTRATOR = "admin"
ADMINISTRATOR_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"

Part = TypeVar("Part")
Internal = Callable[..., Mapping[str, Any]]
StackFinder = Callable[[ApiRequest], "StackFacts | None"]


@dataclass(frozen=True, slots=True)
class StackFacts:
    """What permissions on a stack depend on."""

    arn: str
    tags: Mapping[str, str]


@dataclass(slots=True)
class RootKey:
    """An access key of an account's root user; ``status`` is Active or Inactive."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    create_date: datetime
    status: str = "Active"
    user_name: None = None


@dataclass
class Account:
    """One AWS account, and what moto has no place for.

    ``root_keys`` are those of the root user by id; ``user_boundaries`` maps a user's name to
    the ARN of its permissions boundary.
    """

    account_id: str
    name: str
    canonical_id: str
    root_keys: Table[str, RootKey] = field(default_factory=Table)
    user_boundaries: Table[str, str] = field(default_factory=Table)

    @property
    def iam(self) -> Any:
        """Moto's IAM backend of this account: users, groups, roles, policies, keys."""
        return moto_backends.iam(self.account_id)

    @property
    def s3(self) -> Any:
        """Moto's S3 backend of this account: the buckets that it owns."""
        return moto_backends.s3(self.account_id)

    @property
    def root_arn(self) -> str:
        """The ARN of the root user, which is also how policies name the account."""
        return f"arn:{PARTITION}:iam::{self.account_id}:root"


@dataclass
class Header:
    """What tells one world from the next, and how far its clock was moved."""

    instance: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    clock_offset: timedelta = timedelta(0)


class World:
    """Everything that is saved, and the lock under which it changes.

    ``write_lock`` is held while a request is decided and carried out, so that a list never
    walks what another request changes, and no decision is older than what it allows.
    ``replica`` is None but for a rehearsal, in which what changed in IAM takes time to spread.
    """

    def __init__(self) -> None:
        self.header = Header()
        self.accounts: dict[str, Account] = {}
        self._parts: dict[str, Any] = {}
        self._internal: Internal | None = None
        self._find_stack: StackFinder = _no_stack
        self.replica: Replica | None = None
        self.write_lock = threading.RLock()
        moto_patches.apply()
        moto_patches.use_clock(self.now)

    @classmethod
    def new(cls) -> World:
        """A world of two accounts, each with a root user and an administrator."""
        world = cls()
        moto_backends.clear()
        for account_id, name in ((LEARNER, "learner"), (PARTNER, "partner")):
            world.accounts[account_id] = _new_account(account_id, name)
        return world

    @classmethod
    def of(cls, parts: Mapping[str, Any]) -> World:
        """The world of :meth:`parts` that were saved; moto's backends are still to be filled."""
        world = cls()
        moto_backends.clear()
        world.header = parts[_HEADER]
        for name, part in parts.items():
            if isinstance(part, Account):
                world.accounts[part.account_id] = part
            elif name != _HEADER:
                world._parts[name] = part
        return world

    def parts(self) -> dict[str, Any]:
        """All that is to be saved by name, but for what is in moto's backends."""
        accounts = {f"account {held.account_id}": held for held in self.accounts.values()}
        return {_HEADER: self.header, **accounts, **self._parts}

    @property
    def instance(self) -> str:
        """Another one for each new world."""
        return self.header.instance

    def now(self) -> datetime:
        """The sandbox's clock: aware, UTC."""
        return datetime.now(UTC) + self.header.clock_offset

    def account(self, account_id: str) -> Account:
        """The account of this id.

        Raises:
            KeyError: there is none in this world.
        """
        return self.accounts[account_id]

    def part(self, name: str, make: Callable[[], Part]) -> Part:
        """What a service keeps in the world under ``name``, made the first time.

        It is saved and restored with the rest, so it must be picklable.
        """
        with self.write_lock:
            if name not in self._parts:
                self._parts[name] = make()
            kept: Part = self._parts[name]
            return kept

    def owner_of_bucket(self, bucket: str) -> str | None:
        """The id of the account that owns the bucket, or None where there is no such bucket."""
        return moto_backends.bucket_owner(bucket)

    def find_stacks_with(self, find: StackFinder) -> None:
        """Let ``find`` tell the stack of a request (CloudFormation does, when it is made)."""
        self._find_stack = find

    def stack_of(self, request: ApiRequest) -> StackFacts | None:
        """The stack that the request names, by whatever it names it; or None."""
        return self._find_stack(request)

    def bind(self, internal: Internal) -> None:
        """Let services make further calls through the gate that serves this world."""
        self._internal = internal

    def call(
        self,
        caller: Caller,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        via: tuple[str, ...] = (),
    ) -> Mapping[str, Any]:
        """Make one authorized call in the caller's name; see :meth:`Gate.internal`."""
        if self._internal is None:
            raise RuntimeError("no gate serves this world")
        return self._internal(caller, service, operation, params, via)


def _no_stack(_request: ApiRequest) -> None:
    return None


def _new_account(account_id: str, name: str) -> Account:
    account = Account(account_id, name, canonical_id=uuid.uuid4().hex + uuid.uuid4().hex)
    new_root_key(account, datetime.now(UTC))
    account.iam.create_user(REGION, ADMINISTRATOR)
    account.iam.attach_user_policy(ADMINISTRATOR_POLICY, ADMINISTRATOR)
    key = account.iam.create_access_key(ADMINISTRATOR)
    key.secret_access_key = identifiers.secret_access_key()
    return account


def new_root_key(account: Account, now: datetime) -> RootKey:
    """A new access key of the account's root user, Active."""
    key_id = identifiers.access_key_id("AKIA", account.account_id)
    key = RootKey(key_id, identifiers.secret_access_key(), now)
    account.root_keys[key_id] = key
    return key
