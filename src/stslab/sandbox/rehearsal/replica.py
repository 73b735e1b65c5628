"""IAM as the rest of AWS sees it: a change takes time until it is known everywhere.

Until then requests are judged by what was there before: a new key is unknown, a new role can't
be assumed, a policy that was changed or removed still holds (IAM User Guide, "Troubleshoot
IAM", "Changes that I make are not always immediately visible"). IAM's own answers are always
the newest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from stslab.policy import NamedPolicy, Policies
from stslab.sandbox.api.model import Caller, KeyRecord
from stslab.sandbox.pipeline import gather, keys
from stslab.sandbox.rehearsal.dice import share
from stslab.sandbox.rehearsal.spec import Span, Spec
from stslab.sandbox.saved.account import Account, World
from stslab.sandbox.sts import roles

Name = tuple[str, str]
_KEY, _USER, _ROLE, _POLICIES = "key", "user", "role", "policies"


@dataclass(frozen=True, slots=True)
class _Role:
    """A role and who may assume it; ``role`` is moto's."""

    role: Any
    trust: NamedPolicy | None


class Replica:
    """What is known elsewhere of one world's IAM. ``notice`` comes after each change.

    ``notice`` is called with the write lock held; everything else may be asked at any time.
    """

    def __init__(self, world: World, spec: Spec) -> None:
        self._world = world
        self._seed = spec.seed
        self._delays: Mapping[str, Span] = {
            _KEY: spec.keys,
            _USER: spec.users,
            _ROLE: spec.roles,
            _POLICIES: spec.policies,
        }
        self._changes: Counter[str] = Counter()
        self._known = dict(self._everything())
        self._pending: dict[Name, tuple[tuple[datetime, Any], ...]] = {}

    def notice(self) -> None:
        """Look for what has changed, and let it spread."""
        now, at = dict(self._everything()), self._world.now()
        for name in {**self._known, **now}:
            before = self._known.get(name)
            if before != now.get(name):
                self._spread(name, before, at)
        self._known = now

    def key(self, access_key_id: str, now: KeyRecord | None) -> KeyRecord | None:
        """The key as it is known; ``now`` is how it is."""
        found: KeyRecord | None = self._seen((_KEY, access_key_id), now)
        return None if found and self.hides(found.caller.principal.arn) else found

    def policies(self, caller: Caller, now: Policies) -> Policies:
        """The caller's policies as they are known; session policies are always the newest."""
        before: Policies | None = self._seen((_POLICIES, _subject(caller)), now)
        if before is now:
            return now
        known = before or Policies()
        return now._replace(identity=known.identity, boundaries=known.boundaries)

    def role(self, arn: str, now: Any) -> Any:
        """Moto's role as it is known, or None."""
        found = self._seen((_ROLE, arn), now)
        return found.role if isinstance(found, _Role) else found

    def trust(self, arn: str, now: NamedPolicy | None) -> NamedPolicy | None:
        """The role's trust policy as it is known."""
        found = self._seen((_ROLE, arn), now)
        return found.trust if isinstance(found, _Role) else found

    def hides(self, arn: str) -> bool:
        """Whether the user or role is too new to be named as a principal."""
        here = object()
        return any(self._seen((kind, arn), here) is None for kind in (_USER, _ROLE))

    def spreading(self) -> int:
        """How many changes are not known everywhere yet."""
        at = self._world.now()
        return sum(until > at for waiting in list(self._pending.values()) for until, _ in waiting)

    def _seen(self, name: Name, now: Any) -> Any:
        waiting = self._pending.get(name)
        if waiting:
            at = self._world.now()
            for until, before in waiting:
                if until > at:
                    return before
        return now

    def _spread(self, name: Name, before: Any, at: datetime) -> None:
        kind = name[0]
        self._changes[kind] += 1
        seconds = self._delays[kind].at(share(self._seed, kind, self._changes[kind]))
        waiting = tuple(one for one in self._pending.get(name, ()) if one[0] > at)
        self._pending[name] = (*waiting, (at + timedelta(seconds=seconds), before))

    def _everything(self) -> Iterator[tuple[Name, Any]]:
        for account in self._world.accounts.values():
            yield from self._users(account)
            yield from self._roles(account)

    def _users(self, account: Account) -> Iterator[tuple[Name, Any]]:
        for user in list(account.iam.users.values()):
            yield (_USER, user.arn), user.id
            yield (_POLICIES, user.id), gather.of_user(account, user)
        known = keys.LongTermKeys(self._world)
        for key_id in list(account.iam.access_keys):
            yield (_KEY, key_id), known.present(key_id)

    def _roles(self, account: Account) -> Iterator[tuple[Name, Any]]:
        for role in list(account.iam.roles.values()):
            target = roles.Target(role.arn, account.account_id, role.name, role)
            yield (_ROLE, role.arn), _Role(role, target.present_trust(self._world))
            yield (_POLICIES, role.id), gather.of_role(account, role)


def _subject(caller: Caller) -> str:
    session = caller.session
    return caller.user_id if session is None else session.role_id or session.issuer_id
