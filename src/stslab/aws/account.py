"""The runner's port to an AWS account (``stslab.runner.ports.Account``), through botocore."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import botocore
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from stslab.aws import answers, embedded
from stslab.aws.assumed import Assumed
from stslab.aws.clients import READ_SECONDS, Clients, Untyped
from stslab.aws.profiles import ADMIN
from stslab.errors import CredentialsError, RunError
from stslab.kinds.operations import changes
from stslab.runner import ports

if TYPE_CHECKING:
    from stslab.aws.target import Target

ANONYMOUS = "anonymous"
_ENDED = """
    ExpiredToken ExpiredTokenException RequestExpired InvalidClientTokenId
    UnrecognizedClientException InvalidAccessKeyId SignatureDoesNotMatch
""".split()
Params = Mapping[str, object]


class Boto3Account:
    """The account of one target. Each call names the identity that makes it.

    An identity is a profile of ``profiles``. On a real account ``admin`` is the learner's own
    profile, or the credentials that botocore's chain finds. ``anonymous`` sends unsigned calls.
    An answer that takes longer than ``read_seconds`` counts as lost.
    """

    def __init__(
        self, target: "Target", profiles: ports.Profiles, read_seconds: float = READ_SECONDS
    ) -> None:
        self.target, self._profiles = target.info, profiles
        self._control, self._admin = target.control, target.admin
        own = {} if self.target.embedded else {ADMIN: target.own_profile, **target.others}
        make = partial(Clients, target.info.region, target.endpoint_url, read_seconds=read_seconds)
        self._clients = make(own_profile=target.own_profile)
        self._own = {name: make(own_profile=profile) for name, profile in own.items()}
        self._assumed = Assumed(
            profiles,
            lambda: self._clients,
            self._mfa_code,
            lambda name: self._own[name].own_credentials() if name in self._own else None,
        )

    def call(self, identity: str, service: str, operation: str, params: Params) -> ports.Outcome:
        """Make one API call; ``service`` and ``operation`` are the API's own names.

        A call whose answer was lost is repeated only if it just reads. Raises a CredentialsError
        if the identity doesn't exist, or its credentials can't be used.
        """
        if service == embedded.SERVICE:
            if not operation.startswith("Get"):
                self._assumed.forget()
            return embedded.call(self._control, operation, params)
        outcome = _outcome(*self._raw(identity, service, operation, params))
        self._refuse_ended(identity, outcome)
        return outcome

    def credentials(self, identity: str) -> ports.Credentials | None:
        """The credentials that the profile holds, or gets from its settings; None if neither."""
        return self._profiles.get(identity) or self._assumed.get(identity)

    def credentials_now(self, identity: str) -> ports.Credentials | None:
        """Like ``credentials``, but None where getting them fails."""
        try:
            return self.credentials(identity)
        except (boto.ClientError, boto.BotoCoreError, CredentialsError):
            return None

    def _mfa_code(self, serial: str) -> str:
        outcome = embedded.call(self._control, "GetMfaCode", {"SerialNumber": serial})
        return str(outcome.data["Code"]) if isinstance(outcome, ports.Answer) else ""

    def waiter_pace(self, service: str, waiter: str) -> ports.WaiterPace:
        model = self._waiter(service, waiter)
        return ports.WaiterPace(float(model.delay), int(model.max_attempts))

    def probe(self, identity: str, service: str, waiter: str, params: Params) -> ports.WaiterProbe:
        """Look once. After a lost answer or a transient error the state is ``retry``."""
        model = self._waiter(service, waiter)
        response, failure = self._raw(identity, service, model.operation, params)
        outcome = _outcome(response, failure)
        self._refuse_ended(identity, outcome)
        for acceptor in model.acceptors if response is not None else ():
            if acceptor.matcher_func(response):
                return ports.WaiterProbe(str(acceptor.state), outcome)
        passes = isinstance(outcome, ports.Answer | ports.Lost) or outcome.transient
        return ports.WaiterProbe("retry" if passes else "failure", outcome)

    def _waiter(self, service: str, waiter: str) -> Untyped:
        try:
            return self._clients.waiter(service, waiter)
        except (KeyError, ValueError, boto.BotoCoreError) as error:
            raise RunError(f"There is no waiter {waiter} for {service}.") from error

    def _raw(
        self, identity: str, service: str, operation: str, params: Params
    ) -> tuple[answers.Response | None, ports.Outcome | None]:
        """Botocore's response (also an error response), or the outcome where there is none."""
        try:
            reads = not changes(f"{service}.{operation}")  # and so is safe to repeat
            client = self._client(identity, service, patient=reads)
            method = getattr(client, botocore.xform_name(operation))
            return method(**params), None
        except boto.ClientError as error:
            return error.response, None
        except (boto.BotoCoreError, ResponseParserError, AttributeError, ValueError) as error:
            return None, answers.failure(error, local=self._clients.local)

    def _client(self, identity: str, service: str, *, patient: bool) -> Untyped:
        if identity == ANONYMOUS:
            return self._clients.unsigned(service)
        # botocore retries silently. Only AWS needs that: elsewhere the runner retries visibly.
        patient = patient and self.target.kind == "aws"
        own = self._admin if identity == ADMIN else None
        credentials = own or self.credentials(identity)
        if credentials:
            return self._clients.with_keys(service, credentials, patient=patient)
        if identity in self._own:
            return self._own[identity].with_own(service, patient=patient)
        raise CredentialsError(
            f"There is no profile {identity} (yet) for the target {self.target.name}.",
            "An earlier stage makes it: `stslab run` continues where the lab was stopped.",
        )

    def _refuse_ended(self, identity: str, outcome: ports.Outcome) -> None:
        """Stop the run if the learner's own credentials no longer work."""
        own = identity == ADMIN or identity in self._own
        if own and isinstance(outcome, ports.Refusal) and outcome.code in _ENDED:
            hint = "Sign in again, or set new credentials. Then repeat the command: it continues."
            if self.target.kind == "sandbox":
                hint = "Start with a new account: stslab sandbox reset."
            reason = f"({outcome.code}): {outcome.message}"
            raise CredentialsError(f"The credentials of {identity} were refused {reason}", hint)


def _outcome(response: answers.Response | None, failure: ports.Outcome | None) -> ports.Outcome:
    if response is None:
        return failure or ports.Lost("there was no answer")
    if "Code" in response.get("Error", {}):
        return answers.refusal(response)
    try:
        return answers.answer(response)
    except boto.BotoCoreError as error:  # reading the body may fail
        return answers.failure(error, local=False)
