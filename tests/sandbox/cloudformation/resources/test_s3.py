"""The words for a bucket's name are those of BucketNameUtils of the AWS SDK for Java 1.

Those for capitals and for the length stand in public records of stack events too
(splunk/splunk-aws-gdi-toolkit#25, linuxacademy/content-aws-csa2019#2).
"""

import pytest

from stslab.sandbox.cloudformation.resources.s3 import check_name
from stslab.sandbox.cloudformation.resources.work import Refused


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ab", "should be between 3 and 63 characters long"),
        ("a" * 64, "should be between 3 and 63 characters long"),
        ("10.0.0.1", "must not be formatted as an IP Address"),
        ("My-Bucket", "should not contain uppercase characters"),
        ("my bucket", "should not contain white space"),
        (".bc", "should not begin with a period"),
        ("-bc", "should not begin with a '-'"),
        ("a..b", "should not contain two adjacent periods"),
        ("a.-b", "should not contain dashes next to periods"),
        ("a-.b", "should not contain dashes next to periods"),
        ("my_Bucket", "should not contain '_'"),
        ("abc-", "should not end with '-' or '.'"),
    ],
)
def test_what_is_wrong_with_a_name(name: str, says: str) -> None:
    with pytest.raises(Refused) as refused:
        check_name(name)
    assert refused.value.message == f"Bucket name {says}"


@pytest.mark.parametrize("name", ["abc", "1.2-3", "a" * 63, "a-b.c-d"])
def test_a_good_name(name: str) -> None:
    check_name(name)
