"""The runner's port to an AWS account (``stslab.runner.ports.AwsAccount``), through botocore."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import botocore
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from botocore.response import StreamingBody
from msgspec.structs import replace

from stslab.aws import embedded
from stslab.aws.assumed import Assumed
from stslab.aws.clients import NOBODY, OWN, READ_SECONDS, Clients, Untyped
from stslab.aws.target import Target
from stslab.errors import CredentialsError
from stslab.kinds.operations import changes
from stslab.kinds.table import ENDED, TRANSIENT
from stslab.runner import ports
from stslab.structures import beside, mapped, said
from stslab.vocabulary import ADMIN

ANONYMOUS = "anonymous"
Response = Mapping[str, Any]  # botocore's dict for an answer or an AWS error
LARGEST_BODY = 1 << 20
UNREACHABLE = "EndpointUnreachable"

_SERVER_ERROR = 500
_NOT_IMPLEMENTED, _NO_STORAGE = 501, 507

# The request was never sent: it can't have taken effect.
_NOT_SENT = (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError)
_UNREADABLE = (ResponseParserError, LookupError, TypeError)  # botocore's, for what is not AWS's
# The request may have been sent, and its outcome is unknown.
_NO_ANSWER = (boto.HTTPClientError, boto.IncompleteReadError, *_UNREADABLE)
FAILED = (boto.BotoCoreError, AttributeError, ValueError, *_UNREADABLE)
_UNUSABLE = beside(__file__, "unusable.yaml")
_NO_CREDENTIALS = tuple(getattr(boto, name) for name in _UNUSABLE["exceptions"].split())
_SIGNED_OUT = (boto.SSOError, boto.TokenRetrievalError, boto.LoginError)


class Boto3Account:
    """The account of one target. Each call names the identity that makes it: a profile.

    On a real account ``admin`` is the learner's own profile, or what botocore's chain finds.
    ``anonymous`` sends unsigned calls. An answer that takes ``read_seconds`` counts as lost.
    """

    def __init__(
        self, target: Target, profiles: ports.Profiles, read_seconds: float = READ_SECONDS
    ) -> None:
        self.target, self._profiles = target.info, profiles
        self._control, self._admin = target.control, target.admin
        make = partial(Clients, target.info.region, target.endpoint_url, read_seconds=read_seconds)
        self._clients = make()
        self._own = {name: make(own_profile=profile) for name, profile in target.own.items()}
        self._assumed = Assumed(profiles, lambda: self._clients, self._own, self._mfa_code)

    def call(self, call: ports.Call) -> ports.Outcome:
        """Make one API call. If the answer is lost, it is repeated only if it just reads.

        CredentialsError: the identity doesn't exist, or its credentials can't be used.
        """
        if call.service == embedded.SERVICE:
            if not call.operation.startswith("Get"):
                self._assumed.kept.clear()  # the clock may have moved past their end
            return embedded.call(self._control, call.operation, call.params)
        return self._made(call)[1]

    def credentials(self, identity: str) -> ports.Credentials | None:
        """The credentials that the profile holds, or gets from its settings; None if neither."""
        return self._profiles.get(identity) or self._assumed.get(identity)

    def credentials_now(self, identity: str) -> ports.Credentials | None:
        """As ``credentials``; None also where getting them fails."""
        with suppress(boto.ClientError, CredentialsError, *FAILED):
            return self.credentials(identity)
        return None

    def _mfa_code(self, serial: str) -> str:
        outcome = embedded.call(self._control, "GetMfaCode", {"SerialNumber": serial})
        return str(outcome.data["Code"]) if isinstance(outcome, ports.Answer) else ""

    def waiter_pace(self, service: str, waiter: str) -> tuple[float, int]:
        model = self._clients.waiter(service, waiter)
        return float(model.delay), int(model.max_attempts)

    def probe(self, wait: ports.Call) -> tuple[str, ports.Outcome]:
        """Look once. After a lost answer or a transient error the state is ``retry``."""
        model = self._clients.waiter(wait.service, wait.operation)
        response, outcome = self._made(replace(wait, operation=model.operation))
        for acceptor in model.acceptors if response is not None else ():
            if acceptor.matcher_func(response):
                return str(acceptor.state), outcome
        passes = isinstance(outcome, ports.Answer | ports.Lost) or outcome.transient
        return "retry" if passes else "failure", outcome

    def _made(self, call: ports.Call) -> tuple[Response | None, ports.Outcome]:
        """The outcome, and botocore's response (which may be an error), if any."""
        response: Response | None = None
        outcome: ports.Outcome
        try:
            reads = not changes(call.name)  # and so is safe to repeat
            client = self._client(call.identity, call.service, patient=reads)
            response = getattr(client, botocore.xform_name(call.operation))(**call.params)
            outcome = answer(response)
        except boto.ClientError as error:
            response = error.response
            outcome = refusal(error.response)
        except FAILED as error:
            outcome = failure(error, local=self._clients.local)
        own = call.identity == ADMIN or call.identity in self._own
        if own and isinstance(outcome, ports.Refusal) and outcome.code in ENDED:
            hint = "Sign in again, or set new credentials. Then repeat the command: it continues."
            if self.target.kind == "sandbox":
                hint = "Start with a new account: stslab sandbox reset"
            refused = f"The credentials of {call.identity} were refused ({outcome.code})"
            raise CredentialsError(f"{refused}: {outcome.message}", hint)
        return response, outcome

    def _client(self, identity: str, service: str, *, patient: bool) -> Untyped:
        if identity == ANONYMOUS:
            return self._clients.client(service, NOBODY)
        # botocore retries silently. Only AWS needs that: elsewhere the runner retries visibly.
        patient = patient and self.target.kind == "aws"
        credentials = (identity == ADMIN and self._admin) or self.credentials(identity)
        if credentials:
            return self._clients.client(service, credentials, patient=patient)
        if identity in self._own:
            return self._own[identity].client(service, OWN, patient=patient)
        raise unusable("not made", name=identity, target=self.target.name)


# -- botocore's responses and exceptions as the runner's values ------------------------------------


def answer(response: Response) -> ports.Answer:
    """A response as plain values, without ResponseMetadata."""
    members = {key: value for key, value in response.items() if key != "ResponseMetadata"}
    data = mapped(members, plain, of=object)
    return ports.Answer(data, str(response.get("ResponseMetadata", {}).get("RequestId", "")))


def plain(value: object) -> object:
    """A value for JSON: a date becomes ISO 8601 in UTC, a body its text."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, StreamingBody):
        with value:
            return plain(value.read(LARGEST_BODY))
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else value


def refusal(response: Response) -> ports.Refusal:
    error, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, status = str(error.get("Code", "Unknown")), int(metadata.get("HTTPStatusCode", 0))
    return ports.Refusal(
        code=code,
        message=str(error.get("Message") or "AWS gave no message."),
        status=status,
        request_id=str(metadata.get("RequestId", "")),
        transient=code in TRANSIENT
        or (status >= _SERVER_ERROR and status not in (_NOT_IMPLEMENTED, _NO_STORAGE)),
    )


def failure(error: Exception, *, local: bool) -> ports.Refusal | ports.Lost:
    """The outcome of a call (``local``: to this machine) that raised this; or CredentialsError."""
    if isinstance(error, _NO_CREDENTIALS):
        raise no_credentials(error) from error
    if isinstance(error, _NOT_SENT):
        where = getattr(error, "kwargs", {}).get("endpoint_url", "the endpoint")
        return ports.Refusal(UNREACHABLE, f"Could not connect to {where}.", transient=not local)
    if isinstance(error, boto.SSLError):
        return ports.Refusal("TlsError", "The endpoint's TLS certificate could not be verified.")
    if isinstance(error, _NO_ANSWER):
        reason = f"the answer could not be read ({type(error).__name__})"
        if isinstance(error, boto.ReadTimeoutError):
            reason = "the answer did not come in time"
        elif isinstance(error, boto.ConnectionClosedError):
            reason = "the connection was closed before an answer came"
        return ports.Lost(reason)
    if isinstance(error, boto.ParamValidationError):
        return ports.Refusal("ParamValidation", str(error))
    return ports.Refusal(type(error).__name__, str(error))


def unusable(why: str, **names: object) -> CredentialsError:
    return CredentialsError(*said(_UNUSABLE, why, **names))


def no_credentials(error: Exception) -> CredentialsError:
    if isinstance(error, boto.ProfileNotFound):
        return unusable("profile", error=error)
    if isinstance(error, _SIGNED_OUT) or "Token has expired" in str(error):
        return unusable("signed out")
    if isinstance(error, boto.NoCredentialsError):
        return unusable("none")
    if isinstance(error, boto.CredentialRetrievalError):
        # The process's own output is not repeated: it may hold a secret.
        provider = str(getattr(error, "kwargs", {}).get("provider", "your settings"))
        what = "credential_process" if provider == "custom-process" else provider
        return unusable("not loaded", what=what)
    return unusable("other", error=type(error).__name__)
