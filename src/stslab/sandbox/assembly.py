"""Puts the inside of the sandbox together: the world, its services, and the gate before them."""

from __future__ import annotations

from stslab.sandbox import moto_iam
from stslab.sandbox.account import World
from stslab.sandbox.decisions import DecisionLog
from stslab.sandbox.gate import Gate, Saved
from stslab.sandbox.iam_own.service import IamService
from stslab.sandbox.judge import Judge
from stslab.sandbox.keys import LongTermKeys
from stslab.sandbox.model import ApiRequest, KeyRecord, KeyStore
from stslab.sandbox.registry import Registry
from stslab.sandbox.s3.service import S3Service
from stslab.sandbox.signature import Authenticator
from stslab.sandbox.sts.service import StsService


class _Keys:
    """Every access key of the world: long-term ones and those of sessions."""

    def __init__(self, *stores: KeyStore) -> None:
        self._stores = stores

    def lookup(self, access_key_id: str) -> KeyRecord | None:
        """The key of this id, or None."""
        for store in self._stores:
            record = store.lookup(access_key_id)
            if record is not None:
                return record
        return None


def _not_saved(_world: World, _request: ApiRequest) -> None:
    """For a world that lives as long as its process."""


def assemble(world: World, *, log: DecisionLog | None = None, saved: Saved = _not_saved) -> Gate:
    """The gate before ``world``, with all services behind it."""
    judge = Judge(world)
    registry = Registry()
    sts, s3 = StsService(world, judge), S3Service(world, judge)
    registry.register_backend("iam", moto_iam.names(), moto_iam.answer)
    registry.register("iam", IamService(world))
    registry.register("sts", sts)
    registry.register_backend("s3", s3.backed, s3.answer)
    registry.register("s3", s3)
    registry.register("iam", IamService(world))
    doorkeeper = Authenticator(_Keys(LongTermKeys(world), sts.keys), world.now)
    return Gate(world, doorkeeper, registry, log or DecisionLog(), judge=judge, saved=saved)
