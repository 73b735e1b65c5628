"""An account in memory for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.sandbox.cloudformation import harness


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[harness.Harness]:
    monkeypatch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
    with harness.account() as made:
        yield made
