"""The records of IAM and STS: identities, policies, keys, providers and sessions."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from stslab.sandbox.state.snapshot import Moment, Named, Opaque, Record, stored


class LoginProfile(Opaque, frozen=True, kw_only=True):
    """A user's console password."""

    password: str
    created: Moment
    changed: Moment | None = None  # if it was
    reset_required: bool = False


class LastUsed(msgspec.Struct, frozen=True):
    """When, where and for which service a key or role was last used."""

    at: Moment
    region: str
    service: str = ""


class Identity(Named, frozen=True, kw_only=True):
    """Base class of users, groups and roles."""

    inline: Mapping[str, str] = {}  # the texts of policies by name
    attached: tuple[str, ...] = ()  # the ARNs of managed policies, in the order of attachment
    boundary: str = ""  # the ARN of a policy; a group has none


@stored("user")
class User(Identity, frozen=True, kw_only=True):
    groups: tuple[str, ...] = ()  # their keys
    access_keys: tuple[str, ...] = ()  # their ids, oldest first
    mfa_devices: tuple[str, ...] = ()  # their serial numbers
    mfa_tries: tuple[int, ...] = ()  # for each code verified of late, the number of its window
    login: LoginProfile | None = None


@stored("group")
class Group(Identity, frozen=True, kw_only=True):
    """An IAM group. Its members are the users whose ``groups`` contain it."""


@stored("role")
class Role(Identity, frozen=True, kw_only=True):
    trust: str  # the text of its trust policy
    description: str = ""
    max_session: int = 3600  # seconds
    last_used: LastUsed | None = None


@stored("instance-profile")
class InstanceProfile(Named, frozen=True, kw_only=True):
    """An instance profile. ``role`` is the key of its role, if it has one."""

    role: str = ""


@stored("access-key", "access_key_id")
class AccessKey(Record, frozen=True, kw_only=True):
    """A long-term access key."""

    access_key_id: str
    secret_access_key: str
    owner: str  # the user's unique id, or the account's id for root
    user: str = ""  # the key of the user's record, empty for root
    created: Moment
    active: bool = True
    last_used: LastUsed | None = None


@stored("mfa-device")
class MfaDevice(Record, frozen=True, kw_only=True):
    """A virtual MFA device. ``user`` and ``enabled`` are empty until it is enabled."""

    serial: str
    seed: str
    created: Moment
    user: str = ""  # the key of the user's record
    enabled: Moment | None = None
    last_step: int = 0  # the time step of the code that last synchronised it
    used: tuple[int, ...] = ()  # the steps whose codes opened sessions: a code works once
    drift: int = 0  # by how many steps its clock was ahead when it was last synchronised
    tags: Mapping[str, str] = {}

    @property
    def key(self) -> str:
        return self.serial.lower()

    @property
    def arn(self) -> str:
        return self.serial


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a managed policy (``v1``) with its document's text."""

    version_id: str
    document: str
    created: Moment


@stored("managed-policy")
class ManagedPolicy(Named, frozen=True, kw_only=True):
    """A customer managed policy, or one of AWS's, which is not saved in any account."""

    named: ClassVar[str] = "policy"

    description: str = ""
    versions: tuple[PolicyVersion, ...]  # the oldest first
    default: str = "v1"
    newest: int = 1  # the highest number that a version ever had: numbers are not reused

    def __post_init__(self) -> None:
        if self.default not in [one.version_id for one in self.versions]:
            raise ValueError("A managed policy lacks its default version")

    @property
    def document(self) -> str:
        return next(one.document for one in self.versions if one.version_id == self.default)


@stored("oidc-provider", "url")
class OidcProvider(Record, frozen=True, kw_only=True):
    url: str  # without https://, and without a slash at the end
    created: Moment
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()  # in lower case
    tags: Mapping[str, str] = {}

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:oidc-provider/{self.url}"


@stored("saml-provider")
class SamlProvider(Named, frozen=True, kw_only=True):
    """A SAML provider. Its ``unique_id`` is the last part of its own sign-in URL."""

    valid_until: Moment
    metadata: str


class SigningKey(Opaque, frozen=True):
    """A private key of an OpenID Connect issuer, as PEM, with the key id in its tokens."""

    key_id: str
    algorithm: str
    pem: bytes


@stored("oidc-issuer", "url")
class Issuer(Record, frozen=True, kw_only=True):
    """An OpenID Connect issuer. ``keys`` has a key for each algorithm that was used."""

    account: str = ""
    url: str
    keys: Mapping[str, SigningKey] = {}


class Authority(Opaque, frozen=True):
    """The certificate and the private key of a certificate authority, as PEM."""

    pem: bytes
    private_key: bytes


@stored("issuer-server", "host")
class IssuerServer(Record, frozen=True, kw_only=True):
    """The certificate (PEM) of an issuer's server, and the authority that signed it."""

    account: str = ""
    host: str
    leaf: bytes
    authority: Authority

    @property
    def chain(self) -> tuple[bytes, bytes]:
        """The certificates that the server sends, its own first, without the root."""
        return self.leaf, self.authority.pem


@stored("public-authority")
class PublicAuthority(Record, frozen=True, kw_only=True):
    """The public authority that AWS trusts: its root, and the intermediate that signs."""

    account: str = ""
    root: Authority
    below: Authority


@stored("saml-identity-provider", "entity_id")
class IdentityProvider(Record, frozen=True, kw_only=True):
    """A SAML identity provider. Its private key and its certificate are PEM."""

    account: str = ""
    entity_id: str
    private_key: bytes
    certificate: bytes


class SessionPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """A session policy. A managed one is evaluated with its current text."""

    name: str
    document: str  # the text at the time of the call that made the session
    arn: str = ""  # empty for an inline policy


@stored("session", "access_key_id")
class Session(Record, frozen=True, kw_only=True):
    """An STS session: temporary credentials and their holder.

    The issuer is the principal whose policies give the permissions: the role (``role_name``), or
    the user (or root) that made the call.
    """

    access_key_id: str
    kind: str  # AssumedRole, FederatedUser or SessionToken
    principal_arn: str  # this and user_id are what GetCallerIdentity returns
    user_id: str  # AROA…:name, AIDA… or ACCOUNT:name
    issuer_arn: str
    issuer_id: str
    issued: Moment
    expires: Moment
    secret_access_key: str = ""
    session_token: str = ""
    role_name: str = ""
    session_policies: tuple[SessionPolicy, ...] | None = None  # None if none were passed
    tags: tuple[tuple[str, str], ...] = ()  # inherited ones too
    transitive_tags: tuple[str, ...] = ()
    source_identity: str = ""
    mfa: Moment | None = None  # when a code was verified
    provider_keys: tuple[tuple[str, str | tuple[str, ...]], ...] = ()  # issuer.example.com:sub
