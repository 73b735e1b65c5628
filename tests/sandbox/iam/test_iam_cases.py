import pytest
from tests.sandbox import cases


@pytest.mark.parametrize("case", cases.load("iam.yaml"))
def test_as_documented(account: cases.Account, case: cases.Case) -> None:
    cases.run(account, case)


@pytest.mark.parametrize("case", cases.load("iam_simulation.yaml"))
def test_simulator_as_documented(account: cases.Account, case: cases.Case) -> None:
    cases.run(account, case)
