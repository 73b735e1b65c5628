"""Puts the inside of the sandbox together: the world, its services, and the gate before them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stslab.sandbox.api.model import ApiRequest, ApiResponse, HttpRequest, KeyRecord, KeyStore
from stslab.sandbox.cloudformation.service import CloudFormation, part_of
from stslab.sandbox.iam.service import IamService
from stslab.sandbox.pipeline.decisions import DecisionLog
from stslab.sandbox.pipeline.gate import Gate
from stslab.sandbox.pipeline.judge import Judge
from stslab.sandbox.pipeline.keys import LongTermKeys
from stslab.sandbox.pipeline.registry import Registry
from stslab.sandbox.s3.service import S3Service
from stslab.sandbox.saved import moto_iam
from stslab.sandbox.saved.account import World
from stslab.sandbox.signing.signature import Authenticator
from stslab.sandbox.sts.service import StsService

Saved = Callable[[World, ApiRequest | None], None]


@dataclass(frozen=True, slots=True)
class Inside:
    """What stands behind the server.

    ``cloudformation.resume()`` is to be called once the server can answer, and
    ``cloudformation.stop()`` before it ends. ``keys`` knows every access key.
    """

    world: World
    gate: Gate
    keys: KeyStore
    registry: Registry
    cloudformation: CloudFormation

    def handle(self, request: HttpRequest) -> ApiResponse:
        """Answer one request to an AWS service; see :meth:`Gate.handle`."""
        return self.gate.handle(request)


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


def _not_saved(_world: World, _request: ApiRequest | None) -> None:
    """For a world that lives as long as its process."""


def assemble(world: World, *, log: DecisionLog | None = None, saved: Saved = _not_saved) -> Inside:
    """All services of ``world``, with the gate before them.

    ``saved`` is called with the write lock held, after each request that may have changed the
    world, before it is answered; without a request where a stack changed by itself.
    """
    judge, registry, log = Judge(world), Registry(), log or DecisionLog()
    sts, s3 = StsService(world, judge), S3Service(world, judge)
    keys = _Keys(LongTermKeys(world), sts.keys)
    stacks = part_of(world, keys, lambda: saved(world, None))
    registry.register_backend("iam", moto_iam.names, moto_iam.answer)
    registry.register_backend("s3", lambda: s3.backed, s3.answer)
    registry.register("iam", IamService(world))
    registry.register("s3", s3)
    registry.register("sts", sts)
    registry.register("cloudformation", stacks)
    doorkeeper = Authenticator(keys, world.now)
    gate = Gate(world, doorkeeper, registry, log, judge=judge, saved=saved)
    return Inside(world, gate, keys, registry, stacks)
