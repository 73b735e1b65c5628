"""The embedded account: assembles its services, opens, resets and closes it."""

from contextlib import ExitStack, closing
from pathlib import Path

import msgspec

from stslab.errors import UsageError
from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiResponse, HttpRequest, KeyLookup, KeyRecord, Service
from stslab.sandbox.cloudformation.service import CloudFormation
from stslab.sandbox.cloudformation.stacks.engine import STEP_SECONDS, Engine
from stslab.sandbox.iam import aws_policies, lookups
from stslab.sandbox.iam.mfa import spend
from stslab.sandbox.iam.service import IamService
from stslab.sandbox.pipeline import accounts
from stslab.sandbox.pipeline.authorization import PolicyJudge, lookup
from stslab.sandbox.pipeline.log import DecisionLog
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
from stslab.sandbox.sts.service import StsService


class Inside(msgspec.Struct, frozen=True):
    """The account's parts: its state, its services and the pipeline in front of them."""

    state: State
    pipeline: Pipeline
    judge: PolicyJudge
    keys: KeyLookup
    services: Services
    engine: Engine  # of CloudFormation


def assemble(
    state: State, log: DecisionLog | None = None, step_seconds: float = STEP_SECONDS
) -> Inside:
    """``step_seconds`` is how long CloudFormation takes for each half of a resource."""
    judge, log = PolicyJudge(), log or DecisionLog()

    def find_key(access_key_id: str) -> KeyRecord | None:  # as the rest of AWS sees it
        return lookup(judge.seen(state.snapshot), access_key_id)

    services: dict[str, Service] = {}
    pipeline = Pipeline(state, Authenticator(find_key, state.now), services, log, judge)
    engine = Engine(state, pipeline.internal, find_key, step_seconds)
    services |= {
        "iam": IamService(judge),
        "sts": StsService(judge, lookups.managed_text, spend),
        "s3": S3Service(state, judge),
        "cloudformation": CloudFormation(state, pipeline.internal, engine),
    }
    return Inside(state, pipeline, judge, find_key, services, engine)


class EmbeddedAccount:
    """The account that the server serves, saved in one file. A reset replaces ``inside``."""

    notes = ""  # what could not be read when it was opened, a line for each
    rehearsal: Rehearsal | None = None
    marked: Snapshot | None = None

    def __init__(self, folder: Path, *, fresh: bool) -> None:
        aws_policies.require()
        for file in folder.glob(f"{ACCOUNT_FILE}*") if fresh else ():
            file.unlink()
        with ExitStack() as opened:
            self._log = opened.enter_context(closing(DecisionLog(folder)))
            self._store = opened.enter_context(closing(Store(folder / ACCOUNT_FILE)))
            saved = self._store.whole()
            views = (saved, traces.past(saved))
            used = {part.blob for view in views for part in buckets.parts(view)}
            missing, state = self._store.drop_blobs_but(used), State(saved, self._store)
            with state.transaction() as tx:  # without its body, an object could not be read
                lost = [f"s3://{one.bucket}/{one.name}" for one in buckets.drop(tx, missing)]
            gone = "is missing in the account's file: it was removed."
            self._enter(state, [f"Content of {where} {gone}" for where in lost])
            opened.pop_all()

    def handle(self, request: HttpRequest) -> ApiResponse:
        return (self.rehearsal or self.inside.pipeline).handle(request)

    def warm_up(self) -> None:
        for service in operations.SERVICES:
            operations.names(service)
        address.candidates()

    def reset(self) -> None:
        self._leave()
        self._store.clear()
        self._enter(State(Snapshot(), self._store), [])

    def close(self) -> None:
        """Stop work on stacks where it is, and bring everything into the one file."""
        self._leave()
        self._store.close()
        self._log.close()

    def rehearse(self, text: str | None) -> None:
        """Start the rehearsal that ``text`` describes, in place of any other; None: end it."""
        parse(text or "")
        with self.inside.state.transaction() as tx:
            tx.put(msgspec.structs.replace(tx.settings, rehearsal=text or ""))
        self._rehearse(text or "")

    def _enter(self, state: State, notes: list[str]) -> None:
        if not state.snapshot.settings.instance:
            with state.transaction() as tx:
                for record in accounts.new():
                    tx.put(record)
        self.inside = assemble(state, self._log)
        try:
            self._rehearse(state.snapshot.settings.rehearsal)
        except UsageError as error:
            self.rehearse(None)
            again = "Begin another one: stslab sandbox start --rehearse"
            notes.append(f"The account's rehearsal can't go on. {error.message} {again}")
        self.notes = "\n".join(notes)
        self.inside.engine.resume()

    def _leave(self) -> None:
        self.inside.engine.stop()
        self._rehearse("")
        self.inside.state.close()

    def _rehearse(self, text: str) -> None:
        if self.rehearsal is not None:
            self.rehearsal.end()
        self.rehearsal = None
        if text:
            self.rehearsal = Rehearsal(text, self.inside.pipeline, self.inside.engine)
