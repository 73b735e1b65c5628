"""The service role in whose name CloudFormation acts when it is given one.

AWS CloudFormation User Guide, "AWS CloudFormation service role".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stslab.policy import Principal
from stslab.sandbox.api.model import ApiFault, Caller, KeyStore
from stslab.sandbox.cloudformation.faults import invalid

SERVICE = "cloudformation.amazonaws.com"
SESSION = "AWSCloudFormation"
ARN_FIELDS = 6


def assume(call: Callable[..., Mapping[str, Any]], keys: KeyStore, role_arn: str) -> Caller:
    """A session of the role, for CloudFormation to act with.

    Raises:
        ApiFault: ``ValidationError``, if the role does not let CloudFormation assume it.
    """
    refused = invalid(f"Role {role_arn} is invalid or cannot be assumed")
    fields = role_arn.split(":")
    if len(fields) != ARN_FIELDS or not fields[-1].startswith("role/"):
        raise refused
    service = Caller(Principal.service(SERVICE), fields[4], "", "AWSService")
    request = {"RoleArn": role_arn, "RoleSessionName": SESSION}
    try:
        given = call(service, "sts", "AssumeRole", request)["Credentials"]
    except ApiFault:
        raise refused from None
    found = keys.lookup(given["AccessKeyId"])
    if found is None:
        raise refused
    return found.caller
