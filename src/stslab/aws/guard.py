"""Who the learner is on a real account, and whether stslab may work there.

Only sts:GetCallerIdentity is called: it needs no permission (AWS STS API Reference,
"GetCallerIdentity").
"""

from dataclasses import dataclass, field
from typing import Any

from botocore import exceptions as boto

from stslab.aws import answers, target
from stslab.aws.clients import Clients
from stslab.errors import CredentialsError, RunError
from stslab.runner.ports import Outcome

_DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: account id, ARN, and the ARN's partition."""

    account: str
    arn: str
    partition: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where the learner's credentials come from.

    ``profile`` is empty for what botocore's chain finds. ``endpoint_url`` is empty for AWS.
    """

    profile: str = ""
    region: str = ""
    endpoint_url: str = ""
    clients: Clients = field(init=False, repr=False)

    def __post_init__(self) -> None:
        made = Clients(self.region or _DEFAULT_REGION, self.endpoint_url, self.profile)
        object.__setattr__(self, "clients", made)

    def found_region(self) -> str:
        """The region asked for, else the one in the learner's settings, else us-east-1.

        Raises:
            CredentialsError: the learner's settings can't be read.
        """
        try:
            return self.region or self.clients.own_region() or _DEFAULT_REGION
        except boto.BotoCoreError as error:
            raise answers.no_credentials(error) from error


def identify(source: Source) -> Identity:
    """Ask AWS who the learner is.

    Raises:
        CredentialsError: there are no credentials, or AWS does not take them.
        RunError: AWS can't be reached.
    """
    try:
        client = source.clients.with_own("sts", patient=True)
        if source.clients.own_credentials() is None:
            raise boto.NoCredentialsError
        return _identity(client.get_caller_identity())
    except boto.ClientError as error:
        raise _refused(error.response) from error
    except boto.BotoCoreError as error:
        raise _unreached(answers.failure(error, local=False)) from error


def require(identity: Identity, account: str = "") -> None:
    """Refuse the account's root user, and any account but ``account``, if that is given.

    Raises:
        CredentialsError: it is one of them.
    """
    if identity.arn.endswith(":root"):
        raise CredentialsError(
            f"These are the credentials of account {identity.account}'s root user.",
            "Use an IAM user or role instead: a lab never needs what only root may do.",
        )
    if account and account != identity.account:
        raise CredentialsError(
            f"Your credentials are for account {identity.account}, not for {account}.",
            "Name the profile of that account with --profile, or the other --account.",
        )


def real_target(source: Source, account: str = "") -> tuple[target.Target, Identity]:
    """The real account that the credentials are for, after the guard let it pass.

    ``account`` is the id that was asked for; empty where it is to be asked afterwards.

    Raises:
        CredentialsError: the guard refuses, or there are no usable credentials.
        RunError: AWS can't be reached.
    """
    identity, region = identify(source), source.found_region()
    require(identity, account)
    if source.endpoint_url:
        made = target.endpoint(
            source.endpoint_url, identity.account, region, own_profile=source.profile
        )
    else:
        made = target.aws(
            identity.account, region, partition=identity.partition, own_profile=source.profile
        )
    return made, identity


def _identity(response: dict[str, Any]) -> Identity:
    arn = str(response["Arn"])
    return Identity(str(response["Account"]), arn, arn.split(":")[1])


def _refused(response: Any) -> CredentialsError:
    refusal = answers.refusal(response)
    return CredentialsError(
        f"AWS did not take your credentials ({refusal.code}): {refusal.message}",
        "Sign in again or set new ones, and try them: aws sts get-caller-identity.",
    )


def _unreached(outcome: Outcome) -> RunError:
    message = getattr(outcome, "message", "") or getattr(outcome, "reason", "")
    return RunError(
        f"AWS could not be asked who you are: {message}",
        "Check the network, the region and the endpoint, and try again.",
    )
