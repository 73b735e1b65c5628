"""AWS's pages on policy evaluation as plain code: slow, and independent of the engine.

The engine matches statements and folds layers; this reads the pages' sentences one after the
other over layers that are already matched: of each it is told only whether it allows, denies
or is silent, and of the resource's policy also who it names. A wrong sentence here and a wrong
fold there would have to agree to stay unseen.

Source, unless a sentence says otherwise: "How AWS enforcement code logic evaluates requests to
allow or deny access", "Policy evaluation for requests within a single account" and
"Cross-account policy evaluation logic" of the IAM User Guide.
"""

from dataclasses import dataclass
from enum import Enum

from stslab.vocabulary import Outcome


class Who(Enum):
    """The caller."""

    USER = "user"
    ROLE = "role"
    SESSION = "role session"
    FEDERATED = "federated user"
    FEDERATED_ROOT = "federated user that the root user federated"
    ROOT = "root"
    SERVICE = "service"
    ANONYMOUS = "anonymous"
    LINKED = "session of a service-linked role"


class Says(Enum):
    """The combined result of the policies of one type."""

    ABSENT = "absent"  # there are no such policies
    ALLOW = "allow"
    SILENT = "silent"  # there are, and none of their statements applies
    DENY = "deny"  # one denies, though another statement allows


class Names(Enum):
    """The principals that the resource's policy allows or denies the action."""

    ABSENT = "no policy"
    SILENT = "nobody"
    OTHER = "another account, and others of the caller's: a user, a role, a session, a service"
    ACCOUNT = "the caller's account"
    ENTITY = "the user or role that the caller is, or has its session of"
    CALLER = "the caller itself, by its own ARN"
    EVERYONE = "everyone"
    EVERYONE_OF_AWS = "everyone, as {AWS: *}"
    BOTH = "the caller's account and the caller itself"
    DENY_EVERYONE = "the caller itself, and denies everyone"
    DENY_ACCOUNT = "the caller itself, and denies its account"
    DENY_OTHERS = "the caller itself, and denies everyone who is not the caller (NotPrincipal)"


@dataclass(frozen=True)
class Caller:
    """The caller's names: its account's, its role's or user's, and its own."""

    account: frozenset[str] = frozenset()
    behind: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Said:
    """A statement of the resource's policy about the action, with the principals it names."""

    denies: bool
    negated: bool
    names: frozenset[str]


@dataclass(frozen=True)
class Heard:
    """The result of all statements of the resource's policy for the caller."""

    denied: bool
    directly: bool
    entity: bool
    account: bool


def hear(said: list[Said], who: Who, caller: Caller, *, bounded: bool) -> Heard:
    """By "AWS JSON policy elements: Principal" and "NotPrincipal"."""
    grants = [each.names for each in said if not each.denies]
    alone = who is not Who.ROLE  # a role asks through its sessions
    return Heard(
        denied=any(_denies(each, who, caller, bounded=bounded) for each in said if each.denies),
        directly=any(_everyone(names, who) or (alone and names & caller.own) for names in grants),
        entity=any(names & (caller.behind | caller.own) for names in grants),
        account=any(names & caller.account for names in grants),
    )


def _everyone(names: frozenset[str], who: Who) -> bool:
    """All of them stand under AWS, where a star is everyone but services."""
    return "*" in names and who is not Who.SERVICE


def _denies(said: Said, who: Who, caller: Caller, *, bounded: bool) -> bool:
    if not said.negated:
        named = said.names & (caller.account | caller.behind | caller.own)
        return bool(named) or _everyone(said.names, who)
    if bounded:
        return True  # "will always deny any IAM principal that has a permissions boundary"
    if _everyone(said.names, who):
        return False
    # "AWS might validate the account first, and then the user. If an assumed-role user (someone
    # who is using a role) is being evaluated, AWS might validate the account first, then the
    # role, and finally the assumed-role user." Of who federated a user it says nothing.
    behind = frozenset() if who in (Who.FEDERATED, Who.FEDERATED_ROOT) else caller.behind
    validated = [each for each in (caller.account, behind, caller.own) if each]
    return not validated or not all(said.names & each for each in validated)


class Target(Enum):
    """The kind of resource: not all resource policies count the same."""

    ORDINARY = "an object of a bucket"
    UNLISTED = "a topic: its service is not on the list of those that support RCPs"
    ROLE = "a role to assume"
    KEY = "a KMS key"


@dataclass(frozen=True)
class Situation:
    """A request, with the result of each type of policy.

    scps and rcps are the levels of the organization, from its root; no level means that the
    account is in no organization.
    """

    who: Who
    same_account: bool
    target: Target
    identity: Says
    boundary: Says
    session: Says
    resource: Names | Heard
    scps: tuple[Says, ...] = ()
    rcps: tuple[Says, ...] = ()


def read(situation: Situation) -> Outcome:
    """The decision on the situation, by the pages."""
    if _is_denied(situation):
        return Outcome.EXPLICITLY_DENIED
    allowed = _is_let_through(situation) and _is_granted(situation)
    return Outcome.ALLOWED if allowed else Outcome.IMPLICITLY_DENIED


def _is_denied(it: Situation) -> bool:
    """An explicit deny in any policy overrides any allows, of whichever account it is."""
    organization = (*_scps_that_apply(it), *_rcps_that_apply(it))
    own = (it.identity, it.boundary, it.session)
    return Says.DENY in organization or Says.DENY in own or _resource_denies(it)


def _resource_denies(it: Situation) -> bool:
    if isinstance(it.resource, Heard):
        return it.resource.denied
    if it.resource is Names.DENY_EVERYONE:
        return True
    if it.resource is Names.DENY_ACCOUNT:
        # "AWS account principals": it stands for every principal of the account. A service and
        # an anonymous caller are of no account.
        return it.who not in (Who.SERVICE, Who.ANONYMOUS)
    if it.resource is Names.DENY_OTHERS:
        # "NotPrincipal with Deny will always deny any IAM principal that has a permissions
        # boundary policy attached" (Permissions boundaries for IAM entities).
        return it.boundary is not Says.ABSENT
    return False


def _scps_that_apply(it: Situation) -> tuple[Says, ...]:
    """SCPs bind the principals of member accounts, "including each account root user", but "do
    not affect any service-linked role", and nobody from elsewhere (Organizations)."""
    unbound = (Who.SERVICE, Who.ANONYMOUS, Who.LINKED)
    return () if it.who in unbound else it.scps


def _rcps_that_apply(it: Situation) -> tuple[Says, ...]:
    """RCPs bind everyone who asks for a resource of a listed service, root, anonymous callers and AWS
    services too, but not "calls made by a service-linked role" (Organizations)."""
    if it.who is Who.LINKED or it.target is Target.UNLISTED:
        return ()
    return it.rcps


def _is_let_through(it: Situation) -> bool:
    """There must be an explicit Allow statement at every level of the SCPs. RCPs can't be
    without one: RCPFullAWSAccess can't be detached."""
    return all(level is Says.ALLOW for level in _scps_that_apply(it))


def _is_granted(it: Situation) -> bool:
    if it.who is Who.ANONYMOUS and it.target is Target.ROLE:
        return False  # "IAM user or IAM role with existing temporary security credentials" (STS)
    if it.who in (Who.SERVICE, Who.ANONYMOUS):
        return _names_directly(it)  # neither has policies of its own
    if it.who is Who.ROOT:
        return _root_is_granted(it)
    if not it.same_account:
        # "The request is allowed only if both evaluations return a decision of Allow".
        return _is_named(it) and _own_policies_allow(it)
    return _is_granted_at_home(it)


def _is_granted_at_home(it: Situation) -> bool:
    if _names_directly(it):
        return True  # "an implicit deny in ... does not impact the final decision"
    if _names_entity(it):
        return _limits_allow(it)  # "limited by an implicit deny in a boundary or session policy"
    if it.target in (Target.ROLE, Target.KEY) and not _names_account(it):
        return False  # "exceptions to this logic, because they must explicitly allow access"
    return _own_policies_allow(it)


def _root_is_granted(it: Situation) -> bool:
    if it.target is Target.ROLE:
        return False  # "You can't use root user credentials to call AssumeRole" (STS)
    if it.same_account and it.target is not Target.KEY:
        return True  # "with the exception of the account root user, which has full access"
    # "No AWS principal, including the account root user ..., has any permissions to a KMS key
    # unless they are explicitly allowed" (KMS). Across accounts, "the root user has all of the
    # permissions that are granted to the account" (How IAM roles differ ...).
    return _is_named(it)


def _own_policies_allow(it: Situation) -> bool:
    """The permissions for a session come from the IAM entity and from the session policy; the root
    user's are all, and no policy can be attached to it."""
    has_identity = it.identity is Says.ALLOW or it.who is Who.FEDERATED_ROOT
    return has_identity and _limits_allow(it)


def _limits_allow(it: Situation) -> bool:
    if it.boundary not in (Says.ABSENT, Says.ALLOW):
        return False
    if it.session is Says.ABSENT:
        # "If there is no session policy, the code checks whether the principal is a role
        # session. If ... the request is Allowed. Otherwise, the request is implicitly denied."
        return it.who not in (Who.FEDERATED, Who.FEDERATED_ROOT)
    return it.session is Says.ALLOW


def _is_named(it: Situation) -> bool:
    return _names_directly(it) or _names_entity(it) or _names_account(it)


def _names_account(it: Situation) -> bool:
    if isinstance(it.resource, Heard):
        return it.resource.account
    return it.resource in (Names.ACCOUNT, Names.BOTH)


def _names_entity(it: Situation) -> bool:
    """By the ARN of its role, or of the user who federated."""
    if isinstance(it.resource, Heard):
        return it.resource.entity
    if it.who is Who.ROLE:  # a role asks through its sessions: its own ARN names no session
        return it.resource in _GRANTS_CALLER
    return it.resource is Names.ENTITY


def _names_directly(it: Situation) -> bool:
    """By its own ARN; "*" is no less direct ("... do not limit permissions granted using the
    aws:PrincipalArn condition key with a wildcard in the Principal element": Principal)."""
    if isinstance(it.resource, Heard):
        return it.resource.directly
    if it.resource is Names.EVERYONE:
        return True
    if it.resource is Names.EVERYONE_OF_AWS:
        # "For anonymous users", and so not for all, "the following elements are equivalent".
        return it.who is not Who.SERVICE
    if it.who is Who.ROLE:
        return False
    if it.who is Who.ROOT and _names_account(it):
        return True
    return it.resource in _GRANTS_CALLER and (
        it.resource is not Names.ENTITY or it.who in (Who.USER, Who.ROOT, Who.SERVICE)
    )


_GRANTS_CALLER = (
    Names.CALLER,
    Names.ENTITY,
    Names.BOTH,
    Names.DENY_EVERYONE,
    Names.DENY_ACCOUNT,
    Names.DENY_OTHERS,
)
