"""Between two accounts, from outside, and around: crossing.yaml, row by row."""

import pytest
from tests.sandbox import cases


@pytest.mark.parametrize("case", cases.load("crossing.yaml"))
def test_as_documented(account, case):
    cases.run(account, case)
