"""The pipeline: every request is authenticated, named, decided, carried out and logged here.

What fails at any point is answered as AWS answers it; what the pipeline does not know is
refused. A request that reads gets one snapshot and takes no lock; one that writes gets a
transaction, in which it is decided too, and is answered when that is saved.
"""

import logging
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from msgspec.structs import replace

from stslab.policy import Decision
from stslab.sandbox.api import faults, operations, serialize
from stslab.sandbox.api.identifiers import LEARNER, REGION
from stslab.sandbox.api.model import (
    Answer,
    ApiFault,
    ApiRequest,
    ApiResponse,
    Caller,
    HttpRequest,
    Params,
    Service,
    unsupported,
)
from stslab.sandbox.pipeline import naming
from stslab.sandbox.pipeline.decisions import DecisionLog, Seen
from stslab.sandbox.pipeline.judge import Judge, LastUses, check_session
from stslab.sandbox.pipeline.log_file import UNAUTHENTICATED
from stslab.sandbox.signing.signature import (
    UNSIGNED_ACTIONS,
    Authenticator,
    addressed_service,
    missing_token,
)
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.state.state import Closed, State

_LOG = logging.getLogger(__name__)
# What AWS says of parameters before it asks who may call.
_CHECKED = frozenset({"iam", "sts"})
_AGENT = (("User-Agent", "cloudformation.amazonaws.com"),)
# What stands for the request of a call that a service makes, which comes over no network.
_FROM_INSIDE = HttpRequest("POST", "/", (), "", _AGENT, b"", source_ip="")
_FROM_HERE = HttpRequest("POST", "/", (), "", _AGENT, b"")  # a learner's, from this machine
Services = Mapping[str, Service]


class Would(NamedTuple):
    """A call that is not made: it is only asked what would come of it."""

    caller: Caller
    service: str
    operation: str
    params: Params


class Pipeline:
    """Stands before all services of one account's state."""

    def __init__(
        self,
        state: State,
        authenticator: Authenticator,
        services: Services,
        log: DecisionLog,
        judge: Judge,
    ) -> None:
        self._state = state
        self._authenticator = authenticator
        self._services = services
        self._log = log
        self._judge = judge
        self._last_uses = LastUses(state)

    def handle(self, http: HttpRequest) -> ApiResponse:
        """Answer one HTTP request; every fault becomes an answer."""
        return self._logged(http, self._answer)

    def refuse(self, head: HttpRequest) -> ApiResponse | None:
        """The refusal of a request with a large body that nothing vouches for, by its head."""
        try:
            self._authenticator.expect(head)
        except ApiFault:
            return self._logged(head, self._expect)
        return None

    def _expect(self, seen: Seen) -> ApiResponse:
        self._authenticator.expect(seen.http)
        raise faults.unavailable()  # what vouches for it came a moment ago

    def _logged(self, http: HttpRequest, answer: Callable[[Seen], ApiResponse]) -> ApiResponse:
        service = addressed_service(http)
        seen = Seen(service, _request_id(service), http)
        notes = self._judge.start()
        fault: ApiFault | None = None
        try:
            response = answer(seen)
        except ApiFault as refused:
            fault = refused
        except Closed:
            fault = faults.unavailable()
        except Exception as error:  # noqa: BLE001 - whatever fails, the client gets AWS's answer
            _LOG.error("a request to %s failed\n%s", seen.service, faults.where(error))
            fault = faults.failure(seen.service)
        if fault is not None:
            response = serialize.fault(seen.service, fault, seen.request_id, http)
        self._log.record(self._state.now(), seen, notes, fault)
        return response

    def _answer(self, seen: Seen) -> ApiResponse:
        proved = self._authenticator.authenticate(seen.http)
        seen.service, seen.http = proved.service, proved.request
        operation, params = naming.name(proved.service, proved.request)
        unsigned = proved.caller.kind == "Anonymous"
        if unsigned and proved.service != "s3" and operation not in UNSIGNED_ACTIONS:
            raise missing_token()
        seen.api = api = replace(
            self._api(proved.caller, proved.service, operation, params, proved.request),
            region=REGION if proved.service == "iam" else proved.region or REGION,
            request_id=seen.request_id,
            authenticated=proved,
        )
        self._last_uses.note(api)
        answer, as_json = self._carry_out(api), serialize.wants_json(api.http)
        return serialize.result(api.service, operation, answer, api.request_id, as_json=as_json)

    def internal(
        self,
        caller: Caller,
        service: str,
        operation: str,
        params: Params,
        via: tuple[str, ...] = (),
    ) -> Answer:
        """Decide and carry out a call that a service makes; see :class:`Internal`."""
        api = replace(self._api(caller, service, operation, params, _FROM_INSIDE), via=via)
        outer = self._judge.notes()
        notes = self._judge.start()
        fault: ApiFault | None = None
        try:
            return self._carry_out(api)
        except ApiFault as refused:
            fault = refused
            raise
        finally:
            seen = Seen(service, api.request_id, api.http, api)
            self._log.record(self._state.now(), seen, notes, fault)
            self._judge.resume(outer)

    def would(self, calls: Sequence[Would]) -> tuple[list[Decision], ApiFault | None, bool]:
        """What the last of these calls would meet after the others, without any being made.

        They are carried out in a transaction that is not committed. Returns the last one's
        decisions, the fault that it would end in, and whether its session would be accepted;
        where it would not, what the policies would decide.
        """
        fork = Transaction(self._state.snapshot)
        outer = self._judge.notes()
        notes: list[Decision] = []
        fault: ApiFault | None = None
        try:
            for call in calls:
                notes, fault = self._judge.start(), None
                api = self._api(*call, _FROM_HERE)
                try:
                    self._carry_out(api, fork)
                except ApiFault as refused:
                    fault = refused
            believed = bool(notes) or fault is None or fault.code not in UNAUTHENTICATED
            if not believed:
                for need in self._services[api.service].needs(fork, api):
                    with suppress(ApiFault):
                        self._judge.require(fork, api, need)
        finally:
            self._judge.resume(outer)
        return notes, fault, believed

    def _api(
        self, caller: Caller, service: str, operation: str, params: Params, http: HttpRequest
    ) -> ApiRequest:
        view = self._state.snapshot
        elsewhere = service == "s3" and operation != "CreateBucket" and "Bucket" in params
        bucket = view.get(Bucket, "", params["Bucket"]) if elsewhere else None
        return ApiRequest(
            service,
            operation,
            params,
            http,
            caller,
            account=bucket.owner if bucket is not None else caller.account or LEARNER,
            region=REGION,
            request_id=_request_id(service),
            now=view.now(),
        )

    def _carry_out(self, api: ApiRequest, fork: Transaction | None = None) -> Answer:
        """Decide the call and let its handler answer; on ``fork``, where that is given."""
        service = self._services[api.service]
        read = service.reads.get(api.operation)
        if read is not None:
            view = fork or self._state.snapshot
            self._authorize(service, view, api)
            return read(view, api)
        write = service.writes.get(api.operation)
        if write is None:
            raise unsupported(api.service, api.operation)
        with self._state.writing(fork or self._state.snapshot, api.caller.access_key_id) as tx:
            self._authorize(service, tx, api)
            return write(tx, api) or {}

    def _authorize(self, service: Service, view: View, api: ApiRequest) -> None:
        check_session(api.caller, api.service, api.operation)
        if api.service in _CHECKED:
            operations.check(api.service, api.operation, api.params)
        for need in service.needs(view, api):
            self._judge.require(view, api, need)


def _request_id(service: str) -> str:
    return secrets.token_hex(8).upper() if service == "s3" else str(uuid.uuid4())
