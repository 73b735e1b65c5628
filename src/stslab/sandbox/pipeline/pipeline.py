"""The pipeline: every request is authenticated, named, decided, carried out and logged here.

A failure at any step gets AWS's error answer; unknown operations are refused. A reading request
gets one snapshot and takes no lock. A writing one is decided and carried out in a transaction,
and is answered when that is saved.
"""

import logging
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from stslab.policy import Decision
from stslab.sandbox.api import faults, operations, serialize
from stslab.sandbox.api.identifiers import LEARNER, REGION, TOOLBOX
from stslab.sandbox.api.model import (
    Answer,
    ApiFault,
    ApiRequest,
    ApiResponse,
    Caller,
    HttpRequest,
    Params,
    Service,
    denial,
    unsupported,
)
from stslab.sandbox.pipeline import naming
from stslab.sandbox.pipeline.authorization import Judge, LastUses, check_session, noting
from stslab.sandbox.pipeline.log import DecisionLog, Seen
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
_CHECKED = frozenset({"iam", "sts", TOOLBOX})  # they validate parameters, and then authorize
_AGENT = (("User-Agent", "cloudformation.amazonaws.com"),)
# The HTTP requests of calls without one: a service's own, and a hypothetical one of the learner's.
_FROM_INSIDE = HttpRequest("POST", "/", (), "", _AGENT, b"", source_ip="")
_FROM_HERE = HttpRequest("POST", "/", (), "", _AGENT, b"")
Services = Mapping[str, Service]


class Would(NamedTuple):
    """A hypothetical call: it is decided, but not made."""

    caller: Caller
    service: str
    operation: str
    params: Params


class Pipeline:
    """Handles the requests to all services of one account."""

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
        """Answer one HTTP request; an error becomes AWS's error answer."""
        return self._logged(http, self._answer)

    def refuse(self, head: HttpRequest) -> ApiResponse | None:
        """The refusal of a request whose head can't be authenticated; None: read its body."""
        try:
            self._authenticator.expect(head)
        except ApiFault:
            return self._logged(head, self._expect)
        return None

    def _expect(self, seen: Seen) -> ApiResponse:
        self._authenticator.expect(seen.http)
        raise faults.unavailable()  # its key was created a moment ago

    def _logged(self, http: HttpRequest, answer: Callable[[Seen], ApiResponse]) -> ApiResponse:
        service = naming.called(addressed_service(http), http)
        seen = Seen(service, _request_id(service), http)
        fault: ApiFault | None = None
        with noting() as notes:
            try:
                response = answer(seen)
            except ApiFault as refused:
                fault = refused
            except Closed:
                fault = faults.unavailable()
            except Exception as error:  # noqa: BLE001 - whatever fails, the client gets AWS's answer
                _LOG.error("a request to %s failed\n%s", seen.service, faults.where(error))
                fault = faults.failure(seen.service, error)
        if fault is not None:
            response = serialize.fault(seen.service, fault, seen.request_id, http)
        self._log.record(self._state.now(), seen, notes, fault)
        return response

    def _answer(self, seen: Seen) -> ApiResponse:
        verified = self._authenticator.authenticate(seen.http)
        service = naming.called(verified.service, verified.request)
        seen.service, seen.http = service, verified.request
        operation, params = naming.name(service, verified.request)
        anonymous = verified.caller.kind == "Anonymous"
        if anonymous and service != "s3" and operation not in UNSIGNED_ACTIONS:
            raise missing_token()
        seen.api = api = replace(
            self._api(verified.caller, service, operation, params, verified.request),
            region=REGION if service == "iam" else verified.region or REGION,
            request_id=seen.request_id,
            authenticated=verified,
        )
        self._last_uses.note(api)
        answer = self._carry_out(api)
        return serialize.result(service, operation, answer, seen.request_id)

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
        seen, fault = Seen(service, api.request_id, api.http, api), None
        with noting() as notes:
            try:
                return self._carry_out(api)
            except ApiFault as refused:
                fault = refused
                raise
            finally:
                self._log.record(self._state.now(), seen, notes, fault)

    def would(self, calls: Sequence[Would]) -> tuple[list[Decision], ApiFault | None, bool]:
        """How the last of these calls would be decided after the others, without making any.

        They are carried out in a transaction that is not committed. Return the last one's
        decisions, its error, and whether its session would be accepted; if it would not, the
        decisions are those that the policies would make.
        """
        fork = Transaction(self._state.snapshot)
        fault: ApiFault | None = None
        for call in calls:
            api, fault = self._api(*call, _FROM_HERE), None
            with noting() as notes:
                try:
                    self._carry_out(api, fork)
                except ApiFault as refused:
                    fault = refused
        accepted = bool(notes) or fault is None or fault.code not in UNAUTHENTICATED
        if not accepted:
            with noting() as notes:
                for need in self._services[api.service].needs(fork, api):
                    self._judge.decide(fork, api, need)
        return notes, fault, accepted

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
        """Decide the call and return its handler's answer; on ``fork``, if given."""
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
            decision = self._judge.decide(view, api, need)
            if not decision.allowed:
                raise denial(api, need, decision)


def _request_id(service: str) -> str:
    return secrets.token_hex(8).upper() if service == "s3" else str(uuid.uuid4())
