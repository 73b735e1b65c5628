"""Turn botocore's responses and exceptions into the runner's values.

Errors worth a retry: AWS SDKs and Tools Reference Guide, "Retry behavior".
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore import exceptions as boto
from botocore.response import StreamingBody

from stslab.errors import CredentialsError
from stslab.runner.ports import Answer, Lost, Outcome, Refusal
from stslab.structures import mapped

Response = Mapping[str, Any]  # botocore's dict for an answer or an AWS error
LARGEST_BODY = 1 << 20
UNREACHABLE = "EndpointUnreachable"

_TRANSIENT = """
    Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException
    RequestLimitExceeded TooManyRequestsException ProvisionedThroughputExceededException
    BandwidthLimitExceeded SlowDown PriorRequestNotComplete TransactionInProgressException
    EC2ThrottledException RequestTimeout RequestTimeoutException InternalError InternalFailure
    ServiceUnavailable
""".split()
_SERVER_ERROR = 500
_NOT_IMPLEMENTED = 501

# The request was never sent: it can't have taken effect.
_NOT_SENT = (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError)
# The request may have been sent, and its outcome is unknown.
_NO_ANSWER = (
    boto.ReadTimeoutError,
    boto.ConnectionClosedError,
    boto.ResponseStreamingError,
    boto.IncompleteReadError,
    boto.HTTPClientError,
)
_NO_CREDENTIALS = tuple(
    getattr(boto, name)
    for name in """
    NoCredentialsError PartialCredentialsError CredentialRetrievalError UnknownCredentialError
    ProfileNotFound ConfigParseError ConfigNotFound TokenRetrievalError NoAuthTokenError SSOError
    LoginError InfiniteLoopConfigError InvalidConfigError RefreshWithMFAUnsupportedError
    MetadataRetrievalError
    """.split()
)
_ENDED = (boto.SSOError, boto.TokenRetrievalError, boto.LoginError)


def answer(response: Response) -> Answer:
    """A response as plain values, without ResponseMetadata."""
    members = {key: value for key, value in response.items() if key != "ResponseMetadata"}
    data = mapped(members, plain, of=object)
    return Answer(data, str(response.get("ResponseMetadata", {}).get("RequestId", "")))


def plain(value: object) -> object:
    """A value for JSON: a date becomes ISO 8601 in UTC, a body its text."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, StreamingBody):
        with value:
            return plain(value.read(LARGEST_BODY))
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else value


def refusal(response: Response) -> Refusal:
    error, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, status = str(error.get("Code", "Unknown")), int(metadata.get("HTTPStatusCode", 0))
    return Refusal(
        code=code,
        message=str(error.get("Message") or "AWS gave no message."),
        status=status,
        request_id=str(metadata.get("RequestId", "")),
        transient=code in _TRANSIENT or (status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED),
    )


def failure(error: Exception, *, local: bool) -> Outcome:
    """The outcome of a call that raised this; a CredentialsError if that is the cause.

    ``local``: the endpoint is on this machine.
    """
    if isinstance(error, _NO_CREDENTIALS):
        raise no_credentials(error) from error
    if isinstance(error, _NOT_SENT):
        where = getattr(error, "kwargs", {}).get("endpoint_url", "the endpoint")
        return Refusal(UNREACHABLE, f"Could not connect to {where}.", transient=not local)
    if isinstance(error, boto.SSLError):
        return Refusal("TlsError", "The endpoint's TLS certificate could not be verified.")
    if isinstance(error, _NO_ANSWER) or type(error).__name__ == "ResponseParserError":
        unread = f"the answer could not be read ({type(error).__name__})"
        return Lost(_LOST.get(type(error), unread))
    if isinstance(error, boto.ParamValidationError):
        return Refusal("ParamValidation", str(error))
    return Refusal(type(error).__name__, str(error))


def no_credentials(error: Exception) -> CredentialsError:
    """The error for a learner whose credentials can't be used."""
    if isinstance(error, boto.ProfileNotFound):
        return CredentialsError(f"{error}.", "List the profiles: aws configure list-profiles.")
    if isinstance(error, _ENDED) or "Token has expired" in str(error):
        fix = "Sign in again (aws sso login --profile NAME), then repeat the command: it continues."
        return CredentialsError("Your sign-in (SSO) session has ended.", fix)
    if isinstance(error, boto.NoCredentialsError):
        fix = "Name a profile with --profile, or set one up: aws configure (or aws configure sso)."
        return CredentialsError("No AWS credentials were found.", fix)
    if isinstance(error, boto.CredentialRetrievalError):
        # The process's own output is not repeated: it may hold a secret.
        provider = str(getattr(error, "kwargs", {}).get("provider", "your settings"))
        what = "credential_process" if provider == "custom-process" else provider
        return CredentialsError(
            f"Your AWS credentials could not be loaded from {what}.",
            "Run this, and fix the error that it prints: aws configure export-credentials"
            " [--profile NAME]. Then repeat the command: it continues.",
        )
    fix = "Test them: aws sts get-caller-identity."
    return CredentialsError(f"Your AWS credentials can't be used ({type(error).__name__}).", fix)


_LOST = {
    boto.ReadTimeoutError: "the answer did not come in time",
    boto.ConnectionClosedError: "the connection was closed before an answer came",
}
