"""Puts the account together: the services on a state, and the pipeline before them."""

from dataclasses import dataclass

from stslab.sandbox.api.model import ApiResponse, HttpRequest, KeyLookup, KeyRecord
from stslab.sandbox.api.services import Service
from stslab.sandbox.cloudformation.service import CloudFormation
from stslab.sandbox.iam import lookups
from stslab.sandbox.iam.mfa import verified
from stslab.sandbox.iam.service import IamService
from stslab.sandbox.pipeline import callers
from stslab.sandbox.pipeline.decisions import DecisionLog
from stslab.sandbox.pipeline.judge import Judge
from stslab.sandbox.pipeline.pipeline import Pipeline, Services
from stslab.sandbox.s3.service import S3Service
from stslab.sandbox.signing.signature import Authenticator
from stslab.sandbox.state.state import State
from stslab.sandbox.sts.service import StsService

STEP_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Inside:
    """What stands behind the server.

    ``cloudformation.resume()`` is to be called once the server can answer, and
    ``cloudformation.stop()`` before it ends. ``keys`` knows every access key.
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
        return callers.lookup(judge.seen(state.snapshot), access_key_id)

    services: dict[str, Service] = {}
    pipeline = Pipeline(state, Authenticator(known, state.now), services, log, judge)
    stacks = CloudFormation(state, pipeline.internal, known, step_seconds)
    services |= {
        "iam": IamService(judge),
        "sts": StsService(judge, lookups.managed_text, verified),
        "s3": S3Service(state, judge),
        "cloudformation": stacks,
    }
    return Inside(state, pipeline, judge, known, services, stacks)
