"""A new account for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sandbox.cloudformation.harness import Harness


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Harness]:
    made = Harness(tmp_path / "account")
    yield made
    made.close()
