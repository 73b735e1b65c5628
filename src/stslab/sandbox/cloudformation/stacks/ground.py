"""What CloudFormation may do that its callers may not, on moto's backends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stslab.sandbox.iam import tagging
from stslab.sandbox.saved import moto_backends
from stslab.sandbox.saved.account import World
from stslab.sandbox.saved.tables import Table

# Where IAM's entities are kept, and under which of their attributes.
_TABLES: dict[str, tuple[str, str]] = {
    "role": ("roles", "id"),
    "user": ("users", "name"),
    "OIDC provider": ("open_id_providers", "arn"),
}


class WorldGround:
    """A world as CloudFormation sees it while it works on a stack of one account.

    It is a :class:`~stslab.sandbox.cloudformation.resources.work.Ground`.
    """

    def __init__(self, world: World, account_id: str) -> None:
        self._world = world
        self._account_id = account_id

    def bucket_exists(self, name: str) -> bool:
        """Whether any account has a bucket of this name: names are global."""
        return self._world.owner_of_bucket(name) is not None

    def tag(self, kind: str, name: str, tags: Mapping[str, str]) -> None:
        """Set system tags beside those that are there."""
        with self._world.write_lock:
            if kind == "bucket":
                self._tag_bucket(name, tags)
                return
            iam = self._world.account(self._account_id).iam
            found = tagging.add_system(iam, kind, name, tags)
            table, key = _TABLES[kind]
            _touch(getattr(iam, table), getattr(found, key))

    def _tag_bucket(self, name: str, tags: Mapping[str, str]) -> None:
        s3 = moto_backends.s3(self._account_id)
        arn = s3.buckets[name].arn
        s3.tagger.tag_resource(arn, [{"Key": key, "Value": tags[key]} for key in tags])
        _touch(s3.tagger.tags, arn)


def _touch(table: Any, key: str) -> None:
    """Let what changed where it stands be saved, in a world that is."""
    if isinstance(table, Table):
        table.touch(key)
