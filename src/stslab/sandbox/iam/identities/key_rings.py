"""Whose access keys a request is about: a user's, or the root user's own."""

from __future__ import annotations

from typing import Any, Protocol

from stslab.sandbox.api import identifiers
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam import lookups
from stslab.sandbox.saved.account import Account, World, new_root_key


class KeyRing(Protocol):
    """The access keys of one owner."""

    @property
    def keys(self) -> list[Any]:
        """All of them, the oldest first."""
        ...

    def new(self) -> Any:
        """Make one more."""
        ...

    def set_status(self, key: Any, status: str) -> None:
        """Make a key Active or Inactive."""
        ...

    def drop(self, key: Any) -> None:
        """Delete a key."""
        ...


def of(world: World, request: ApiRequest) -> KeyRing:
    """The keys of the user that the request names, or else of the one who makes it.

    Raises:
        ApiFault: there is no such user, or the caller is none and names none.
    """
    if request.caller.kind == "Root" and "UserName" not in request.params:
        return _RootRing(world.account(request.account), request)
    return _UserRing(lookups.backend(world, request), lookups.own_user(world, request))


class _UserRing:
    def __init__(self, iam: Any, user: Any) -> None:
        self._iam = iam
        self._user = user

    @property
    def keys(self) -> list[Any]:
        return list(self._user.access_keys)

    def new(self) -> Any:
        key = self._iam.create_access_key(self._user.name)
        key.secret_access_key = identifiers.secret_access_key()
        return key

    def set_status(self, key: Any, status: str) -> None:
        key.status = status

    def drop(self, key: Any) -> None:
        self._user.access_keys.remove(key)
        self._iam.access_keys.pop(key.access_key_id, None)


class _RootRing:
    def __init__(self, account: Account, request: ApiRequest) -> None:
        self._account = account
        self._now = request.now

    @property
    def keys(self) -> list[Any]:
        return list(self._account.root_keys.values())

    def new(self) -> Any:
        return new_root_key(self._account, self._now)

    def set_status(self, key: Any, status: str) -> None:
        key.status = status
        self._account.root_keys[key.access_key_id] = key

    def drop(self, key: Any) -> None:
        del self._account.root_keys[key.access_key_id]
