"""The records of IAM and STS: identities, policies, keys, providers and sessions."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from stslab.sandbox.state.snapshot import Moment, Named, Opaque, Record, stored


class LoginProfile(Opaque, frozen=True, kw_only=True):
    """A user's console password. ``changed`` is None until the password is changed."""

    password: str
    created: Moment
    changed: Moment | None = None
    reset_required: bool = False
    max_signin: int = 0


class LastUsed(msgspec.Struct, frozen=True):
    """When, where and for which service a key or role was last used."""

    at: Moment
    region: str
    service: str = ""


class Identity(Named, frozen=True, kw_only=True):
    """Base class of users, groups and roles.

    ``inline`` has the texts of the inline policies by name, ``attached`` the ARNs of the managed
    policies in the order of their attachment.
    """

    inline: Mapping[str, str] = {}
    attached: tuple[str, ...] = ()


@stored("user")
class User(Identity, frozen=True, kw_only=True):
    """An IAM user.

    ``groups`` has the keys of its groups, ``access_keys`` the ids of its access keys, oldest
    first, ``mfa_devices`` serial numbers. ``boundary`` is the ARN of a policy.
    """

    boundary: str = ""
    groups: tuple[str, ...] = ()
    access_keys: tuple[str, ...] = ()
    mfa_devices: tuple[str, ...] = ()
    login: LoginProfile | None = None


@stored("group")
class Group(Identity, frozen=True, kw_only=True):
    """An IAM group. Its members are the users whose ``groups`` contain it."""


@stored("role")
class Role(Identity, frozen=True, kw_only=True):
    """An IAM role. ``trust`` is the text of its trust policy.

    ``max_session`` and ``max_signin`` are in seconds; ``max_signin`` is 0 if it is not set.
    """

    trust: str
    description: str = ""
    max_session: int = 3600
    max_signin: int = 0
    boundary: str = ""
    last_used: LastUsed | None = None


@stored("instance-profile")
class InstanceProfile(Named, frozen=True, kw_only=True):
    """An instance profile. ``role`` is the key of its role, if it has one."""

    role: str = ""


@stored("access-key", "access_key_id")
class AccessKey(Record, frozen=True, kw_only=True):
    """A long-term access key. ``owner`` is the user's unique id, or the account's id for root.

    ``user`` is the key of the user's record, empty for root.
    """

    access_key_id: str
    secret_access_key: str
    owner: str
    user: str = ""
    created: Moment
    active: bool = True
    last_used: LastUsed | None = None


@stored("mfa-device")
class MfaDevice(Record, frozen=True, kw_only=True):
    """A virtual MFA device.

    ``user`` (the key of the user's record) and ``enabled`` are empty until it is enabled.
    ``last_step`` is the time step of the code that last synchronised it, ``used`` are those whose
    codes opened sessions, since a code works once. ``drift`` is by how many steps its clock was
    ahead when it was last synchronised.
    """

    serial: str
    seed: str
    created: Moment
    user: str = ""
    enabled: Moment | None = None
    last_step: int = 0
    used: tuple[int, ...] = ()
    drift: int = 0
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
    """A customer managed policy, or one of AWS's, which is not saved in any account.

    ``versions`` has the oldest first. ``newest`` is the highest number that a version ever had,
    since numbers are not reused.
    """

    named: ClassVar[str] = "policy"

    updated: Moment
    description: str = ""
    versions: tuple[PolicyVersion, ...]
    default: str = "v1"
    newest: int = 1

    @property
    def document(self) -> str:
        return next(one.document for one in self.versions if one.version_id == self.default)


@stored("oidc-provider", "url")
class OidcProvider(Record, frozen=True, kw_only=True):
    """An OpenID Connect provider.

    ``url`` has no ``https://`` and no slash at the end. ``thumbprints`` are in lower case.
    """

    url: str
    created: Moment
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
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
    """The certificate (PEM) of an issuer's server, and the authority that signed it.

    The server's private key is not kept, since nothing uses it.
    """

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
    """A session policy, inline (``arn`` is empty) or managed.

    ``document`` is the text at the time of the call that made the session. A managed policy is
    evaluated with its current text.
    """

    name: str
    document: str
    arn: str = ""


@stored("session", "access_key_id")
class Session(Record, frozen=True, kw_only=True):
    """An STS session: temporary credentials and their holder.

    ``kind`` is AssumedRole, FederatedUser or SessionToken. ``principal_arn`` and ``user_id``
    (``AROA…:name``, ``AIDA…``, ``ACCOUNT:name``) are what GetCallerIdentity returns.
    ``issuer_arn`` and ``issuer_id`` name the principal whose policies give the permissions: the
    role (``role_name``), or the user (or root) that made the call. ``session_policies`` is None
    if none were passed. ``tags`` include inherited session tags; ``mfa`` is when a code was
    verified. ``provider_keys`` are condition keys from the identity provider
    (``issuer.example.com:sub``). Times are aware, UTC, by the account's clock.
    """

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
    role_name: str = ""
    session_policies: tuple[SessionPolicy, ...] | None = None
    tags: tuple[tuple[str, str], ...] = ()
    transitive_tags: tuple[str, ...] = ()
    source_identity: str = ""
    mfa: Moment | None = None
    provider_keys: tuple[tuple[str, str], ...] = ()
