"""How tests run: how many at once, without deadlines, and what some of them need."""

import os
import signal

import pytest
from hypothesis import settings
from tests import programs

# A shell that starts the tests in the background has them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is not a defect.
settings.register_profile("stslab", deadline=None)
settings.load_profile("stslab")

_LONGEST = ("test_practice.py",)  # the aws CLI waits for stacks in them


def pytest_xdist_auto_num_workers() -> int:
    """Three for each core: most of their time tests wait, for processes, stacks, the aws CLI."""
    return 3 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests begin first: begun last, they would keep one worker busy alone."""
    items.sort(key=lambda item: item.path.name not in _LONGEST)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a program that is not here, or fail it: STSLAB_REQUIRE says which."""
    for marker in item.iter_markers("needs"):
        programs.check(marker.args)
