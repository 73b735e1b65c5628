"""A machine for each test, whose sandbox ends with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.stop()
