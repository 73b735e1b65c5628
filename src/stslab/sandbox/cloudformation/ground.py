"""What CloudFormation may do that its callers may not, on moto's backends."""

from __future__ import annotations

from collections.abc import Mapping

from stslab.sandbox import moto_backends
from stslab.sandbox.account import World


class WorldGround:
    """:class:`~stslab.sandbox.cloudformation.resources.work.Ground` of a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def bucket_exists(self, name: str) -> bool:
        """Whether any account has a bucket of this name: names are global."""
        return self._world.owner_of_bucket(name) is not None

    def tag_bucket(self, name: str, tags: Mapping[str, str]) -> None:
        """Set a bucket's system tags beside those that it has."""
        with self._world.write_lock:
            owner = self._world.owner_of_bucket(name)
            if owner is None:
                return
            pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
            backend = moto_backends.s3(owner)
            backend.tagger.tag_resource(backend.buckets[name].arn, pairs)
