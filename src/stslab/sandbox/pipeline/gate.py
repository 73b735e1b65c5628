"""The gate: every request is authenticated, named, decided, carried out and logged here.

What fails at any point is answered as AWS answers it; what the gate does not know is refused.
"""

from __future__ import annotations

import logging
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from stslab.sandbox.api import constraints, inside, operations, serialize
from stslab.sandbox.api.failures import where
from stslab.sandbox.api.model import ApiFault, ApiRequest, ApiResponse, Caller, HttpRequest
from stslab.sandbox.iam.identities.access_keys import record_use
from stslab.sandbox.pipeline import naming
from stslab.sandbox.pipeline.decisions import DecisionLog, Seen
from stslab.sandbox.pipeline.judge import Judge
from stslab.sandbox.pipeline.registry import Registry, needs_of, unsupported
from stslab.sandbox.saved.account import LEARNER, REGION, World
from stslab.sandbox.signing.signature import addressed_service
from stslab.sandbox.signing.trust import Authenticated
from stslab.sandbox.sts import restrictions
from stslab.sandbox.sts.service import UNSIGNED

_LOG = logging.getLogger(__name__)
_FORBIDDEN, _FAILURE = 403, 500
# What AWS says of parameters before it asks who may call.
_CHECKED = frozenset({"iam", "sts"})
Saved = Callable[[World, ApiRequest], None]


class Doorkeeper(Protocol):
    """Who finds out who signed a request."""

    def authenticate(self, request: HttpRequest) -> Authenticated:
        """Verify the signature, or raise the ApiFault that AWS answers."""
        ...


@dataclass(slots=True)
class _Passage:
    """One request on its way through the gate, as far as it is known."""

    service: str
    request_id: str
    http: HttpRequest
    api: ApiRequest | None = None


class Gate:
    """Stands before everything in the world.

    ``saved`` is called, with the write lock held, after each request that may have changed the
    world and before it is answered.
    """

    def __init__(
        self,
        world: World,
        doorkeeper: Doorkeeper,
        registry: Registry,
        log: DecisionLog,
        *,
        judge: Judge,
        saved: Saved,
    ) -> None:
        self._world = world
        self._doorkeeper = doorkeeper
        self._registry = registry
        self._log = log
        self._judge = judge
        self._saved = saved
        world.bind(self.internal)

    def handle(self, http: HttpRequest) -> ApiResponse:
        """Answer one HTTP request; every fault becomes an answer."""
        service = addressed_service(http)
        passage = _Passage(service, _request_id(service), http)
        notes = self._judge.start()
        fault: ApiFault | None = None
        try:
            response = self._pass(passage)
        except ApiFault as refused:
            fault = refused
        except Exception as error:  # noqa: BLE001 - whatever fails, the client gets AWS's answer
            _LOG.error("a request to %s failed\n%s", passage.service, where(error))
            fault = _failed()
        if fault is not None:
            response = serialize.fault(
                passage.service,
                fault,
                passage.request_id,
                head=http.method == "HEAD",
                in_json=naming.speaks_json(passage.service, http),
            )
        seen = Seen(passage.service, passage.http, passage.api, passage.request_id)
        self._log.record(self._world.now(), seen, notes, fault)
        return response

    def internal(
        self,
        caller: Caller,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        via: tuple[str, ...] = (),
    ) -> Mapping[str, Any]:
        """Decide and carry out a call that a service makes in ``caller``'s name.

        ``via`` lists the services through which it comes (``aws:CalledVia``); it is empty
        where the service uses a role of its own. Returns the output as boto3 would.

        Raises:
            ApiFault: what the caller would get.
        """
        api = self._api(
            caller, service, operation, params, inside.request(service, operation, params)
        )
        api = replace(api, via=via)
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
            self._log.record(self._world.now(), seen, notes, fault)
            self._judge.resume(outer)

    def _pass(self, passage: _Passage) -> ApiResponse:
        proved = self._doorkeeper.authenticate(passage.http)
        passage.service, passage.http = proved.service, proved.request
        operation, params = naming.name(proved.service, proved.request)
        _require_signature(proved.caller, proved.service, operation)
        api = replace(
            self._api(proved.caller, proved.service, operation, params, proved.request),
            region=proved.region or REGION,
            request_id=passage.request_id,
            authenticated=proved,
        )
        passage.api = api
        return self._answer(api)

    def _api(
        self,
        caller: Caller,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        http: HttpRequest,
    ) -> ApiRequest:
        elsewhere = service == "s3" and operation != "CreateBucket" and "Bucket" in params
        owner = self._world.owner_of_bucket(params["Bucket"]) if elsewhere else None
        return ApiRequest(
            service,
            operation,
            params,
            http,
            caller,
            account=owner or caller.account or LEARNER,
            region=REGION,
            request_id=_request_id(service),
            now=self._world.now(),
        )

    def _answer(self, api: ApiRequest) -> ApiResponse:
        """The answer in the service's protocol."""
        with self._world.write_lock:
            record_use(self._world, api.caller, api.service, api.region, api.now)
            self._authorize(api)
            handler = self._registry.handler(api.service, api.operation)
            if handler is not None:
                output = handler(api)
                response = serialize.result(api.service, api.operation, output, api.request_id)
            else:
                response = self._backend(api)
            self._after(api)
        return response

    def _carry_out(self, api: ApiRequest) -> Mapping[str, Any]:
        """The output as Python values."""
        with self._world.write_lock:
            self._authorize(api)
            handler = self._registry.handler(api.service, api.operation)
            output = handler(api) if handler else inside.output(api, self._backend(api))
            self._after(api)
        return output

    def _authorize(self, api: ApiRequest) -> None:
        restrictions.check(api.caller, api.service, api.operation)
        if api.service in _CHECKED and self._registry.knows(api.service, api.operation):
            constraints.check(api.service, api.operation, api.params)
        for need in needs_of(api.service, api.operation)(api, self._world):
            self._judge.require(api, need)

    def _backend(self, api: ApiRequest) -> ApiResponse:
        backend = self._registry.backend(api.service, api.operation)
        if backend is None:
            raise unsupported(api.service, api.operation)
        return backend(api)

    def _after(self, api: ApiRequest) -> None:
        if operations.writes(api.operation):
            self._saved(self._world, api)


def _require_signature(caller: Caller, service: str, operation: str) -> None:
    """Refuse anonymous requests where AWS takes none, whoever let them in."""
    if caller.kind == "Anonymous" and service != "s3" and operation not in UNSIGNED:
        raise ApiFault(
            "MissingAuthenticationToken", "Request is missing Authentication Token", _FORBIDDEN
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
