"""Rows of s3.yaml, over HTTP against a real sandbox process."""

import pytest
from tests.sandbox import cases


@pytest.mark.parametrize("case", cases.load("s3.yaml"))
def test_as_documented(account: cases.Account, case: cases.Case) -> None:
    cases.run(account, case)
