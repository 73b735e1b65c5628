from typing import Any

import pytest

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiFault

ROLE = "arn:aws:iam::111122223333:role/r"


def refusal(service: str, operation: str, **params: Any) -> str:
    with pytest.raises(ApiFault) as refused:
        operations.check(service, operation, params)
    assert refused.value.code == "ValidationError"
    return refused.value.message


def test_valid_parameters_pass() -> None:
    operations.check("sts", "AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "me"})
    operations.check("iam", "ListUsers", {})


def test_a_problem_in_a_list_names_its_place() -> None:
    message = refusal(
        "iam", "TagUser", UserName="u", Tags=[{"Key": "a", "Value": "b"}, {"Key": "c"}]
    )
    assert message == (
        "1 validation error detected: Value at 'tags.2.member.value' failed to satisfy "
        "constraint: Member must not be null"
    )


def test_a_list_that_is_too_long() -> None:
    message = refusal("sts", "GetWebIdentityToken", Audience=["a"] * 11, SigningAlgorithm="RS256")
    assert "'audience' failed to satisfy constraint: Member must have length less than" in message


def test_tags_are_shown_as_aws_shows_them() -> None:
    tags = [{"Key": f"{number}", "Value": "test"} for number in range(51)]
    message = refusal("sts", "GetFederationToken", Name="bob", Tags=tags)
    assert "Value '[Tag(key=0, value=test), Tag(key=1, value=test), " in message


def test_a_secret_is_not_shown() -> None:
    message = refusal(
        "sts",
        "AssumeRoleWithWebIdentity",
        RoleArn=ROLE,
        RoleSessionName="me",
        WebIdentityToken="abc",
    )
    assert "abc" not in message
    assert "Value '***' at 'webIdentityToken'" in message


def test_only_tags_may_have_letters_of_any_alphabet() -> None:
    operations.check("iam", "TagUser", {"UserName": "u", "Tags": [{"Key": "größe", "Value": "é"}]})
    assert "alphanumeric" in refusal("iam", "GetUser", UserName="größe")


def test_a_value_that_is_not_in_the_enum() -> None:
    message = refusal("iam", "UpdateAccessKey", AccessKeyId="AKIAIOSFODNN7EXAMPLE", Status="Off")
    assert message.endswith("satisfy enum value set")  # IAM does not say which values these are
