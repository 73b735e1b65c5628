"""The pipeline: every request is authenticated, named, decided, carried out and logged here.

What fails at any point is answered as AWS answers it; what the pipeline does not know is
refused. A request that reads gets one snapshot and takes no lock; one that writes gets a
transaction, in which it is decided too, and is answered when that is saved.
"""

import logging
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, NoReturn

from stslab.policy import Decision
from stslab.sandbox.api import constraints, serialize
from stslab.sandbox.api.accounts import LEARNER, REGION
from stslab.sandbox.api.failures import where
from stslab.sandbox.api.model import (
    Answer,
    ApiFault,
    ApiRequest,
    ApiResponse,
    Caller,
    HttpRequest,
)
from stslab.sandbox.api.services import FORBIDDEN, Service, unsupported
from stslab.sandbox.pipeline import naming
from stslab.sandbox.pipeline.decisions import DecisionLog, Seen
from stslab.sandbox.pipeline.judge import Judge
from stslab.sandbox.pipeline.last_used import LastUses
from stslab.sandbox.signing.signature import UNSIGNED_ACTIONS, Authenticator, addressed_service
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.state import Closed, State
from stslab.sandbox.state.transaction import Transaction
from stslab.sandbox.sts import restrictions

_LOG = logging.getLogger(__name__)
_FAILURE = 500
# What AWS says of parameters before it asks who may call.
_CHECKED = frozenset({"iam", "sts"})
_UNAVAILABLE = ApiFault(
    "ServiceUnavailable",
    "The request has failed due to a temporary failure of the server.",
    503,
    fault="Receiver",
)
_AGENT = (("User-Agent", "cloudformation.amazonaws.com"),)
# What stands for the request of a call that a service makes, which comes over no network.
_FROM_INSIDE = HttpRequest("POST", "/", (), "", _AGENT, b"", source_ip="")
Services = Mapping[str, Service]


@dataclass(slots=True)
class _Understood:
    """One request on its way, as far as it is understood."""

    service: str
    request_id: str
    http: HttpRequest
    api: ApiRequest | None = None


class Would(NamedTuple):
    """A call that is not made: it is only asked what would come of it."""

    caller: Caller
    service: str
    operation: str
    params: Mapping[str, Any]


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

    def _expect(self, understood: _Understood) -> NoReturn:
        self._authenticator.expect(understood.http)
        raise _UNAVAILABLE  # what vouches for it came a moment ago

    def _logged(
        self, http: HttpRequest, answer: Callable[[_Understood], ApiResponse]
    ) -> ApiResponse:
        service = addressed_service(http)
        understood = _Understood(service, _request_id(service), http)
        notes = self._judge.start()
        fault: ApiFault | None = None
        try:
            response = answer(understood)
        except ApiFault as refused:
            fault = refused
        except Closed:
            fault = _UNAVAILABLE
        except Exception as error:  # noqa: BLE001 - whatever fails, the client gets AWS's answer
            _LOG.error("a request to %s failed\n%s", understood.service, where(error))
            fault = _failed()
        if fault is not None:
            response = serialize.fault(
                understood.service,
                fault,
                understood.request_id,
                head=http.method == "HEAD",
                in_json=naming.speaks_json(understood.service, http),
            )
        seen = Seen(understood.service, understood.http, understood.api, understood.request_id)
        self._log.record(self._state.now(), seen, notes, fault)
        return response

    def internal(
        self,
        caller: Caller,
        service: str,
        operation: str,
        params: Mapping[str, Any],
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
            seen = Seen(service, api.http, api, api.request_id)
            self._log.record(self._state.now(), seen, notes, fault)
            self._judge.resume(outer)

    def would(self, calls: Sequence[Would]) -> tuple[list[Decision], ApiFault | None]:
        """What the last of these calls would meet after the others, without any being made.

        They are carried out in a transaction that nobody commits. Returns the last one's
        decisions, and the fault that it would end in.
        """
        fork = Transaction(self._state.snapshot)
        outer = self._judge.notes()
        notes: list[Decision] = []
        fault: ApiFault | None = None
        try:
            for call in calls:
                notes, fault = self._judge.start(), None
                api = self._api(
                    call.caller, call.service, call.operation, call.params, _FROM_INSIDE
                )
                try:
                    self._carry_out_on(fork, api)
                except ApiFault as refused:
                    fault = refused
        finally:
            self._judge.resume(outer)
        return notes, fault

    def _carry_out_on(self, fork: Transaction, api: ApiRequest) -> None:
        service = self._services[api.service]
        handler = service.reads.get(api.operation) or service.writes.get(api.operation)
        if handler is None:
            raise unsupported(api.service, api.operation)
        self._authorize(service, fork, api)
        handler(fork, api)

    def _answer(self, understood: _Understood) -> ApiResponse:
        proved = self._authenticator.authenticate(understood.http)
        understood.service, understood.http = proved.service, proved.request
        operation, params = naming.name(proved.service, proved.request)
        _require_signature(proved.caller, proved.service, operation)
        api = replace(
            self._api(proved.caller, proved.service, operation, params, proved.request),
            region=proved.region or REGION,
            request_id=understood.request_id,
            authenticated=proved,
        )
        understood.api = api
        self._last_uses.note(api)
        answer = self._carry_out(api)
        return serialize.result(api.service, operation, answer, api.request_id)

    def _api(
        self,
        caller: Caller,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        http: HttpRequest,
    ) -> ApiRequest:
        view = self._state.snapshot
        elsewhere = service == "s3" and operation != "CreateBucket" and "Bucket" in params
        owner = _owner_of(view, params["Bucket"]) if elsewhere else ""
        return ApiRequest(
            service,
            operation,
            params,
            http,
            caller,
            account=owner or caller.account or LEARNER,
            region=REGION,
            request_id=_request_id(service),
            now=view.now(),
        )

    def _carry_out(self, api: ApiRequest) -> Answer:
        service = self._services[api.service]
        read = service.reads.get(api.operation)
        if read is not None:
            view = self._state.snapshot
            self._authorize(service, view, api)
            return read(view, api)
        write = service.writes.get(api.operation)
        if write is None:
            raise unsupported(api.service, api.operation)
        with self._state.transaction() as tx:
            self._authorize(service, tx, api)
            return write(tx, api)

    def _authorize(self, service: Service, view: View, api: ApiRequest) -> None:
        restrictions.check(api.caller, api.service, api.operation)
        if api.service in _CHECKED:
            constraints.check(api.service, api.operation, api.params)
        for need in service.needs(view, api):
            self._judge.require(view, api, need)


def _owner_of(view: View, bucket: str) -> str:
    """The account that has the bucket, or empty where there is none."""
    found = view.get(Bucket, "", bucket)
    return found.owner if found is not None else ""


def _require_signature(caller: Caller, service: str, operation: str) -> None:
    """Refuse anonymous requests where AWS takes none, whatever let them in."""
    if caller.kind == "Anonymous" and service != "s3" and operation not in UNSIGNED_ACTIONS:
        raise ApiFault(
            "MissingAuthenticationToken", "Request is missing Authentication Token", FORBIDDEN
        )


def _failed() -> ApiFault:
    """What AWS answers when the failure is its own."""
    return ApiFault(
        "InternalFailure",
        "The request processing has failed because of an unknown error, exception or failure.",
        _FAILURE,
        fault="Receiver",
    )


def _request_id(service: str) -> str:
    return secrets.token_hex(8).upper() if service == "s3" else str(uuid.uuid4())
