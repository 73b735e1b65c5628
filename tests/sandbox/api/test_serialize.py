"""The ids of a request in the headers of its answer, and the order of an answer's members."""

import base64
import re

import pytest

from stslab.sandbox.api.model import HttpRequest
from stslab.sandbox.api.serialize import request_ids, result

ID = "befeeea3-1e4d-47c7-be97-091a558cbe8f"


def test_sts_has_an_extended_id_of_the_request() -> None:
    """As in public records of boto3's answers of November 2025 to August 2026."""
    ids = dict(request_ids("sts", ID))
    extended = base64.b64decode(ids.pop("x-amz-sts-extended-request-id")).decode()

    assert ids == {"x-amzn-RequestId": ID}
    assert re.fullmatch(r"1:us-east-1:S:[0-9]{13}:R:[0-9A-Za-z]{8}", extended)


@pytest.mark.parametrize("service", ["iam", "cloudformation"])
def test_others_have_the_id_only(service: str) -> None:
    assert request_ids(service, ID) == (("x-amzn-RequestId", ID),)


def test_the_assumed_role_comes_before_its_credentials() -> None:
    """As in the STS API Reference, "AssumeRole", and in a public suite that is run on AWS."""
    answer = {
        "Credentials": {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t"},
        "AssumedRoleUser": {"Arn": "arn", "AssumedRoleId": "AROA:me"},
    }
    http = HttpRequest("POST", "/", (), "", (), b"")

    body = result("sts", "AssumeRole", answer, ID, http).body.decode()

    assert re.findall(r"<(AssumedRoleUser|AssumedRoleId|Arn|Credentials)>", body) == [
        "AssumedRoleUser",
        "AssumedRoleId",
        "Arn",
        "Credentials",
    ]
