import pytest
from tests.sandbox import cases


@pytest.mark.parametrize("case", cases.load("sts.yaml"))
def test_as_documented(account: cases.Account, case: cases.Case) -> None:
    cases.run(account, case)


@pytest.mark.parametrize("case", cases.load("sts_federation.yaml"))
def test_federation_as_documented(account: cases.Account, case: cases.Case) -> None:
    cases.run(account, case)


@pytest.mark.parametrize("case", cases.load("sts_saml.yaml"))
def test_saml_as_documented(account: cases.Account, case: cases.Case) -> None:
    cases.run(account, case)
