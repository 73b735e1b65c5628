"""A ground for each module of tests, and the tables that they print at the end."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.soak.ground import Ground


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    made = Ground(tmp_path_factory.mktemp("ground"))
    yield made
    made.close()


@pytest.fixture
def table(record_property: Callable[[str, Any], None]) -> Callable[[str], None]:
    """Have a text printed in the summary, also when tests run in several processes."""
    return lambda text: record_property("table", text)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for report in _reports(terminalreporter):
        for name, text in report.user_properties:
            if name == "table":
                terminalreporter.write_line("")
                terminalreporter.write_line(text)


def _reports(terminalreporter: Any) -> Iterator[Any]:
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            if getattr(report, "when", "") == "call":
                yield report
