"""One real sandbox process for the test session, and clients for its users."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from tests.sandbox.cases import Account
from tests.sandbox.direct import Direct


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A sandbox of its own: `account.client("iam", "admin")`, `account.keys["root"]`, ..."""
    running = Account.start(tmp_path_factory.mktemp("home") / "sandbox")
    yield running
    # Whatever the tests did, all of it must have been saved when it was acknowledged.
    forgotten = running.control("GET", "saved")["differences"]
    running.stop()
    assert forgotten == []


@pytest.fixture
def direct() -> Iterator[Direct]:
    """A new world, called without a socket."""
    made = Direct()
    yield made
    made.stop()


@pytest.fixture
def fresh() -> str:
    """Six characters that no other test has, for names."""
    return secrets.token_hex(3)
