"""An AWS account behind an endpoint, as the runner calls it: ``stslab.runner.ports.Account``."""

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
    """The account of one target, called by named identities.

    An identity is a profile of ``profiles``; on a real account ``admin`` is the learner's
    own profile, or what botocore's credential chain finds. ``anonymous`` signs nothing.
    ``read_seconds`` is how long an answer may take before it counts as lost.
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

        A call whose answer was lost is not repeated, unless it only reads. CredentialsError: there
        is no such identity, or its credentials can't be used.
        """
        if service == embedded.SERVICE:
            if not operation.startswith("Get"):
                self._assumed.forget()
            return embedded.asked(self._control, operation, params)
        outcome = _outcome(*self._raw(identity, service, operation, params))
        self._refuse_ended(identity, outcome)
        return outcome

    def credentials(self, identity: str) -> ports.Credentials | None:
        """The credentials of a profile: those that it holds, or those that it says how to get."""
        return self._profiles.get(identity) or self._assumed.get(identity)

    def credentials_now(self, identity: str) -> ports.Credentials | None:
        """The same, or None where they can't be had now."""
        try:
            return self.credentials(identity)
        except (boto.ClientError, boto.BotoCoreError, CredentialsError):
            return None

    def _mfa_code(self, serial: str) -> str:
        outcome = embedded.asked(self._control, "GetMfaCode", {"SerialNumber": serial})
        return str(outcome.data["Code"]) if isinstance(outcome, ports.Answer) else ""

    def waiter_pace(self, service: str, waiter: str) -> ports.WaiterPace:
        found = self._waiter(service, waiter)
        return ports.WaiterPace(float(found.delay), int(found.max_attempts))

    def probe(self, identity: str, service: str, waiter: str, params: Params) -> ports.WaiterProbe:
        """Look once; a lost answer, or an error that passes, says only to look again."""
        found = self._waiter(service, waiter)
        response, instead = self._raw(identity, service, found.operation, params)
        outcome = _outcome(response, instead)
        self._refuse_ended(identity, outcome)
        for acceptor in found.acceptors if response is not None else ():
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
        """Botocore's response (an error's too), or else the outcome that stands for none."""
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
        # botocore's tries are silent. Where the runner's own suffice, each of them is shown.
        patient = patient and self.target.kind == "aws"
        own = self._admin if identity == ADMIN else None
        credentials = own or self.credentials(identity)
        if credentials:
            return self._clients.with_keys(service, credentials, patient=patient)
        if identity in self._own:
            return self._own[identity].with_own(service, patient=patient)
        raise CredentialsError(
            f"There is no profile {identity} (yet) for the target {self.target.name}.",
            "The stage that makes it comes first: `stslab run` goes on where the lab was stopped.",
        )

    def _refuse_ended(self, identity: str, outcome: ports.Outcome) -> None:
        """The learner's own credentials no longer work: nothing that follows could."""
        learners = identity == ADMIN or identity in self._own
        if learners and isinstance(outcome, ports.Refusal) and outcome.code in _ENDED:
            hint = "Sign in again, or set new credentials; then run the same command: it goes on."
            if self.target.kind == "sandbox":
                hint = "Begin with a new account: stslab sandbox reset."
            said = f"({outcome.code}): {outcome.message}"
            raise CredentialsError(f"The credentials of {identity} were refused {said}", hint)


def _outcome(response: answers.Response | None, instead: ports.Outcome | None) -> ports.Outcome:
    if response is None:
        return instead or ports.Lost("there was no answer")
    if "Code" in response.get("Error", {}):
        return answers.refusal(response)
    try:
        return answers.answer(response)
    except boto.BotoCoreError as error:  # its body is only read now, and may yet be lost
        return answers.failure(error, local=False)
