"""A machine for each test, whose sandbox ends with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.machine import Machine
from tests.e2e.screen import Open, Terminal


@pytest.fixture(scope="session")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine for tests to which it is all the same what was done on it before."""
    made = Machine(tmp_path_factory.mktemp("used"))
    yield made
    made.stop()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def opened(machine: Machine) -> Iterator[Open]:
    terminals: list[Terminal] = []

    def open_one(*arguments: str, **options: object) -> Terminal:
        terminals.append(Terminal(machine, *arguments, **options))  # type: ignore[arg-type]
        return terminals[-1]

    yield open_one
    for one in terminals:
        one.close()
