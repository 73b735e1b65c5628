"""S3 without the rest of the account: boto3's requests go to its handlers, and all are allowed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from tests.sandbox.direct import ENDPOINT, Raw, as_http

from stslab.policy import Principal, PrincipalKind
from stslab.sandbox.api import serialize
from stslab.sandbox.api.model import (
    ApiFault,
    ApiRequest,
    ApiResponse,
    Caller,
    HttpRequest,
    unsupported,
)
from stslab.sandbox.pipeline.authorization import PolicyJudge
from stslab.sandbox.s3.requests import address, params
from stslab.sandbox.s3.service import S3Service
from stslab.sandbox.state.snapshot import Account, Snapshot
from stslab.sandbox.state.state import State
from stslab.vocabulary import LEARNER

_BOTO = boto3.Session("key", "secret", region_name="us-east-1")
_ROOT = Principal(PrincipalKind.ROOT, f"arn:aws:iam::{LEARNER}:root", LEARNER, LEARNER)
ACCOUNT = Account(account=LEARNER, name="learner", canonical_id="c" * 64)
_CALLER = Caller(_ROOT, "AKIA")


class Alone:
    """S3 with its own state, and a client for it that is the root user."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State(Snapshot.of([ACCOUNT]))
        self.service = S3Service(self.state, PolicyJudge())
        self.client = _BOTO.client(
            "s3",
            endpoint_url=ENDPOINT,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        self.client.meta.events.register("before-send", self._send)

    def handle(self, http: HttpRequest) -> ApiResponse:
        """Answer as the pipeline does, but let exceptions other than ApiFault through."""
        try:
            return self._answer(http)
        except ApiFault as fault:
            return serialize.fault("s3", fault, "R", http)

    def _answer(self, http: HttpRequest) -> ApiResponse:
        where = address.address(http)
        name = address.operation(http, where)
        request = ApiRequest(
            "s3", name, params.parse(name, http, where), http, _CALLER, LEARNER, "us-east-1", "R",
            datetime.now(UTC),
        )  # fmt: skip
        params.check(request)
        if name in self.service.reads:
            answer = self.service.reads[name](self.state.snapshot, request)
        elif name in self.service.writes:
            with self.state.transaction() as tx:
                answer = self.service.writes[name](tx, request) or {}
        else:
            raise unsupported("s3", name)
        return serialize.result("s3", name, answer, "R", http)

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        response = self.handle(as_http(request))
        headers = dict(response.headers)
        return AWSResponse(request.url, response.status, headers, Raw(response.body))
