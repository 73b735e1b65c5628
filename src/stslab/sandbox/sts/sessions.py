"""Sessions: their credentials, policies, tags and size, and the answer to a request for one.

IAM User Guide, "Passing session tags in AWS STS", "IAM and AWS STS quotas".
"""

import json
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any

import msgspec

from stslab.policy import NamedPolicy, PolicyKind, Principal, catalogue
from stslab.sandbox.api import faults, identifiers, model, operations
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Keys, ManagedText, Pairs, Params
from stslab.sandbox.api.policies import checked, named, with_arns
from stslab.sandbox.state.identities import Role, Session, SessionPolicy
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.structures import beside

fault = partial(faults.worded, beside(__file__, "messages.yaml"))
NAME = "[a-zA-Z_0-9+=,.@-]{2,64}"  # of a session, in an assertion
_USER = NAME.replace("64", "256")  # a source identity in a token or an assertion
_PLAINTEXT = 2048
_TOKEN_FLOOR, _TOKEN_CEILING = 352, 4096  # bytes of a session token
_OF_TAGS = 6.62  # bytes for each character of session tags, which hardly pack
_REMEMBERED = timedelta(hours=36)
# Every 1024th new session deletes up to 4096 sessions that expired long ago.
_LOOKS_EVERY, _FORGETS = 1024, 4096


def issue(
    tx: Transaction,
    request: ApiRequest,
    account: str,
    seconds: int,
    *,
    policies: tuple[SessionPolicy, ...] | None = None,
    tags: Pairs = (),
    **who: Any,
) -> tuple[Session, Answer]:
    """Put a new session with the members ``who``, and return it with its part of the answer.

    ``policies`` limit it, even if there are none; unless they are None.
    """
    issued = request.now.replace(microsecond=0)
    size = _token_size(policies or (), tags, int(request.params.get("MinimumSessionTokenSize", 0)))
    session = Session(
        account=account,
        access_key_id=identifiers.access_key_id("ASIA", account),
        secret_access_key=identifiers.secret_access_key(),
        session_token=identifiers.session_token(size),
        issued=issued,
        expires=issued + timedelta(seconds=seconds),
        session_policies=policies,
        tags=tags,
        **who,
    )
    if tx.count(Session, account) % _LOOKS_EVERY == 0:
        expired = (old for old in tx.all(Session, account) if old.expires <= issued - _REMEMBERED)
        for old in tuple(islice(expired, _FORGETS)):
            tx.delete(old)
    tx.put(session)
    return session, {
        "Credentials": {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "SessionToken": session.session_token,
            "Expiration": session.expires,
        },
        "SessionTokenSize": size,
        "SessionTokenUtilization": _percent(size),
        "PackedPolicySize": _percent(size),
    }


def session_policies(
    view: View, account: str, params: Params, managed_text: ManagedText
) -> tuple[SessionPolicy, ...]:
    """The session policies of a request. Raises ValidationError or MalformedPolicyDocument."""
    inline = params.get("Policy", "")
    arns = [entry.get("arn", "") for entry in params.get("PolicyArns", ())]
    if len(inline) + sum(map(len, arns)) > _PLAINTEXT:
        raise fault("long policy", policy=inline, most=_PLAINTEXT)
    passed = [SessionPolicy("inline", checked(inline, PolicyKind.SESSION))] if inline else []
    for arn in arns:
        document = managed_text(view, account, arn)
        if document is None:
            raise faults.malformed_policy(f"Policy {arn} does not exist or is not attachable.")
        passed.append(SessionPolicy(f"managed {arn}", document, arn))
    return tuple(passed)


def _token_size(policies: Sequence[SessionPolicy], tags: Pairs, least: int) -> int:
    """The size in bytes of a session token, which contains policies and tags, packed."""
    documents = json.dumps([one.arn or one.document for one in policies])
    content = len(zlib.compress(documents.encode())) if policies else 0
    content += math.ceil(_OF_TAGS * sum(len(key) + len(value) for key, value in tags))
    size = max(_TOKEN_FLOOR + math.ceil(content * 4 / 3), least)
    if size > _TOKEN_CEILING:
        used = f"consumes {_percent(size)}% of allotted space"
        of_policy = f"Packed policy {used}, please use smaller policy."
        of_tags = f"Packed size of session tags {used}."
        raise ApiFault("PackedPolicyTooLarge", of_policy if policies else of_tags)
    return size


def _percent(size: int) -> int:
    return math.ceil(size * 100 / _TOKEN_CEILING)


# -- session tags ------------------------------------------------------------------------------


class SessionTags(msgspec.Struct, frozen=True):
    """The tags of a new session, and the keys of those that the next one in the chain inherits."""

    all: Pairs = ()
    transitive: tuple[str, ...] = ()

    def context(self) -> Keys:
        keys: Keys = {f"aws:RequestTag/{key}": value for key, value in self.all}
        if self.all:
            keys["aws:TagKeys"] = [key for key, _ in self.all]
        if self.transitive:
            keys["sts:TransitiveTagKeys"] = list(self.transitive)
        return keys


def tags_of(params: Params, calling: Session | None, *, aws: bool = False) -> SessionTags:
    """A request's tags, with ``aws`` reserved ones too, and the inherited. Raises ApiFault."""
    passed = tuple((tag["Key"], tag.get("Value", "")) for tag in params.get("Tags", ()))
    transitive = params.get("TransitiveTagKeys", ())
    keys = [key for key, _ in passed]
    passing = _folded(calling.transitive_tags if calling else ())
    inherited = tuple(tag for tag in (calling.tags if calling else ()) if tag[0].lower() in passing)
    if len(_folded(keys)) < len(keys):
        raise fault("duplicate tags")
    if not aws and any(key.lower().startswith("aws:") for key in keys):
        raise fault("reserved tag")
    if _folded(keys) & _folded(key for key, _ in inherited):
        raise fault("inherited tag")
    if not _folded(transitive) <= _folded(keys):
        raise fault("transitive tag")
    return SessionTags(inherited + passed, (*(key for key, _ in inherited), *transitive))


def tags_in(passed: Iterable[tuple[str, str]], transitive: Iterable[str]) -> SessionTags:
    """The tags in a token or an assertion, checked as those of a request. Raises ApiFault."""
    tags = [{"Key": key, "Value": value} for key, value in passed]
    try:
        operations.check("sts", "GetFederationToken", {"Name": "unnamed", "Tags": tags})
    except ApiFault as refused:
        raise fault("federated tags") from refused
    return tags_of({"Tags": tags, "TransitiveTagKeys": list(transitive)}, None)


def source_identity(given: object) -> str:
    """One in a token or an assertion; empty for None. Raises InvalidIdentityToken."""
    if given is not None and not re.fullmatch(_USER, str(given)):  # nor any colon, as in aws:
        raise faults.invalid_token(f'Source Identity must match {_USER} and not begin with "aws:"')
    return "" if given is None else str(given)


def _folded(keys: Iterable[str]) -> set[str]:
    return {key.lower() for key in keys}


# -- sessions of roles, for any caller: the role, what a call needs, and its answer --------------

_ROLE_ARN = re.compile(r"arn:aws:iam::(\d+):role(/(?:[\x21-\x7e]*/)?)([\w+=,.@-]{1,64})", re.ASCII)
_ANY_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:(?:[^:]*:.+|[^:]+)")
_HOUR, _MOST = 3600, 43200
_LASTING = re.compile(
    r"aws:FederatedProvider|saml:(?:namequalifier|sub|sub_type)|(?!saml:).*:(?:amr|aud|sub)"
)
"""The condition keys of a federated user that its later requests also have."""


class Target(msgspec.Struct, frozen=True):
    """The role that a call is for. ``role`` and ``trust`` are None if it does not exist."""

    arn: str
    account: str
    name: str
    role: Role | None = None
    trust: NamedPolicy | None = None


class RoleRequest(msgspec.Struct, frozen=True):
    """A request for a session of a role.

    ``context`` are the condition keys of this operation only. ``principal`` is the federated
    user of a call that is not signed.
    """

    operation: str
    target: Target
    session_name: str
    tags: SessionTags
    source_identity: str
    context: Keys
    principal: Principal | None = None

    def keys(self, action: str) -> Keys:
        """The condition keys of one of this call's actions, beside the global ones."""
        keys: Keys = {"sts:RoleSessionName": self.session_name}
        if self.source_identity:  # in a chain of roles, also that of the earlier session
            keys["sts:SourceIdentity"] = self.source_identity
        if self.target.role:
            keys |= model.resource_tags(self.target.role.tags, "iam")
        keys |= self.tags.context() | self.context
        return {key: one for key, one in keys.items() if catalogue.may_have(key, action)}

    def lasting(self) -> Iterator[tuple[str, str | tuple[str, ...]]]:
        """The condition keys of a federated user that the session's requests have too."""
        derived = self.principal.keys if self.principal else {}
        for key, value in {**derived, **self.context}.items():
            if _LASTING.fullmatch(key):
                yield key, value if isinstance(value, str) else tuple(value)


class RoleSessions:
    """Issues sessions of roles to callers that the policies allow."""

    def __init__(self, judge: model.Judge, managed_text: ManagedText) -> None:
        self._judge, self._managed_text = judge, managed_text

    def target(self, view: View, arn: str, wrong: str = "") -> Target:
        """The role with this ARN. Raises ValidationError, with the message ``wrong`` if given.

        Unless it is given, any other ARN is a role that nobody may assume, of no account.
        """
        match = _ROLE_ARN.fullmatch(arn)
        if match is None:
            if wrong or not _ANY_ARN.fullmatch(arn):
                raise faults.invalid(wrong or f"{arn} is invalid")
            return Target(arn, "", "")
        account, _, name = match.groups()
        seen = self._judge.seen(view)
        role = seen.get(Role, account, name.lower())
        if role is None or role.arn != arn:
            return Target(arn, account, name)
        text = with_arns(role.trust, seen)
        trust = named(f"trust policy of role {name}", text, PolicyKind.TRUST)
        return Target(arn, account, name, role, trust)

    def session(
        self, tx: Transaction, request: ApiRequest, wanted: RoleRequest, at_most: int = _MOST
    ) -> Answer:
        """Issue a session of the role, of ``at_most`` seconds, and return the answer.

        Raises AccessDenied unless the policies allow every action.
        """
        role = self._authorized(tx, request, wanted)
        chained = not wanted.principal and request.caller.kind in ("AssumedRole", "SessionToken")
        account = wanted.target.account
        passed = session_policies(tx, account, request.params, self._managed_text)
        session, members = issue(
            tx,
            request,
            account,
            min(_duration(request.params, role, chained=chained), at_most),
            policies=passed or None,
            tags=wanted.tags.all,
            kind="AssumedRole",
            principal_arn=f"arn:aws:sts::{account}:assumed-role/{role.name}/{wanted.session_name}",
            user_id=f"{role.unique_id}:{wanted.session_name}",
            issuer_arn=role.arn,
            issuer_id=role.unique_id,
            role_name=role.name,
            transitive_tags=wanted.tags.transitive,
            source_identity=wanted.source_identity,
            provider_keys=tuple(wanted.lasting()),
        )
        user = {"AssumedRoleId": session.user_id, "Arn": session.principal_arn}
        return members | {"AssumedRoleUser": user, "SourceIdentity": wanted.source_identity or None}

    def _authorized(self, view: View, request: ApiRequest, wanted: RoleRequest) -> Role:
        target = wanted.target
        # By public records of AWS's answers, the operation itself comes last.
        further = {"SetSourceIdentity": wanted.source_identity, "TagSession": wanted.tags.all}
        operations = [*(one for one, sent in further.items() if sent), wanted.operation]
        for action in (f"sts:{one}" for one in operations):
            need = model.Need(action, target.arn, wanted.keys(action), target.trust, target.account)
            decision = self._judge.decide(view, request, need, wanted.principal)
            if not decision.allowed:  # a federated user is told no reason
                short = f"Not authorized to perform sts:{wanted.operation}"
                raise faults.access_denied(short if wanted.principal else decision.message)
        if target.role is None:
            raise RuntimeError(f"{target.arn} does not exist, but a trust policy allowed it")
        return target.role


def _duration(params: Params, role: Role, *, chained: bool) -> int:
    """At most the role's maximum, and an hour in a chain (IAM User Guide, "Using IAM roles").

    A session of GetSessionToken also starts one: https://github.com/99designs/aws-vault/issues/263.
    """
    seconds = int(params.get("DurationSeconds", _HOUR))
    limits = {
        "MaxSessionDuration set for this role.": role.max_session,
        "1 hour session limit for roles assumed by role chaining.": _HOUR if chained else _MOST,
    }
    for what, most in limits.items():
        faults.require(seconds <= most, f"The requested DurationSeconds exceeds the {what}")
    return seconds
