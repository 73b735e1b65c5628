"""Whether an endpoint answers, what time it has, and where credentials come from: for the doctor.

Nothing is signed to ask for the time, so that a clock that is wrong can't spoil the answer.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec
from botocore import exceptions as boto

from stslab.aws import answers
from stslab.aws.answers import Response
from stslab.aws.clients import Clients


class Reach(msgspec.Struct, frozen=True):
    """Whether ``url`` answered; its ``date`` (aware, UTC) if it told; else the ``problem``."""

    url: str
    answered: bool
    date: datetime | None = None
    problem: str = ""


class CredentialsFound(msgspec.Struct, frozen=True):
    """How botocore's chain calls the source, and when they end (aware, UTC), if they do."""

    method: str
    expires: datetime | None = None


def reach(clients: Clients) -> Reach:
    """Ask STS something that it refuses unsigned: any answer will do."""
    client = clients.unsigned("sts")
    url = str(client.meta.endpoint_url)
    try:
        response: Response = client.get_caller_identity()
    except boto.ClientError as error:
        response = error.response
    except boto.BotoCoreError as error:
        return Reach(url, answered=False, problem=type(error).__name__)
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return Reach(url, answered=True, date=_date(str(headers.get("date", ""))))


def credentials_found(clients: Clients) -> CredentialsFound:
    """Where the learner's credentials come from; CredentialsError where they can't be had."""
    try:
        found = clients.own_credentials()
        if found is None:
            raise boto.NoCredentialsError
        found.get_frozen_credentials()
    except boto.BotoCoreError as error:
        raise answers.no_credentials(error) from error
    ends = getattr(found, "_expiry_time", None)  # botocore tells it nowhere else
    return CredentialsFound(str(found.method), ends.astimezone(UTC) if ends else None)


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, TypeError):
        return None
