"""AWS's error codes in plain words."""

import gzip
import json
from pathlib import Path

import botocore
import pytest

from stslab.render.terminal.paper import meanings

OFTEN = [
    "AccessDenied",
    "BucketAlreadyExists",
    "BucketNotEmpty",
    "DeleteConflict",
    "EntityAlreadyExists",
    "ExpiredToken",
    "InvalidClientTokenId",
    "LimitExceeded",
    "MalformedPolicyDocument",
    "NoSuchBucket",
    "NoSuchEntity",
    "NoSuchKey",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "Throttling",
    "ValidationError",
]


@pytest.mark.parametrize("code", OFTEN)
def test_common_errors_have_a_meaning(code):
    assert code in meanings()


def test_each_meaning_is_short_and_has_a_page_of_aws():
    for code, (says, page) in meanings().items():
        assert says.endswith("."), code
        assert len(says) <= 100, code
        assert page.startswith("https://docs.aws.amazon.com/"), code
        assert page.endswith(".html"), code


@pytest.mark.parametrize("service", ["iam/2010-05-08", "sts/2011-06-15"])
def test_the_errors_of_an_operations_page_are_errors_of_its_model(service):
    """A code on the page of an operation is one that the operation answers."""
    model = Path(botocore.__file__).parent / "data" / service / "service-2.json.gz"
    found = json.loads(gzip.decompress(model.read_bytes()))
    shapes, name = found["shapes"], service.partition("/")[0].upper()
    for code, (_, url) in meanings().items():
        page = url.rpartition("/")[2]
        if page.startswith("API_") and f"/{name}/" in url:
            errors = found["operations"][page[4:-5]]["errors"]
            codes = {shapes[one["shape"]].get("error", {}).get("code") for one in errors}
            assert code in codes, (code, page)
