"""What moto is told to leave alone, once, when the sandbox starts.

moto keeps the account's state and answers what has been authorized; deciding, naming
identities and telling the time are the sandbox's. Each change here is one that moto offers
no setting for.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import moto.iam.models
import moto.s3.models
from moto.core.model_instances import model_data
from moto.iam.access_control import PermissionResult
from moto.iam.utils import generate_access_key_id_from_account_id
from moto.s3.utils import _VersionedKeyStore

from stslab.sandbox.saved import aws_policies

ID_LENGTH = 21
# As modules whose names are to be set, which no type checker lets a typed module have.
_IAM: Any = moto.iam.models
_S3: Any = moto.s3.models


class _Clock:
    """The time that moto's records carry; :func:`use_clock` makes it the sandbox's."""

    read: Callable[[], datetime] = staticmethod(lambda: datetime.now(UTC))


def use_clock(read: Callable[[], datetime]) -> None:
    """Let moto's dates follow ``read``, which returns an aware datetime."""
    _Clock.read = staticmethod(read)


def _naive_now() -> datetime:
    return _Clock.read().replace(tzinfo=None)


def unique_id(prefix: str, account_id: str) -> str:
    """A unique id as IAM makes them (AIDA... of a user), with the account's part in it.

    IAM User Guide, "IAM identifiers", lists the prefixes.
    """
    made: str = generate_access_key_id_from_account_id(account_id, prefix, ID_LENGTH)
    return made


class AwsUser(moto.iam.models.User):
    """moto's user, with an id as IAM makes it."""

    def __init__(self, account_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(account_id, *args, **kwargs)
        self.id = unique_id("AIDA", account_id)


class AwsGroup(moto.iam.models.Group):
    """moto's group, with an id as IAM makes it."""

    def __init__(self, account_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(account_id, *args, **kwargs)
        self.id = unique_id("AGPA", account_id)


class AwsInstanceProfile(moto.iam.models.InstanceProfile):
    """moto's instance profile, with an id as IAM makes it."""

    def __init__(self, account_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(account_id, *args, **kwargs)
        self.id = unique_id("AIPA", account_id)


class AwsManagedPolicy(moto.iam.models.ManagedPolicy):
    """moto's customer managed policy, with an id as IAM makes it."""

    def __init__(self, name: str, account_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(name, account_id, *args, **kwargs)
        self.id = unique_id("ANPA", account_id)


class _Forgetful(list[object]):
    """Where moto lists every object it ever made, for its dashboard: here, none of them."""

    def append(self, item: object) -> None:
        """Keep nothing, so that what is deleted is freed."""


def _versions_restored(versions: dict[str, list[Any]]) -> _VersionedKeyStore:
    store = _VersionedKeyStore()
    for key, objects in versions.items():
        dict.__setitem__(store, key, objects)
    return store


def _versions_reduced(store: _VersionedKeyStore) -> tuple[Any, ...]:
    return _versions_restored, ({key: store.getlist(key) for key in store},)


def _own_aws_policies(backend: Any) -> list[aws_policies.AwsPolicy]:
    return aws_policies.of_account(backend.account_id)


def _close_quietly(key: Any) -> None:
    key.dispose()


def _always_permitted(_bucket: Any, _action: str, _resource: str) -> PermissionResult:
    return PermissionResult.PERMITTED


def apply() -> None:
    """Change moto as this module says; doing it again changes nothing."""
    # moto reads bucket policies itself and ignores Principal and Condition.
    _S3.FakeBucket.get_permission = _always_permitted
    # moto copies objects to list their versions, and leaves the copies to be collected.
    _S3.FakeKey.__del__ = _close_quietly
    _IAM.utcnow = _naive_now
    _S3.utcnow = _naive_now
    _IAM.User = AwsUser
    _IAM.Group = AwsGroup
    _IAM.InstanceProfile = AwsInstanceProfile
    _IAM.ManagedPolicy = AwsManagedPolicy
    _IAM.IAMBackend._init_aws_policies = _own_aws_policies  # noqa: SLF001 - no setting for it
    own = (AwsUser, AwsGroup, AwsInstanceProfile, AwsManagedPolicy)
    for model in (*model_data["iam"].values(), *model_data["s3"].values(), *own):
        made_by: Any = model
        made_by.instances_tracked = _Forgetful()
    # Without a reducer, a pickle keeps only the newest version of each object.
    copyreg.pickle(_VersionedKeyStore, _versions_reduced)
