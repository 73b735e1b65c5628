"""Users, groups, roles, and what they sign in with."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from stslab.sandbox.state.snapshot import Moment, Named, Opaque, Record


class LoginProfile(Opaque, frozen=True, kw_only=True):
    """A user's console password. ``changed`` is None while it is the first."""

    password: str
    created: Moment
    changed: Moment | None = None
    reset_required: bool = False


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

    boundary: str = ""
    groups: tuple[str, ...] = ()
    access_keys: tuple[str, ...] = ()
    mfa_devices: tuple[str, ...] = ()
    login: LoginProfile | None = None


class Group(Identity, frozen=True, kw_only=True):
    """An IAM group. Its users name it."""

    table: ClassVar[str] = "group"


class Role(Identity, frozen=True, kw_only=True):
    """An IAM role. ``trust`` is the text of its trust policy.

    ``max_session`` and ``max_signin`` are seconds; ``max_signin`` is 0 where it is not set.
    """

    table: ClassVar[str] = "role"

    trust: str
    description: str = ""
    max_session: int = 3600
    max_signin: int = 0
    boundary: str = ""
    last_used: LastUsed | None = None


class InstanceProfile(Named, frozen=True, kw_only=True):
    """An instance profile. ``role`` is the key of its role, or empty."""

    table: ClassVar[str] = "instance-profile"

    role: str = ""


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
        return self.serial.lower()

    @property
    def arn(self) -> str:
        return self.serial


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a managed policy (``v1``) with its document's text."""

    version_id: str
    document: str
    created: Moment


class ManagedPolicy(Named, frozen=True, kw_only=True):
    """A managed policy: a customer's, or, as a value that is in no account, one of AWS's.

    ``versions`` stand in the order in which they were made. ``newest`` is the number of the
    last one that ever was, since a number is not used again.
    """

    table: ClassVar[str] = "managed-policy"
    named: ClassVar[str] = "policy"

    updated: Moment
    description: str = ""
    versions: tuple[PolicyVersion, ...]
    default: str = "v1"
    newest: int = 1

    @property
    def document(self) -> str:
        return next(one.document for one in self.versions if one.version_id == self.default)


class OidcProvider(Record, frozen=True, kw_only=True):
    """An OpenID Connect provider. ``url`` has no ``https://`` and no slash at its end.

    ``thumbprints`` are in lower case.
    """

    table: ClassVar[str] = "oidc-provider"
    keyed_by: ClassVar[str] = "url"

    url: str
    created: Moment
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
    tags: Mapping[str, str] = {}

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:oidc-provider/{self.url}"


class SamlProvider(Named, frozen=True, kw_only=True):
    """A SAML provider. ``unique_id`` ends the sign-in address that is this provider's alone."""

    table: ClassVar[str] = "saml-provider"

    valid_until: Moment
    metadata: str


class SigningKey(Opaque, frozen=True):
    """One private key of an OpenID Connect issuer, as PEM, and the id that its tokens name."""

    key_id: str
    algorithm: str
    pem: bytes


class Issuer(Record, frozen=True, kw_only=True):
    """An OpenID Connect issuer. ``keys`` has one for each algorithm that it was asked for."""

    table: ClassVar[str] = "oidc-issuer"
    keyed_by: ClassVar[str] = "url"

    account: str = ""
    url: str
    keys: Mapping[str, SigningKey] = {}


class Authority(Opaque, frozen=True):
    """A certificate authority: its certificate and its private key, as PEM."""

    pem: bytes
    private_key: bytes


class IssuerServer(Record, frozen=True, kw_only=True):
    """What the server of an issuer shows: a certificate (PEM), and that of who signed it.

    Its own private key is used nowhere.
    """

    table: ClassVar[str] = "issuer-server"
    keyed_by: ClassVar[str] = "host"

    account: str = ""
    host: str
    leaf: bytes
    authority: Authority

    @property
    def chain(self) -> tuple[bytes, bytes]:
        """What it sends, the server's own first; roots are not sent."""
        return self.leaf, self.authority.pem


class PublicAuthority(Record, frozen=True, kw_only=True):
    """The authority that AWS trusts: its root, and the authority below that signs."""

    table: ClassVar[str] = "public-authority"

    account: str = ""
    root: Authority
    below: Authority


class IdentityProvider(Record, frozen=True, kw_only=True):
    """A SAML identity provider: its entity id, its private key and its certificate, as PEM."""

    table: ClassVar[str] = "saml-identity-provider"
    keyed_by: ClassVar[str] = "entity_id"

    account: str = ""
    entity_id: str
    private_key: bytes
    certificate: bytes


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
