"""The pipeline: every request is authenticated, named, decided, carried out and logged here.

A reading request gets one snapshot and takes no lock. A writing one is answered when it is saved.
"""

import logging
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from stslab.policy import Decision
from stslab.sandbox.api import faults, model, operations, serialize
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, ApiResponse, HttpRequest, Params
from stslab.sandbox.pipeline import naming
from stslab.sandbox.pipeline.authorization import LastUses, PolicyJudge, check_session
from stslab.sandbox.pipeline.log import DecisionLog, Received
from stslab.sandbox.pipeline.log_file import UNAUTHENTICATED
from stslab.sandbox.s3.requests.params import check as check_s3
from stslab.sandbox.signing import signature
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.state.state import Closed, State
from stslab.vocabulary import LEARNER, REGION

_LOG = logging.getLogger(__name__)
_CHECKED = ("iam", "sts")  # they check parameters before the policies; others after
_VIA = ("cloudformation.amazonaws.com",)
_AGENT = (("User-Agent", *_VIA),)
# The HTTP requests of calls without one: a service's own, and one that is or might be a caller's.
_FROM_INSIDE = HttpRequest("POST", "/", (), "", _AGENT, b"", source_ip="")
_FROM_HERE = HttpRequest("POST", "/", (), "", _AGENT, b"")
Services = Mapping[str, model.Service]


class Call(NamedTuple):
    """One call of an operation: who makes it, and with which parameters."""

    caller: model.Caller
    service: str
    operation: str
    params: Params


@dataclass(eq=False)
class Pipeline:
    """Handles the requests to all services of one account."""

    state: State
    authenticator: signature.Authenticator
    services: Services
    log: DecisionLog
    judge: PolicyJudge

    def __post_init__(self) -> None:
        self._last_uses = LastUses(self.state)

    def handle(self, http: HttpRequest) -> ApiResponse:
        """Answer one HTTP request; an error becomes AWS's error answer."""
        received = _received(http)
        fault: ApiFault | None = None
        try:
            response = self._answer(received)
        except ApiFault as refused:
            fault = refused
        except Closed:
            fault = faults.unavailable()
        except Exception as error:  # noqa: BLE001 - whatever fails, the client gets AWS's answer
            _LOG.error("a request to %s failed\n%s", received.service, faults.where(error))
            fault = faults.failure(received.service, error)
        if fault is not None:
            response = serialize.fault(received.service, fault, received.request_id, http)
        self.log.record(self.state.now(), received, fault)
        return response

    def refuse(self, head: HttpRequest) -> ApiResponse | None:
        """The refusal of a request whose head can't be authenticated; None: read its body."""
        try:
            self.authenticator.expect(head)
        except ApiFault as fault:
            received = _received(head)
            self.log.record(self.state.now(), received, fault)
            return serialize.fault(received.service, fault, received.request_id, head)
        return None

    def _answer(self, received: Received) -> ApiResponse:
        verified = self.authenticator.authenticate(received.http)
        service, http = verified.service, verified.request
        anonymous = verified.caller.kind == "Anonymous"
        received.service, received.http = service, http
        received.caller = None if anonymous else verified.caller
        operation, params = naming.name(service, http, partial(self.state.snapshot.get, Bucket, ""))
        if anonymous and service != "s3" and operation not in signature.UNSIGNED_ACTIONS:
            raise signature.missing_token()
        is_global = service == "iam" or (operation == "CreateBucket" and not verified.region)
        received.api = api = self._api(
            Call(verified.caller, service, operation, params),
            http,
            received.request_id,
            REGION if is_global else verified.region,
            authenticated=verified,
        )
        self._last_uses.note(api)
        return serialize.result(service, operation, self._carry_out(api), received.request_id, http)

    def internal(
        self, caller: model.Caller, service: str, operation: str, params: Params, here: bool = False
    ) -> Answer:
        """Decide and carry out a call that a service makes; see :class:`Internal`."""
        call = Call(caller, service, operation, params)
        http = _FROM_HERE if here else _FROM_INSIDE
        via = () if caller.kind == "AWSService" else _VIA
        api = self._api(call, http, _request_id(service), via=via)
        if caller.session:
            self._last_uses.note(api)
        fault: ApiFault | None = None
        try:
            return self._carry_out(api)
        except ApiFault as refused:
            fault = refused
            raise
        finally:
            received = Received(service, api.request_id, api.http, api)
            self.log.record(self.state.now(), received, fault)

    def would(self, calls: Sequence[Call]) -> tuple[list[Decision], ApiFault | None, bool]:
        """How the last of these calls would be decided after the others, on a fork.

        Return its decisions, its error, and whether its session would be accepted; if it would
        not, the decisions are those that the policies would make.
        """
        fork = Transaction(self.state.snapshot)
        for call in calls:
            api = self._api(call, _FROM_HERE, _request_id(call.service))
            fault: ApiFault | None = None
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
        self, call: Call, http: HttpRequest, request_id: str, region: str = "", **members: Any
    ) -> ApiRequest:
        """The call as a request with these members; its region is the resource's unless given."""
        view, params = self.state.snapshot, call.params
        account, home = call.caller.account or LEARNER, REGION
        if call.operation == "CreateBucket":
            home = (params.get("CreateBucketConfiguration") or {}).get("LocationConstraint") or home
        elif call.service == "s3" and (bucket := view.get(Bucket, "", params.get("Bucket", ""))):
            account, home = bucket.owner, bucket.region
        return ApiRequest(
            **call._asdict(),
            http=http,
            account=account,
            region=region or home,
            request_id=request_id,
            now=view.now(),
            **members,
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
        if api.service == "s3" and api.operation in operations.names("s3"):  # not S3's control API
            check_s3(api)


def _received(http: HttpRequest) -> Received:
    service = signature.addressed_service(http)
    return Received(service, _request_id(service), http)


def _request_id(service: str) -> str:
    return secrets.token_hex(8).upper() if service == "s3" else str(uuid.uuid4())
