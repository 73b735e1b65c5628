"""The embedded account: put together of its services, opened, asked, begun anew, closed."""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import msgspec

from stslab.sandbox.api import operations
from stslab.sandbox.api.identifiers import LEARNER, REGION
from stslab.sandbox.api.model import ApiResponse, HttpRequest, KeyLookup, KeyRecord, Service
from stslab.sandbox.cloudformation.service import CloudFormation
from stslab.sandbox.iam import aws_policies, lookups
from stslab.sandbox.iam.mfa import spend
from stslab.sandbox.iam.service import IamService
from stslab.sandbox.pipeline import accounts
from stslab.sandbox.pipeline.decisions import DecisionLog
from stslab.sandbox.pipeline.judge import Judge, lookup
from stslab.sandbox.pipeline.pipeline import Pipeline, Services
from stslab.sandbox.rehearsal.rehearsal import Rehearsal
from stslab.sandbox.rehearsal.spec import parse
from stslab.sandbox.s3.requests import address
from stslab.sandbox.s3.service import S3Service
from stslab.sandbox.server.files import ACCOUNT_FILE
from stslab.sandbox.signing.signature import Authenticator
from stslab.sandbox.state import buckets, traces
from stslab.sandbox.state.snapshot import Snapshot
from stslab.sandbox.state.state import State
from stslab.sandbox.state.store import Store
from stslab.sandbox.sts.assume_role import AssumeRole
from stslab.sandbox.sts.service import StsService

STEP_SECONDS = 0.02


class Inside(msgspec.Struct, frozen=True):
    """What stands behind the server.

    ``cloudformation.engine.resume()`` is to be called once the server can answer, and
    ``cloudformation.engine.stop()`` before it ends. ``keys`` knows every access key.
    """

    state: State
    pipeline: Pipeline
    judge: Judge
    keys: KeyLookup
    services: Services
    cloudformation: CloudFormation

    def handle(self, request: HttpRequest) -> ApiResponse:
        return self.pipeline.handle(request)


def assemble(
    state: State, log: DecisionLog | None = None, step_seconds: float = STEP_SECONDS
) -> Inside:
    """All services on this state, with the pipeline before them.

    ``step_seconds`` is how long CloudFormation takes for each half of a resource.
    """
    judge, log = Judge(), log or DecisionLog()

    def known(access_key_id: str) -> KeyRecord | None:  # to the rest of AWS
        return lookup(judge.seen(state.snapshot), access_key_id)

    services: dict[str, Service] = {}
    pipeline = Pipeline(state, Authenticator(known, state.now), services, log, judge)
    stacks = CloudFormation(state, pipeline.internal, known, step_seconds)
    services |= {
        "iam": IamService(judge),
        "sts": StsService(AssumeRole(judge, lookups.managed_text, spend)),
        "s3": S3Service(state, judge),
        "cloudformation": stacks,
    }
    return Inside(state, pipeline, judge, known, services, stacks)


class EmbeddedAccount:
    """One state after another, kept in one file, with the pipeline before each.

    ``inside`` is what stands behind the server, ``rehearsal`` the one that goes on, ``marked``
    what the verb ``mark`` remembers.
    """

    rehearsal: Rehearsal | None = None
    marked: Snapshot | None = None

    def __init__(self, folder: Path, *, fresh: bool) -> None:
        aws_policies.require()
        for saved in folder.glob(f"{ACCOUNT_FILE}*") if fresh else ():
            saved.unlink()
        self._log = DecisionLog(folder)
        self._store = Store(folder / ACCOUNT_FILE)
        found = self._store.load()
        self._store.drop_blobs_but(chain(buckets.blobs(found), buckets.blobs(traces.past(found))))
        self._enter(State(found, self._store))

    @property
    def facts(self) -> Mapping[str, str]:
        """The instance, where a learner is in it, and what it rehearses, if it does."""
        settings = self.inside.state.snapshot.settings
        return {
            "instance": settings.instance,
            "account": LEARNER,
            "region": REGION,
            "rehearsing": settings.rehearsal,
        }

    def handle(self, request: HttpRequest) -> ApiResponse:
        return self._handle(request)

    def refuse(self, head: HttpRequest) -> ApiResponse | None:
        """Answer a request that nothing vouches for, before its large body is read; else None."""
        return self.inside.pipeline.refuse(head)

    def warm_up(self) -> None:
        """Read AWS's models of the services, and how S3's requests look. Requests may come."""
        for service in operations.SERVICES:
            operations.names(service)
        address.candidates()

    def reset(self) -> None:
        """Begin anew: what was in the account is gone, its keys with it."""
        self._leave()
        self._store.clear()
        self._enter(State(Snapshot(), self._store))

    def close(self) -> None:
        """Leave stacks where they are, and bring everything into the one file."""
        self._leave()
        self._store.close()
        self._log.close()

    def rehearse(self, text: str | None) -> None:
        """Begin the rehearsal that ``text`` describes, in place of any other; None: end it."""
        parse(text or "")
        with self.inside.state.transaction() as tx:
            tx.put(msgspec.structs.replace(tx.settings, rehearsal=text or ""))
        self._rehearse(text or "")

    def _enter(self, state: State) -> None:
        if not state.snapshot.settings.instance:
            with state.transaction() as tx:
                for record in accounts.new():
                    tx.put(record)
        self.inside = assemble(state, self._log)
        self._rehearse(state.snapshot.settings.rehearsal)
        self.inside.cloudformation.engine.resume()

    def _leave(self) -> None:
        self.inside.cloudformation.engine.stop()
        self._rehearse("")
        self.inside.state.close()

    def _rehearse(self, text: str) -> None:
        if self.rehearsal is not None:
            self.rehearsal.end()
        inside, handle = self.inside, self.inside.pipeline.handle
        self.rehearsal = None
        if text:
            engine = inside.cloudformation.engine
            self.rehearsal = Rehearsal(text, inside.state, inside.judge, engine, handle)
        self._handle = self.rehearsal.handle if self.rehearsal else handle
