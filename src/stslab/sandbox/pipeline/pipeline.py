"""The pipeline: every request is authenticated, named, decided, carried out and logged here.

A reading request gets one snapshot and takes no lock. A writing one is answered when it is saved.
"""

import logging
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stslab.policy import Decision
from stslab.sandbox.api import faults, model, operations, serialize
from stslab.sandbox.api.identifiers import LEARNER, REGION
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, ApiResponse, HttpRequest, Params
from stslab.sandbox.pipeline import naming
from stslab.sandbox.pipeline.authorization import Judge, LastUses, check_session
from stslab.sandbox.pipeline.log import DecisionLog, Seen
from stslab.sandbox.pipeline.log_file import UNAUTHENTICATED
from stslab.sandbox.signing import signature
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.state.state import Closed, State

_LOG = logging.getLogger(__name__)
_CHECKED = ("iam", "sts")  # they validate parameters, and then authorize
_AGENT = (("User-Agent", "cloudformation.amazonaws.com"),)
# The HTTP requests of calls without one: a service's own, and a hypothetical one of the learner's.
_FROM_INSIDE = HttpRequest("POST", "/", (), "", _AGENT, b"", source_ip="")
_FROM_HERE = HttpRequest("POST", "/", (), "", _AGENT, b"")
Services = Mapping[str, model.Service]
Would = tuple[model.Caller, str, str, Params]
"""A hypothetical call, which is decided but not made: caller, service, operation, parameters."""


@dataclass(eq=False)
class Pipeline:
    """Handles the requests to all services of one account."""

    state: State
    authenticator: signature.Authenticator
    services: Services
    log: DecisionLog
    judge: Judge

    def __post_init__(self) -> None:
        self._last_uses = LastUses(self.state)

    def handle(self, http: HttpRequest) -> ApiResponse:
        """Answer one HTTP request; an error becomes AWS's error answer."""
        seen = _seen(http)
        try:
            response, fault = self._answer(seen), None
        except ApiFault as refused:
            fault = refused
        except Closed:
            fault = faults.unavailable()
        except Exception as error:  # noqa: BLE001 - whatever fails, the client gets AWS's answer
            _LOG.error("a request to %s failed\n%s", seen.service, faults.where(error))
            fault = faults.failure(seen.service, error)
        if fault is not None:
            response = serialize.fault(seen.service, fault, seen.request_id, http)
        self.log.record(self.state.now(), seen, fault)
        return response

    def refuse(self, head: HttpRequest) -> ApiResponse | None:
        """The refusal of a request whose head can't be authenticated; None: read its body."""
        try:
            self.authenticator.expect(head)
        except ApiFault as fault:
            seen = _seen(head)
            self.log.record(self.state.now(), seen, fault)
            return serialize.fault(seen.service, fault, seen.request_id, head)
        return None

    def _answer(self, seen: Seen) -> ApiResponse:
        verified = self.authenticator.authenticate(seen.http)
        seen.service, seen.http = service, http = verified.service, verified.request
        operation, params = naming.name(service, http)
        anonymous = verified.caller.kind == "Anonymous"
        if anonymous and service != "s3" and operation not in signature.UNSIGNED_ACTIONS:
            raise signature.missing_token()
        seen.api = api = self._api(
            (verified.caller, service, operation, params),
            http,
            region=REGION if service == "iam" else verified.region or REGION,
            id_=seen.request_id,
            authenticated=verified,
        )
        self._last_uses.note(api)
        answer = self._carry_out(api)
        return serialize.result(service, operation, answer, seen.request_id, http)

    def internal(
        self,
        caller: model.Caller,
        service: str,
        operation: str,
        params: Params,
        via: tuple[str, ...] = (),
    ) -> Answer:
        """Decide and carry out a call that a service makes; see :class:`Internal`."""
        api = self._api((caller, service, operation, params), _FROM_INSIDE, via=via)
        seen, fault = Seen(service, api.request_id, api.http, api), None
        try:
            return self._carry_out(api)
        except ApiFault as refused:
            fault = refused
            raise
        finally:
            self.log.record(self.state.now(), seen, fault)

    def would(self, calls: Sequence[Would]) -> tuple[list[Decision], ApiFault | None, bool]:
        """How the last of these calls would be decided after the others, on a fork.

        Return its decisions, its error, and whether its session would be accepted; if it would
        not, the decisions are those that the policies would make.
        """
        fork = Transaction(self.state.snapshot)
        fault: ApiFault | None = None
        for call in calls:
            api, fault = self._api(call, _FROM_HERE), None
            try:
                self._carry_out(api, fork)
            except ApiFault as refused:
                fault = refused
        accepted = bool(api.decisions) or fault is None or fault.code not in UNAUTHENTICATED
        if not accepted:
            for need in self.services[api.service].needs(fork, api):
                self.judge.decide(fork, api, need)
        return api.decisions, fault, accepted

    def _api(
        self, call: Would, http: HttpRequest, region: str = REGION, id_: str = "", **more: Any
    ) -> ApiRequest:
        caller, service, operation, params = call
        view = self.state.snapshot
        account, id_ = caller.account or LEARNER, id_ or _request_id(service)
        if service == "s3" and operation != "CreateBucket" and "Bucket" in params:
            bucket = view.get(Bucket, "", params["Bucket"])
            account = bucket.owner if bucket is not None else account
        return ApiRequest(
            service, operation, params, http, caller, account, region, id_, view.now(), **more
        )

    def _carry_out(self, api: ApiRequest, fork: Transaction | None = None) -> Answer:
        """Decide the call and return its handler's answer; on ``fork``, if given."""
        service = self.services[api.service]
        read = service.reads.get(api.operation)
        if read is not None:
            view = fork or self.state.snapshot
            self._authorize(service, view, api)
            return read(view, api)
        write = service.writes.get(api.operation)
        if write is None:
            raise model.unsupported(api.service, api.operation)
        with self.state.writing(fork or self.state.snapshot, api.caller.access_key_id) as tx:
            self._authorize(service, tx, api)
            return write(tx, api) or {}

    def _authorize(self, service: model.Service, view: View, api: ApiRequest) -> None:
        check_session(api.caller, api.service, api.operation)
        if api.service in _CHECKED:
            operations.check(api.service, api.operation, api.params)
        for need in service.needs(view, api):
            decision = self.judge.decide(view, api, need)
            if not decision.allowed:
                raise model.denial(api, need, decision)


def _seen(http: HttpRequest) -> Seen:
    service = signature.addressed_service(http)
    return Seen(service, _request_id(service), http)


def _request_id(service: str) -> str:
    return secrets.token_hex(8).upper() if service == "s3" else str(uuid.uuid4())
