"""Users, groups, roles, and what they sign in with."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from stslab.sandbox.state.record import Moment, Named, Record


class LoginProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A user's console password."""

    password: str
    created: Moment
    reset_required: bool = False

    def __repr__(self) -> str:
        """Show no password."""
        return "<login profile>"


class LastUsed(msgspec.Struct, frozen=True):
    """When, where and for which service something was used last."""

    at: Moment
    region: str
    service: str = ""


class Identity(Named, frozen=True, kw_only=True):
    """What users, groups and roles share.

    ``inline`` are the texts of inline policies by name, ``attached`` the ARNs of managed
    policies in the order in which they were attached.
    """

    inline: Mapping[str, str] = {}
    attached: tuple[str, ...] = ()


class User(Identity, frozen=True, kw_only=True):
    """An IAM user.

    ``groups`` are the keys of its groups, ``access_keys`` the ids of its keys, the oldest
    first, ``mfa_devices`` the serial numbers of its devices, ``boundary`` a policy's ARN.
    """

    table: ClassVar[str] = "user"

    tags: Mapping[str, str] = {}
    boundary: str = ""
    groups: tuple[str, ...] = ()
    access_keys: tuple[str, ...] = ()
    mfa_devices: tuple[str, ...] = ()
    login: LoginProfile | None = None


class Group(Identity, frozen=True, kw_only=True):
    """An IAM group. Its users name it."""

    table: ClassVar[str] = "group"


class Role(Identity, frozen=True, kw_only=True):
    """An IAM role. ``trust`` is the text of its trust policy, ``max_session`` seconds."""

    table: ClassVar[str] = "role"

    trust: str
    description: str = ""
    max_session: int = 3600
    tags: Mapping[str, str] = {}
    boundary: str = ""
    last_used: LastUsed | None = None


class InstanceProfile(Named, frozen=True, kw_only=True):
    """An instance profile. ``role`` is the key of its role, or empty."""

    table: ClassVar[str] = "instance-profile"

    role: str = ""
    tags: Mapping[str, str] = {}


class AccessKey(Record, frozen=True, kw_only=True):
    """A long-term access key. ``owner`` is the user's unique id, or the account's id for root.

    ``user`` is the key of the user's record, empty for root.
    """

    table: ClassVar[str] = "access-key"
    keyed_by: ClassVar[str] = "access_key_id"

    access_key_id: str
    secret_access_key: str
    owner: str
    user: str = ""
    created: Moment
    active: bool = True
    last_used: LastUsed | None = None


class MfaDevice(Record, frozen=True, kw_only=True):
    """A virtual MFA device.

    ``user`` (the key of the user's record) and ``enabled`` are empty until a user has it.
    ``last_step`` is the newest time step whose code was used: a code works once. ``drift`` is
    how many steps the device's clock runs ahead, as found when it was last synchronised.
    """

    table: ClassVar[str] = "mfa-device"

    serial: str
    seed: str
    created: Moment
    user: str = ""
    enabled: Moment | None = None
    last_step: int = 0
    drift: int = 0
    tags: Mapping[str, str] = {}

    @property
    def key(self) -> str:
        """The serial number in lower case."""
        return self.serial.lower()

    @property
    def arn(self) -> str:
        """The device's ARN, which is its serial number."""
        return self.serial
